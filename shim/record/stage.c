#include "shim/record/stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

/* The library is loaded at start, so that initial-exec is possible: a load, no call. */
#define PER_THREAD static __thread __attribute__((tls_model("initial-exec")))

PER_THREAD uint8_t *mine;
PER_THREAD volatile bool busy;

static pthread_key_t key;
static bool key_made;

static void
unmap(void *stage)
{
    munmap(stage, RECORD_STAGE_LEN);
}

static void
forget(void *stage)
{
    mine = NULL;
    unmap(stage);
}

/* Before it has run (another library's constructor reads), areas are mapped each time. */
__attribute__((constructor)) static void
make_key(void)
{
    key_made = pthread_key_create(&key, forget) == 0;
}

static uint8_t *
map(void)
{
    void *stage = mmap(NULL, RECORD_STAGE_LEN, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return stage == MAP_FAILED ? NULL : stage;
}

uint8_t *
record_stage_take(void)
{
    if (busy || !key_made) {
        return map();
    }
    busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    if (mine == NULL) {
        uint8_t *stage = map();

        if (stage == NULL || pthread_setspecific(key, stage) != 0) {
            busy = false;
            return stage;
        }
        mine = stage;
    }
    return mine;
}

void
record_stage_give(uint8_t *stage)
{
    if (stage == mine) {
        atomic_signal_fence(memory_order_seq_cst);
        busy = false;
    } else if (stage != NULL) {
        unmap(stage);
    }
}
