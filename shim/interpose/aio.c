/*
 * aio(7): libc has threads of its own read and write, behind our back.  What cannot be
 * protected is refused.
 */
#include "shim/interpose/aio.h"

#include <aio.h>

#include "shim/interpose/governed.h"

/* Marked ones (unconnected.h) cannot be watched until libc's thread gets to them. */
bool
aio_may_not_be(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd); /* in plaintext by now: none */
    return handle != NULL || table_marked(fd) != TABLE_UNMARKED;
}

INTERPOSE int
aio_read(struct aiocb *job)
{
    real_need();
    if (aio_may_not_be(job->aio_fildes)) {
        errno = ENOSYS;
        return -1;
    }
    return real.aio_read(job);
}

INTERPOSE int
aio_write(struct aiocb *job)
{
    real_need();
    if (aio_may_not_be(job->aio_fildes)) {
        errno = ENOSYS;
        return -1;
    }
    return real.aio_write(job);
}

INTERPOSE int
lio_listio(int mode, LIBC_LIO_JOBS, int count, struct sigevent *event)
{
    real_need();
    for (int i = 0; i < count; i++) {
        if (jobs[i] != NULL && jobs[i]->aio_lio_opcode != LIO_NOP &&
            aio_may_not_be(jobs[i]->aio_fildes)) {
            errno = ENOSYS;
            return -1;
        }
    }
    return real.lio_listio(mode, jobs, count, event);
}

INTERPOSE_MUSL_ALIAS(aio_read64, aio_read);
INTERPOSE_MUSL_ALIAS(aio_write64, aio_write);
INTERPOSE_MUSL_ALIAS(lio_listio64, lio_listio);
