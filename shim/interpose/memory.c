#include "shim/interpose/memory.h"

#include <errno.h>
#include <sys/syscall.h>

#include "shim/interpose/real.h"

_Atomic uint32_t memory_known[MEMORY_KNOWN_COUNT];

/*
 * A system call that reads eight bytes and then refuses: sigprocmask(2) takes the set
 * before it looks at how it is to be used.  NULL is no set to it.
 */
bool
memory_ask(uintptr_t page)
{
    const int no_such_way = -1;
    int errno_before = errno;
    bool there = page != 0 &&
                 (real.syscall(SYS_rt_sigprocmask, no_such_way, page << MEMORY_PAGE_BITS,
                               NULL, sizeof(uint64_t)) == 0 ||
                  errno != EFAULT);
    errno = errno_before;
    if (there) {
        uint32_t block_1;
        _Atomic uint32_t *place = memory_place(page, &block_1);
        atomic_store_explicit(place, block_1, memory_order_relaxed);
    }
    return there;
}
