/*
 * The file in which this process counts: see metrics_layout.h.
 */
#ifndef SHIM_SESSION_METRICS_FILE_H
#define SHIM_SESSION_METRICS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/session/metrics_layout.h"

/*
 * Opens the directory; files are made in it later, also after a chroot and by users who
 * could not reach it.
 *
 *   program  in  the path of the executable
 *   service  in  NULL = none
 *
 * Returns  0; -errno.
 */
int metrics_file_start(const char *dir, const char *program, const char *service);

/*
 * This process's file.
 *
 *   fill  in  called for a file that has just been made, before anybody sees it
 *
 * Returns  NULL: there is none, and nobody counts.
 * Safe     threads; async-signal-safe; leaves errno alone.
 */
struct metrics_live *metrics_file(void (*fill)(struct metrics_live *live));

/* Whether metrics_file() may return anything; a load and a comparison. */
extern _Atomic int metrics_file_state;
static inline bool
metrics_file_is_wanted(void)
{
    return atomic_load_explicit(&metrics_file_state, memory_order_relaxed) > 0;
}

/* Sees to it that this part of the file is on the disk: touching it raises no SIGBUS. */
bool metrics_file_reserve(const struct metrics_live *live, const void *part, size_t len);

/* The child of a fork makes a file of its own when it has something to count. */
void metrics_file_fork_child(void);

/* Adds the counters to those of the ended processes, and removes the file.  Async-signal-
 * safe; waits for a moment at most. */
void metrics_file_end(void);

#endif
