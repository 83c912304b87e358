/* Counting what one process carries: see struct record_count. */
#ifndef SHIM_RECORD_COUNT_H
#define SHIM_RECORD_COUNT_H

#include "shim/record/record.h"

/* The direction's lock keeps other writers away, so that no locked instruction is needed.
 */
static inline void
record_count_add(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

static inline void
record_count_bytes(struct record_count *_Atomic *where, uint64_t bytes)
{
    struct record_count *count = atomic_load_explicit(where, memory_order_relaxed);
    if (count != NULL) {
        record_count_add(&count->bytes, bytes);
    }
}

static inline void
record_count_record(struct record_count *_Atomic *where)
{
    struct record_count *count = atomic_load_explicit(where, memory_order_relaxed);
    if (count != NULL) {
        record_count_add(&count->records, 1);
    }
}

#endif
