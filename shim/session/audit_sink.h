/*
 * Where the audit log's lines go: a file, a FIFO, stderr's file, syslog or journald.
 */
#ifndef SHIM_SESSION_AUDIT_SINK_H
#define SHIM_SESSION_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "shim/session/audit.h"
#include "shim/session/audit_time.h"

#define AUDIT_SINK_LINE_MAX                                                              \
    4096                        /* PIPE_BUF: writes to pipes of up to so much are whole */
#define AUDIT_SINK_PREFIX_LEN 8 /* what a sink may put before a line */

struct audit_sink_line {
    char buffer[AUDIT_SINK_PREFIX_LEN + AUDIT_SINK_LINE_MAX]; /* text behind the prefix */
    size_t len; /* of the text, with the newline */
    bool is_warning;
    int pid;
    const char *event;
    struct audit_time time;
};

/*
 * Opens a sink in place of the one before. The fds are raised and the table knows them as
 * ours.
 *
 *   path  in  of the file or FIFO; made with mode 0640 when it is not there
 *
 * Returns  0; -errno and there is no sink.
 */
int audit_sink_open(enum policy_log kind, const char *path, const struct audit_io *io);

bool audit_sink_is_open(void);

/* Has a file that was moved away followed by the new one; see audit_file_follow(). */
int audit_sink_follow(void);

/* Where the text of a line begins. */
static inline char *
audit_sink_text(struct audit_sink_line *line)
{
    return line->buffer + AUDIT_SINK_PREFIX_LEN;
}

/*
 * Writes a line with one system call, never waiting and never raising SIGPIPE.
 *
 * Returns  false when it did not get through.
 * Safe     threads; after fork in the child; allocates nothing; changes errno.
 */
bool audit_sink_write(struct audit_sink_line *line);

#endif
