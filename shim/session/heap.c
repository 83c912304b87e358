#include "shim/session/heap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

enum {
    LARGE = 4096, /* a piece of this length, or longer */
    PLACE_LEN = 32768,
    PLACE_COUNT = 512, /* 16 MiB of addresses, of which few are ever touched */
    /* Pieces that all began at the same offset would evict each other from the
     * processor's caches. */
    OFFSET_COUNT = 16,
    OFFSET_LEN = 256,
    ROOM = PLACE_LEN - OFFSET_COUNT * OFFSET_LEN,
};

#ifdef __SANITIZE_ADDRESS__ /* it looks at malloc() alone */
static const bool own_pages = false;
#else
static const bool own_pages = true;
#endif

static _Thread_local unsigned in_handshake __attribute__((tls_model("initial-exec")));

static uint8_t *_Atomic places; /* NULL = not mapped yet */

/*
 * Places have numbers from 1 on.  Those that were in use, and are free, are a stack: its
 * top in the low half, and in the high half a count of its changes, by which a thread
 * notices that another one was faster.
 */
static _Atomic uint64_t stack;
static _Atomic uint32_t below[PLACE_COUNT + 1]; /* each place in the stack; 0 = nothing */
static _Atomic uint32_t used;                   /* those after it never were */
static _Atomic bool written[PLACE_COUNT + 1];   /* since its pages were given back */

static uint64_t
changed(uint64_t old, uint32_t top)
{
    return ((old >> 32) + 1) << 32 | top;
}

static uint32_t
pop(void)
{
    uint64_t old = atomic_load(&stack);
    while ((uint32_t)old != 0 &&
           !atomic_compare_exchange_weak(
               &stack, &old, changed(old, atomic_load(&below[(uint32_t)old])))) {
    }
    return (uint32_t)old;
}

static void
push(uint32_t place)
{
    uint64_t old = atomic_load(&stack);
    do {
        atomic_store(&below[place], (uint32_t)old);
    } while (!atomic_compare_exchange_weak(&stack, &old, changed(old, place)));
}

/* A free place; 0 = there is none. */
static uint32_t
take(void)
{
    uint32_t place = pop();
    uint32_t old = atomic_load(&used);
    while (place == 0 && old < PLACE_COUNT) {
        if (atomic_compare_exchange_weak(&used, &old, old + 1)) {
            place = old + 1;
        }
    }
    return place;
}

/* Of a program's LeakSanitizer: what is reachable from these pages is no leak. */
extern void __lsan_register_root_region(const void *begin, size_t len)
    __attribute__((weak));

static uint8_t *
map_places(void)
{
    size_t len = (size_t)PLACE_COUNT * PLACE_LEN;
    uint8_t *others = NULL;
    uint8_t *mapped = mmap(NULL, len, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(mapped, len, MADV_NOHUGEPAGE);
    (void)madvise(mapped, len, MADV_DONTDUMP); /* there are secrets in them */
    if (!atomic_compare_exchange_strong(&places, &others, mapped)) {
        munmap(mapped, len);
        return others;
    }
    if (__lsan_register_root_region != NULL) {
        __lsan_register_root_region(mapped, len);
    }
    return mapped;
}

static uint8_t *
address(uint8_t *from, uint32_t place)
{
    return from + (size_t)(place - 1) * PLACE_LEN;
}

/* The place that memory lies in; 0 = it is of malloc(). */
static uint32_t
place_of(const void *memory)
{
    const uint8_t *from = atomic_load(&places);
    size_t at = (uintptr_t)memory - (uintptr_t)from;
    return from != NULL && at < (size_t)PLACE_COUNT * PLACE_LEN
               ? (uint32_t)(at / PLACE_LEN) + 1
               : 0;
}

void *
heap_alloc(size_t len)
{
    uint8_t *from = NULL;
    if (own_pages && len >= LARGE && len <= ROOM) {
        from = atomic_load(&places);
        from = from != NULL ? from : map_places();
    }
    uint32_t place = from != NULL ? take() : 0;
    if (place == 0) {
        return malloc(len);
    }
    atomic_store(&written[place], true);
    return address(from, place) + (size_t)(place % OFFSET_COUNT) * OFFSET_LEN;
}

void *
heap_alloc_zero(size_t len)
{
    void *memory = heap_alloc(len);
    return memory != NULL ? memset(memory, 0, len) : NULL;
}

void
heap_free(void *memory)
{
    uint32_t place = place_of(memory);
    if (place != 0) {
        push(place);
    } else {
        free(memory);
    }
}

static void *
alloc(size_t len)
{
    return in_handshake != 0 ? heap_alloc(len) : malloc(len);
}

void
heap_begin(void)
{
    in_handshake++;
}

void
heap_end(void)
{
    in_handshake--;
}

static void *
resize(void *memory, size_t len)
{
    if (place_of(memory) == 0) {
        return realloc(memory, len);
    }
    if (len <= ROOM) {
        return memory;
    }
    void *longer = malloc(len);
    if (longer != NULL) {
        memcpy(longer, memory, ROOM);
        heap_free(memory);
    }
    return longer;
}

void
heap_start(void)
{
    (void)wolfSSL_SetAllocators(alloc, heap_free, resize);
}

/* Whoever wants memory meanwhile takes what was never used, or malloc()'s. */
static void
give_back_pages(void)
{
    uint32_t taken[PLACE_COUNT];
    int count = 0;
    for (uint32_t place; count < PLACE_COUNT && (place = pop()) != 0;) {
        taken[count++] = place;
        if (atomic_exchange(&written[place], false)) {
            (void)madvise(address(atomic_load(&places), place), PLACE_LEN, MADV_DONTNEED);
        }
    }
    while (count > 0) {
        push(taken[--count]);
    }
}

void
heap_trim(void)
{
    static uint64_t seen, done; /* changes */
    uint64_t now = atomic_load(&stack) >> 32;
    if (now == seen && now != done) {
        give_back_pages();
        now = done = atomic_load(&stack) >> 32;
    }
    seen = now;
}
