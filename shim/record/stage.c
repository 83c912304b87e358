#include "shim/record/stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA_LEN (RECORD_SKEW + RECORD_STAGE_LEN)

enum {
    KEPT = 2, /* what sendfile() has read lies in one while it is sealed in the other */
    SPARE_COUNT = 16,
};

/* The library is loaded at start, so that initial-exec is possible: a load, no call. */
#define PER_THREAD static __thread __attribute__((tls_model("initial-exec")))

PER_THREAD uint8_t *mine; /* KEPT areas, one after the other */
PER_THREAD volatile unsigned taken;

static pthread_key_t key;
static bool key_made;

/* Areas of threads that have ended, for those to come: a server may have a thread for
 * each connection, and mapping, faulting in and unmapping cost it more than a small
 * request. */
static _Atomic(uint8_t *) spare[SPARE_COUNT];

static uint8_t *
take_spare(void)
{
    uint8_t *areas = NULL;

    for (unsigned i = 0; i < SPARE_COUNT && areas == NULL; i++) {
        if (atomic_load_explicit(&spare[i], memory_order_relaxed) != NULL) {
            areas = atomic_exchange(&spare[i], NULL);
        }
    }
    return areas;
}

static bool
keep_spare(uint8_t *areas)
{
    bool kept = false;

    for (unsigned i = 0; i < SPARE_COUNT && !kept; i++) {
        uint8_t *none = NULL;

        kept = atomic_compare_exchange_strong(&spare[i], &none, areas);
    }
    return kept;
}

/* One page stays; nothing that was in them does. */
static bool
clear(uint8_t *areas)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    memset(areas, 0, page);
    return madvise(areas + page, (size_t)KEPT * AREA_LEN - page, MADV_DONTNEED) == 0;
}

static void
forget(void *areas)
{
    mine = NULL;
    if (!clear(areas) || !keep_spare(areas)) {
        munmap(areas, (size_t)KEPT * AREA_LEN);
    }
}

/* Before it has run (another library's constructor reads), areas are mapped each time. */
__attribute__((constructor)) static void
make_key(void)
{
    key_made = pthread_key_create(&key, forget) == 0;
}

static uint8_t *
map(unsigned count)
{
    void *areas = mmap(NULL, (size_t)count * AREA_LEN, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return areas == MAP_FAILED ? NULL : areas;
}

/* Whether this thread has its areas, now at least. */
static bool
have_mine(void)
{
    if (mine == NULL && key_made) {
        uint8_t *areas = take_spare();

        if (areas == NULL) {
            areas = map(KEPT);
        }
        if (areas != NULL && pthread_setspecific(key, areas) != 0) {
            munmap(areas, (size_t)KEPT * AREA_LEN);
            areas = NULL;
        }
        mine = areas;
    }
    return mine != NULL;
}

/* The stage of this thread at that level. */
static uint8_t *
at_level(unsigned level)
{
    return mine + (size_t)level * AREA_LEN + RECORD_SKEW;
}

uint8_t *
record_stage_take(void)
{
    unsigned level = taken;
    uint8_t *area;

    taken = level + 1;
    atomic_signal_fence(memory_order_seq_cst);
    /* Who interrupts the very first one may be in the middle of making them. */
    if (level < KEPT && (mine != NULL || (level == 0 && have_mine()))) {
        return at_level(level);
    }
    area = map(1);
    if (area == NULL) {
        taken = level;
        return NULL;
    }
    return area + RECORD_SKEW;
}

void
record_stage_give(uint8_t *stage)
{
    if (stage == NULL) {
        return;
    }
    if (mine == NULL || stage < mine || stage >= mine + (size_t)KEPT * AREA_LEN) {
        munmap(stage - RECORD_SKEW, AREA_LEN);
    }
    atomic_signal_fence(memory_order_seq_cst);
    taken--;
}

uint8_t *
record_stage_taken_at(uintptr_t address)
{
    for (unsigned level = 0; mine != NULL && level < KEPT && level < taken; level++) {
        if (address == (uintptr_t)at_level(level)) {
            return at_level(level);
        }
    }
    return NULL;
}
