/* Of libc.h: glibc's side. */
#ifndef SHIM_LIBC_GLIBC_H
#define SHIM_LIBC_GLIBC_H

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

/* The rows of calls.def that are this libc's alone. */
#define CALLS_OF_LIBC "shim/interpose/calls_glibc.def"

/* A second name that only this libc has for a function (real.h). */
#define INTERPOSE_GLIBC_ALIAS(name, target) INTERPOSE_ALIAS(name, target)
#define INTERPOSE_MUSL_ALIAS(name, target) _Static_assert(1, "musl has it")

/* Its headers have addresses of sockets in a transparent union. */
#define SOCKADDR_OF(argument) ((argument).__sockaddr__)
#define SOCKADDR_ARGUMENT(address) ((__SOCKADDR_ARG){.__sockaddr__ = (address)})
#define SOCKADDR_CONST_ARGUMENT(address)                                                 \
    ((__CONST_SOCKADDR_ARG){.__sockaddr__ = (address)})

/* A lock where who writes goes before those who come to read. */
#define LIBC_RWLOCK_WRITER_FIRST PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP

/* Whether nobody has the mutex, of a copy that is not a mutex any more. */
#define LIBC_MUTEX_IS_FREE(mutex) ((mutex)->__data.__lock == 0)

/* Types that it has for parameters and members. */
#define LIBC_IOCTL_REQUEST unsigned long
#define LIBC_MMSG_FLAGS int
#define LIBC_MSG_COUNT size_t /* msg_iovlen */
#define LIBC_MSG_LEN size_t   /* msg_controllen, cmsg_len */
#define LIBC_LIO_JOBS struct aiocb *const jobs[]

/* In the head of a session's memory: its locks are this libc's. */
#define LIBC_SESSION_MARK 0

#endif
