/*
 * Counting for metrics_dir.  What the audit log is told of is counted where it is told,
 * whether it has a log or not; bytes and records are counted by the record layer, into a
 * place that each open connection has to itself.
 *
 * Without metrics_dir, or where no file can be made, all of it does nothing.
 */
#ifndef SHIM_SESSION_METRICS_H
#define SHIM_SESSION_METRICS_H

#include "shim/session/audit.h"
#include "shim/session/generation.h"
#include "shim/session/metrics_file.h"

struct handle; /* session.h */

/*
 * Counts from here on; the first generation is installed.
 *
 *   program, service  in  as in audit_open(); they must stay
 *
 * Returns  0; -errno when the directory cannot be opened: nobody counts.
 */
int metrics_start(const struct policy *policy, const char *program, const char *service);

/* Counts what the audit log is being told of.  Safe: as audit_write(). */
void metrics_count(const struct audit_record *record);

/* A line of the log was lost. */
void metrics_count_dropped(void);

/* The newest generation is another. */
void metrics_renew(void);

/* Gives an open connection of this process its place, unless it has one. */
void metrics_attach(struct handle *handle);

/* The same before each call that may move data: a load and a comparison. */
static inline void
metrics_see_to(struct handle *handle, const _Atomic bool *is_counted)
{
    if (metrics_file_is_wanted() &&
        !atomic_load_explicit(is_counted, memory_order_relaxed)) {
        metrics_attach(handle);
    }
}

/* This process has the connection no more: what it has carried goes to the totals. */
void metrics_detach(struct handle *handle);

void metrics_fork_child(void);

/* The process ends. */
void metrics_end(void);

#endif
