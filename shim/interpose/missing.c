#include "shim/interpose/missing.h"

#include <signal.h>
#include <sys/syscall.h>

enum { SIGNALS_LEN = 8 }; /* the kernel's sigset_t, in bytes */

static ssize_t
call_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return real.syscall(SYS_preadv2, fd, iov, count, offset, 0L, flags);
}

static ssize_t
call_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return real.syscall(SYS_pwritev2, fd, iov, count, offset, 0L, flags);
}

static int
call_close_range(unsigned first, unsigned last, int flags)
{
    return (int)real.syscall(SYS_close_range, first, last, flags);
}

static int
call_execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
    return (int)real.syscall(SYS_execveat, dir, path, argv, env, flags);
}

static int
call_epoll_pwait2(int epfd, struct epoll_event *events, int count,
                  const struct timespec *timeout, const sigset_t *mask)
{
    return (int)real.syscall(SYS_epoll_pwait2, epfd, events, count, timeout, mask,
                             (long)SIGNALS_LEN);
}

#define FILL(name)                                                                       \
    if (found->name == NULL) {                                                           \
        found->name = call_##name;                                                       \
    }

void
missing_fill(struct real *found)
{
    FILL(preadv2)
    FILL(pwritev2)
    FILL(close_range)
    FILL(execveat)
    FILL(epoll_pwait2)
}
