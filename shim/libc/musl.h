/* Of libc.h: musl's side, and declarations that its headers lack. */
#ifndef SHIM_LIBC_MUSL_H
#define SHIM_LIBC_MUSL_H

#include <aio.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CALLS_OF_LIBC "shim/interpose/calls_musl.def"

#define INTERPOSE_GLIBC_ALIAS(name, target) _Static_assert(1, "glibc has it")
#define INTERPOSE_MUSL_ALIAS(name, target) INTERPOSE_ALIAS(name, target)

/* The library has them for programs of before musl 1.2.4; the headers as macros. */
#undef aio_read64
#undef aio_write64
#undef freopen64
#undef lio_listio64
#undef sendfile64

#define __SOCKADDR_ARG struct sockaddr *restrict
#define __CONST_SOCKADDR_ARG const struct sockaddr *
#define SOCKADDR_OF(argument) (argument)
#define SOCKADDR_ARGUMENT(address) ((struct sockaddr *)(address))
#define SOCKADDR_CONST_ARGUMENT(address) ((const struct sockaddr *)(address))

/* It has no such kind, and its lock lets those go first who come to read. */
#define LIBC_RWLOCK_WRITER_FIRST PTHREAD_RWLOCK_INITIALIZER

#define LIBC_MUTEX_IS_FREE(mutex) ((mutex)->__u.__vi[1] == 0)

#define LIBC_IOCTL_REQUEST int
#define LIBC_MMSG_FLAGS unsigned
#define LIBC_MSG_COUNT int
#define LIBC_MSG_LEN socklen_t
#define LIBC_LIO_JOBS struct aiocb *restrict const *restrict jobs

#define LIBC_SESSION_MARK 1

/* Newer versions have some of these. */
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
int epoll_pwait2(int epfd, struct epoll_event *events, int count,
                 const struct timespec *timeout, const sigset_t *mask);
int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags);

/* What glibc has under these names: words for an error, never NULL. */
#define strerrordesc_np strerror

#endif
