#include "tools/ctl/timeline.h"

#include <string.h>

/* Lengths that people think in. */
static const int64_t periods_ms[] = {
    60000,      120000,      300000,       600000,        1200000,
    1800000,    3600000,     7200000,      14400000,      21600000,
    43200000,   86400000,    172800000,    604800000,     2419200000,
    7257600000, 29030400000, 290304000000, 2903040000000,
};
enum { PERIOD_COUNT = sizeof(periods_ms) / sizeof(periods_ms[0]) };

static int64_t
floor_to(int64_t time_ms, int64_t period_ms)
{
    return time_ms / period_ms * period_ms;
}

/* Spreads what is there over longer periods from an earlier start. */
static void
rebase(struct timeline *timeline, int64_t start_ms, int64_t period_ms)
{
    static int64_t values[TIMELINE_PERIODS][TIMELINE_SERIES];
    int used = 0;
    memset(values, 0, sizeof(values));
    for (int i = 0; i < timeline->used; i++) {
        int64_t time = timeline->start_ms + i * timeline->period_ms;
        int64_t to = (time - start_ms) / period_ms;
        for (int j = 0; j < TIMELINE_SERIES; j++) {
            values[to][j] += timeline->values[i][j];
        }
        used = (int)to + 1;
    }
    memcpy(timeline->values, values, sizeof(values));
    timeline->start_ms = start_ms;
    timeline->period_ms = period_ms;
    timeline->used = used;
}

/* Finds the shortest periods that hold both ends. */
static void
cover(struct timeline *timeline, int64_t from_ms, int64_t to_ms)
{
    for (int i = 0; i < PERIOD_COUNT; i++) {
        int64_t period = periods_ms[i];
        int64_t start = floor_to(from_ms, period);
        if (period >= timeline->period_ms &&
            (to_ms - start) / period < TIMELINE_PERIODS) {
            rebase(timeline, start, period);
            return;
        }
    }
}

void
timeline_add(struct timeline *timeline, int series, int64_t time_ms)
{
    if (timeline->period_ms == 0) {
        timeline->period_ms = periods_ms[0];
        timeline->start_ms = floor_to(time_ms, periods_ms[0]);
    }
    int64_t end = timeline->start_ms + TIMELINE_PERIODS * timeline->period_ms;
    if (time_ms < timeline->start_ms || time_ms >= end) {
        int64_t last = timeline->start_ms + timeline->used * timeline->period_ms - 1;
        cover(timeline, time_ms < timeline->start_ms ? time_ms : timeline->start_ms,
              time_ms > last ? time_ms : last);
    }
    int64_t at = (time_ms - timeline->start_ms) / timeline->period_ms;
    if (at >= 0 && at < TIMELINE_PERIODS) {
        timeline->values[at][series]++;
        timeline->used = at >= timeline->used ? (int)at + 1 : timeline->used;
    }
}
