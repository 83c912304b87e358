/*
 * The series of a process's file: a set of counters for each rule and direction.
 */
#ifndef SHIM_SESSION_METRICS_SERIES_H
#define SHIM_SESSION_METRICS_SERIES_H

#include "shim/session/metrics_layout.h"

/* Bracket what readers must see as a whole or not at all; lock-free, any number at once.
 */
void metrics_series_begin(struct metrics_live *live);
void metrics_series_end(struct metrics_live *live);

/*
 * The series of a rule, made when it is not there.  Two threads may make two, which
 * readers add up.
 *
 * Returns  the direction's "(other)" when all are taken; NULL without room on the disk.
 * Safe     lock-free, async-signal-safe.
 */
struct metrics_series *metrics_series(struct metrics_live *live,
                                      enum metrics_direction direction, const char *rule);

/* The one for what concerns no connection; always there once it was made. */
void metrics_series_make_process(struct metrics_live *live);
struct metrics_series *metrics_series_of_process(struct metrics_live *live);

static inline void
metrics_series_add(struct metrics_series *series, int value, uint64_t more)
{
    atomic_fetch_add_explicit(&series->values[value], more, memory_order_relaxed);
}

/* Adds what a connection has carried. */
void metrics_series_add_counts(struct metrics_series *series,
                               const struct record_count *in,
                               const struct record_count *out);

/* The upper bounds of the buckets for the duration of handshakes, in microseconds. */
extern const int64_t metrics_series_bounds_us[METRICS_BUCKET_COUNT];

/* Copies a text, cut to the size. Async-signal-safe. */
void metrics_series_copy_text(char *to, const char *from, size_t size);

#endif
