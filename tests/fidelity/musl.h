/* For a build of the scenarios with musl: what its headers lack. Included before all
 * others, by tests/container/musl_fidelity.py. */
#ifndef TESTS_FIDELITY_MUSL_H
#define TESTS_FIDELITY_MUSL_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RWF_NOWAIT 0x00000008

static inline ssize_t
musl_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return syscall(SYS_preadv2, fd, iov, count, offset, 0L, flags);
}

static inline ssize_t
musl_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return syscall(SYS_pwritev2, fd, iov, count, offset, 0L, flags);
}

static inline int
musl_epoll_pwait2(int epfd, struct epoll_event *events, int count,
                  const struct timespec *timeout, const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait2, epfd, events, count, timeout, mask, 8L);
}

static inline int
musl_close_range(unsigned first, unsigned last, int flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}
#define epoll_pwait2 musl_epoll_pwait2
#define close_range musl_close_range
#define closefrom(first) (void)musl_close_range((unsigned)(first), ~0U, 0)
#define preadv2 musl_preadv2
#define pwritev2 musl_pwritev2

/* What glibc's headers make of calls with buffers of known size. */
#define __read_chk musl_read_chk
#define __recv_chk musl_recv_chk
#define __recvfrom_chk musl_recvfrom_chk
__attribute__((unused)) static ssize_t
musl_read_chk(int fd, void *buf, size_t len, size_t size)
{
    return len > size ? -1 : read(fd, buf, len);
}

__attribute__((unused)) static ssize_t
musl_recv_chk(int fd, void *buf, size_t len, size_t size, int flags)
{
    return len > size ? -1 : recv(fd, buf, len, flags);
}

__attribute__((unused)) static ssize_t
musl_recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
                  struct sockaddr *address, socklen_t *address_len)
{
    return len > size ? -1 : recvfrom(fd, buf, len, flags, address, address_len);
}

#define ERROR_NAMES(X)                                                                   \
    X(EACCES)                                                                            \
    X(EADDRINUSE)                                                                        \
    X(EADDRNOTAVAIL)                                                                     \
    X(EAFNOSUPPORT)                                                                      \
    X(EAGAIN)                                                                            \
    X(EALREADY)                                                                          \
    X(EBADF)                                                                             \
    X(EBADMSG)                                                                           \
    X(EBUSY)                                                                             \
    X(ECANCELED)                                                                         \
    X(ECONNABORTED)                                                                      \
    X(ECONNREFUSED)                                                                      \
    X(ECONNRESET)                                                                        \
    X(EDEADLK)                                                                           \
    X(EDESTADDRREQ)                                                                      \
    X(EDOM)                                                                              \
    X(EEXIST)                                                                            \
    X(EFAULT)                                                                            \
    X(EFBIG)                                                                             \
    X(EHOSTUNREACH)                                                                      \
    X(EINPROGRESS)                                                                       \
    X(EINTR)                                                                             \
    X(EINVAL)                                                                            \
    X(EIO)                                                                               \
    X(EISCONN)                                                                           \
    X(EISDIR)                                                                            \
    X(ELOOP)                                                                             \
    X(EMFILE)                                                                            \
    X(EMSGSIZE)                                                                          \
    X(ENAMETOOLONG)                                                                      \
    X(ENETUNREACH)                                                                       \
    X(ENFILE)                                                                            \
    X(ENOBUFS)                                                                           \
    X(ENODEV)                                                                            \
    X(ENOENT)                                                                            \
    X(ENOMEM)                                                                            \
    X(ENOPROTOOPT)                                                                       \
    X(ENOSPC)                                                                            \
    X(ENOSYS)                                                                            \
    X(ENOTCONN)                                                                          \
    X(ENOTSOCK)                                                                          \
    X(EOPNOTSUPP)                                                                        \
    X(ENOTTY)                                                                            \
    X(ENXIO)                                                                             \
    X(EOVERFLOW)                                                                         \
    X(EPERM)                                                                             \
    X(EPIPE)                                                                             \
    X(EPROTO) X(EPROTONOSUPPORT) X(ERANGE) X(EROFS) X(ESPIPE) X(ESRCH) X(ETIMEDOUT)

static inline const char *
strerrorname_np(int error)
{
#define ERROR_NAME(name)                                                                 \
    if (error == name) {                                                                 \
        return #name;                                                                    \
    }
    ERROR_NAMES(ERROR_NAME)
    return error == 0 ? "0" : strerror(error);
}

#endif
