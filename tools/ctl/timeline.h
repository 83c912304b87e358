/*
 * Counts over a time whose length is not known beforehand: a fixed number of periods,
 * which grow longer as the time does.
 */
#ifndef TOOLS_CTL_TIMELINE_H
#define TOOLS_CTL_TIMELINE_H

#include <stdint.h>

#define TIMELINE_PERIODS 120
#define TIMELINE_SERIES 4

/* Zeroed is empty. */
struct timeline {
    int64_t start_ms, period_ms; /* period_ms is 0 while there is nothing */
    int used;                    /* periods up to the last one with a count */
    int64_t values[TIMELINE_PERIODS][TIMELINE_SERIES];
};

/* Counts one at a time, in milliseconds since the epoch; times may come in any order. */
void timeline_add(struct timeline *timeline, int series, int64_t time_ms);

#endif
