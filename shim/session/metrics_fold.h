/*
 * Adding up the counters of processes that have ended: see metrics_layout.h.
 */
#ifndef SHIM_SESSION_METRICS_FOLD_H
#define SHIM_SESSION_METRICS_FOLD_H

#include <stdbool.h>

#include "shim/session/metrics_layout.h"

/*
 * Locks a directory, so that what is in it can be seen as a whole.
 *
 *   exclusive  in  to change it
 *
 * Returns  an fd that holds the lock; -errno, -EAGAIN when others have it for too long.
 */
int metrics_fold_lock(int dir_fd, bool exclusive);

/*
 * Adds a process's counters to those of the ended ones, and removes its file.
 *
 * Returns  0; -errno, and all is as it was (unless there was no room for the counters).
 * Safe     async-signal-safe.
 */
int metrics_fold_one(int dir_fd, const char *name, const struct metrics_live *live);

/*
 * Does that for the files of processes that are dead, a bounded number of them; of other
 * users' when this user may.
 */
void metrics_fold_dead(int dir_fd);

enum metrics_found { METRICS_LIVE, METRICS_DEAD, METRICS_YOUNG, METRICS_STRANGE };

/*
 * Reads the file of a process, which may be going on.
 *
 *   live  out  whatever is in the file, its texts end and its counts are within bounds
 */
enum metrics_found metrics_fold_read(int dir_fd, const char *name,
                                     struct metrics_live *live);

/* The same of a file of ended processes. Returns false when it is none. */
bool metrics_fold_read_ended(int dir_fd, const char *name, struct metrics_ended *ended);

bool metrics_fold_is_live_name(const char *name);
bool metrics_fold_is_ended_name(const char *name);

/* The series of these labels, made when it is not there; when all are taken, "(other)".
 */
struct metrics_series *metrics_fold_series(struct metrics_ended *ended,
                                           const char *service, uint32_t direction,
                                           const char *rule);

/* Adds what a process has counted, or what those have that have ended. */
void metrics_fold_add(struct metrics_ended *ended, const struct metrics_live *live);
void metrics_fold_add_ended(struct metrics_ended *to, const struct metrics_ended *from);

#endif
