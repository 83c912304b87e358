/*
 * The lines of audit logs, one after the other, in constant memory.
 */
#ifndef TOOLS_CTL_LOG_READER_H
#define TOOLS_CTL_LOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/ctl/log_line.h"

struct log_reader_totals {
    int64_t lines;
    int64_t unreadable; /* cut, or no JSON */
};

/*
 * Reads files line by line, and shows how far it is on standard error, if that is a
 * terminal.
 *
 *   command  in   who asks, for messages
 *   paths    in   "-" is standard input
 *   take     in   gets each line that could be read
 *   totals   out
 *
 * Returns  0, or -1 when a file could not be read, which was said.
 */
int log_reader_run(const char *command, char *const *paths, int count,
                   void (*take)(void *context, const struct log_line *line),
                   void *context, struct log_reader_totals *totals);

#endif
