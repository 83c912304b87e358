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
lio_listio(int mode, struct aiocb *const jobs[], int count, struct sigevent *event)
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

/* Two names for one struct where off_t has 64 bits, which is all that we build for. */
_Static_assert(sizeof(struct aiocb) == sizeof(struct aiocb64), "64-bit only");

INTERPOSE int
aio_read64(struct aiocb64 *job)
{
    return aio_read((struct aiocb *)job);
}

INTERPOSE int
aio_write64(struct aiocb64 *job)
{
    return aio_write((struct aiocb *)job);
}

INTERPOSE int
lio_listio64(int mode, struct aiocb64 *const jobs[], int count, struct sigevent *event)
{
    return lio_listio(mode, (struct aiocb *const *)jobs, count, event);
}
