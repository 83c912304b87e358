/*
 * Input and output that others do for the program, later: libc's threads, the kernel.
 */
#ifndef SHIM_INTERPOSE_AIO_H
#define SHIM_INTERPOSE_AIO_H

#include <stdbool.h>

/* Whether it would go around a session, or one that is yet to be. */
bool aio_may_not_be(int fd);

#endif
