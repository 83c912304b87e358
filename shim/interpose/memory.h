/*
 * Whether memory that the program names is there.  The kernel gives EFAULT for what is
 * not; we copy ourselves, and would take the program down with a SIGSEGV.
 */
#ifndef SHIM_INTERPOSE_MEMORY_H
#define SHIM_INTERPOSE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { MEMORY_PAGE_BITS = 12, MEMORY_KNOWN_COUNT = 64 };

/* Pages that were there when this thread last asked: asking anew would be a system call
 * per call.  Inverted, so that 0 stands for no page.  Memory that was used and is
 * unmapped since is taken to be there. */
extern __thread uintptr_t memory_known[MEMORY_KNOWN_COUNT]
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

bool memory_ask(uintptr_t page);

/* Whether the byte at this address can be read.  Async-signal-safe, keeps errno. */
static inline bool
memory_is_there(const void *address)
{
    uintptr_t page = (uintptr_t)address >> MEMORY_PAGE_BITS;
    return memory_known[page % MEMORY_KNOWN_COUNT] == ~page || memory_ask(page);
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
