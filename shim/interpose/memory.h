/*
 * Whether memory that the program names is there.  The kernel gives EFAULT for what is
 * not; we copy ourselves, and would take the program down with a SIGSEGV.
 */
#ifndef SHIM_INTERPOSE_MEMORY_H
#define SHIM_INTERPOSE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    MEMORY_PAGE_BITS = 12,
    MEMORY_BLOCK_BITS = 14, /* pages that lie side by side have their places so */
    MEMORY_KNOWN_COUNT = 1 << MEMORY_BLOCK_BITS,
};

/* Pages that were there when somebody last asked: asking anew would be a system call per
 * call, and a server reads into as many buffers as it has clients.  In each place the
 * block of the page, plus one: 0 stands for none.  Memory that was used and is unmapped
 * since is taken to be there. */
extern _Atomic uint32_t memory_known[MEMORY_KNOWN_COUNT]
    __attribute__((visibility("hidden")));

bool memory_ask(uintptr_t page);

/* Blocks are scattered: threads have their memory at like places in blocks of their own.
 */
static inline _Atomic uint32_t *
memory_place(uintptr_t page, uint32_t *block_1)
{
    const uint32_t scatter = 0x9e3779b1; /* 2^32 / golden ratio: Knuth, TAOCP 6.4 */
    uint32_t block = (uint32_t)(page >> MEMORY_BLOCK_BITS);
    *block_1 = block + 1;
    return &memory_known[(page + (block * scatter >> (32 - MEMORY_BLOCK_BITS))) %
                         MEMORY_KNOWN_COUNT];
}

/* Whether the byte at this address can be read.  Async-signal-safe, keeps errno. */
static inline bool
memory_is_there(const void *address)
{
    uintptr_t page = (uintptr_t)address >> MEMORY_PAGE_BITS;
    uint32_t block_1;
    const _Atomic uint32_t *place = memory_place(page, &block_1);
    return atomic_load_explicit(place, memory_order_relaxed) == block_1 ||
           memory_ask(page);
}

/*
 * Looks at the first byte of each piece, and at the last one too when all of it is going
 * to be read: of a buffer to be filled the program may have promised more than there is,
 * which does no harm as long as less comes.
 */
static inline bool
memory_has_iov(const struct iovec *iov, int count, bool to_its_end)
{
    for (int i = 0; i < count; i++) {
        const char *first = iov[i].iov_base;
        if (iov[i].iov_len > 0 &&
            (!memory_is_there(first) ||
             (to_its_end && !memory_is_there(first + iov[i].iov_len - 1)))) {
            return false;
        }
    }
    return true;
}

#endif
