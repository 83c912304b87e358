/*
 * How many lines of an event a process may write: log_rate a second, and those of ten
 * seconds at once.  It holds for what anybody can cause who reaches a port, so that
 * nobody fills the disk; what authenticated peers do is never left out.
 *
 * Safe: threads; async-signal-safe, without a lock; after fork in the child.
 */
#ifndef SHIM_SESSION_AUDIT_RATE_H
#define SHIM_SESSION_AUDIT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/session/audit.h"

/* 0 = no limit. */
void audit_rate_set(int64_t per_second);

/* Whether one more line may be written; else it is counted. */
bool audit_rate_take(enum audit_event event);

/* Takes the count of lines of the event that were left out. */
uint64_t audit_rate_suppressed(enum audit_event event);
void audit_rate_give_back(enum audit_event event, uint64_t count);

/* Whether lines were left out, and none has been for a while. */
bool audit_rate_is_calm(enum audit_event event);

void audit_rate_forget(void);

#endif
