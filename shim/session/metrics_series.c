#include "shim/session/metrics_series.h"

#include <stdbool.h>
#include <string.h>

#include "shim/session/metrics_file.h"

const int64_t metrics_series_bounds_us[METRICS_BUCKET_COUNT] = {
    500,    1000,   2500,   5000,    10000,   25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

void
metrics_series_copy_text(char *to, const char *from, size_t size)
{
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

void
metrics_series_begin(struct metrics_live *live)
{
    atomic_fetch_add(&live->begun, 1);
}

void
metrics_series_end(struct metrics_live *live)
{
    atomic_fetch_add(&live->ended, 1);
}

static struct metrics_series *
find(struct metrics_live *live, enum metrics_direction direction, const char *rule)
{
    uint32_t end = atomic_load_explicit(&live->series_end, memory_order_acquire);
    for (uint32_t i = 0; i < end; i++) {
        struct metrics_series *series = &live->series[i];
        if (atomic_load_explicit(&series->is_set, memory_order_acquire) &&
            series->direction == direction &&
            strncmp(series->rule, rule, sizeof(series->rule) - 1) == 0) {
            return series;
        }
    }
    return NULL;
}

/* The next place; the last two are left, unless it is for one of those. */
static struct metrics_series *
take(struct metrics_live *live, bool is_other)
{
    uint32_t end = atomic_load(&live->series_end);
    uint32_t limit = is_other ? METRICS_SERIES_MAX : METRICS_SERIES_MAX - METRICS_PROCESS;
    do {
        if (end >= limit) {
            return NULL;
        }
        /* Room first: whoever reads up to the end must not find the file shorter. */
        if (!metrics_file_reserve(live, &live->series[end], sizeof(live->series[end]))) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&live->series_end, &end, end + 1));
    return &live->series[end];
}

static struct metrics_series *
make(struct metrics_live *live, enum metrics_direction direction, const char *rule,
     bool is_other)
{
    struct metrics_series *series = take(live, is_other);
    if (series != NULL) {
        series->direction = direction;
        metrics_series_copy_text(series->rule, rule, sizeof(series->rule));
        atomic_store_explicit(&series->is_set, 1, memory_order_release);
    }
    return series;
}

struct metrics_series *
metrics_series(struct metrics_live *live, enum metrics_direction direction,
               const char *rule)
{
    static const char other[] = "(other)";
    struct metrics_series *series = find(live, direction, rule);
    if (series == NULL) {
        series = make(live, direction, rule, false);
    }
    if (series == NULL) {
        series = find(live, direction, other);
    }
    return series != NULL ? series : make(live, direction, other, true);
}

void
metrics_series_make_process(struct metrics_live *live)
{
    struct metrics_series *series = &live->series[0]; /* room for it came with the file */
    if (!atomic_load(&series->is_set)) {
        series->direction = METRICS_PROCESS;
        atomic_store(&series->is_set, 1);
        atomic_store(&live->series_end, 1);
    }
}

struct metrics_series *
metrics_series_of_process(struct metrics_live *live)
{
    return &live->series[0];
}

void
metrics_series_add_counts(struct metrics_series *series, const struct record_count *in,
                          const struct record_count *out)
{
    metrics_series_add(series, METRICS_BYTES_IN, atomic_load(&in->bytes));
    metrics_series_add(series, METRICS_BYTES_OUT, atomic_load(&out->bytes));
    metrics_series_add(series, METRICS_RECORDS_IN, atomic_load(&in->records));
    metrics_series_add(series, METRICS_RECORDS_OUT, atomic_load(&out->records));
}
