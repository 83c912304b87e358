/*
 * The time of day in UTC, without libc's time zones, which take a lock.
 */
#ifndef SHIM_SESSION_AUDIT_TIME_H
#define SHIM_SESSION_AUDIT_TIME_H

#include <stdint.h>

#define AUDIT_TIME_LEN 40 /* room for the text, with the final NUL */

struct audit_time {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second, ms;
};

/* Splits CLOCK_REALTIME's seconds. Async-signal-safe. */
void audit_time_split(int64_t seconds, unsigned ms, struct audit_time *time);

/* "2026-11-24T22:41:30.123Z", RFC 3339 section 5.6. */
void audit_time_rfc3339(const struct audit_time *time, char text[AUDIT_TIME_LEN]);

#endif
