#include "shim/session/audit_rate.h"

#include <stdatomic.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define BURST_SECONDS 10

static const bool is_limited[AUDIT_EVENTS] = {
    [AUDIT_HANDSHAKE_FAILED] = true, [AUDIT_DENIED] = true,  [AUDIT_PLAINTEXT] = true,
    [AUDIT_OBSERVED] = true,         [AUDIT_WARNING] = true,
};

/*
 * A bucket is one number: when it will be full again, were nothing to be taken any more.
 * Each line puts that off by its share of a second.
 */
static struct {
    _Atomic int64_t full_ns; /* CLOCK_MONOTONIC */
    _Atomic uint64_t suppressed;
} buckets[AUDIT_EVENTS];

static int64_t share_ns; /* 0 = no limit */

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

void
audit_rate_set(int64_t per_second)
{
    share_ns = per_second > 0 ? SECOND_NS / per_second : 0;
    for (int i = 0; i < AUDIT_EVENTS; i++) {
        atomic_store(&buckets[i].full_ns, 0);
    }
    audit_rate_forget();
}

bool
audit_rate_take(enum audit_event event)
{
    if (!is_limited[event] || share_ns == 0) {
        return true;
    }
    int64_t now = now_ns();
    int64_t full = atomic_load(&buckets[event].full_ns);
    int64_t next;
    do {
        next = (full > now ? full : now) + share_ns;
        if (next > now + BURST_SECONDS * SECOND_NS) {
            atomic_fetch_add(&buckets[event].suppressed, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&buckets[event].full_ns, &full, next));
    return true;
}

uint64_t
audit_rate_suppressed(enum audit_event event)
{
    return atomic_load_explicit(&buckets[event].suppressed, memory_order_relaxed) > 0
               ? atomic_exchange(&buckets[event].suppressed, 0)
               : 0;
}

void
audit_rate_give_back(enum audit_event event, uint64_t count)
{
    atomic_fetch_add(&buckets[event].suppressed, count);
}

/* While lines keep coming the bucket stays as good as empty. */
bool
audit_rate_is_calm(enum audit_event event)
{
    return atomic_load(&buckets[event].suppressed) > 0 &&
           atomic_load(&buckets[event].full_ns) <
               now_ns() + (BURST_SECONDS - 1) * SECOND_NS;
}

void
audit_rate_forget(void)
{
    for (int i = 0; i < AUDIT_EVENTS; i++) {
        atomic_store(&buckets[i].suppressed, 0);
    }
}
