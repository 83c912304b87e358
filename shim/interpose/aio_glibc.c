/* The same functions by the names that glibc has for 64-bit offsets. */
#include "shim/interpose/real.h"

#include <aio.h>

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
