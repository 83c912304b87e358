#include "shim/session/shared.h"

#include <errno.h>
#include <sys/mman.h>

void *
shared_map(size_t len, bool secret)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(memory, len, MADV_DONTDUMP);
    if (secret) {
        (void)mlock(memory, len);
    }
    return memory;
}

bool
shared_lock(pthread_mutex_t *lock)
{
    int error = pthread_mutex_lock(lock);
    if (error == EOWNERDEAD) {
        error = pthread_mutex_consistent(lock);
    }
    return error == 0;
}
