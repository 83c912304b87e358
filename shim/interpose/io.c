#include "shim/interpose/io.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "shim/interpose/wait.h"

ssize_t
io_total(const struct iovec *iov, int count)
{
    size_t total = 0;
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > (size_t)SSIZE_MAX - total) {
            return -EINVAL;
        }
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

/* A copy of iov without its first `done` bytes. Returns how many entries it has. */
static int
rest_of(const struct iovec *iov, int count, size_t done, struct iovec rest[IOV_MAX])
{
    int first = 0;
    while (first < count && done >= iov[first].iov_len) {
        done -= iov[first++].iov_len;
    }
    memcpy(rest, iov + first, (size_t)(count - first) * sizeof(*rest));
    if (first < count) {
        rest[0].iov_base = (char *)rest[0].iov_base + done;
        rest[0].iov_len -= done;
    }
    return count - first;
}

/* One read that waits for its first byte. */
static ssize_t
read_some(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    for (;;) {
        ssize_t result = session_read(handle, fd, iov, count, flags & MSG_PEEK);
        if (result != -EAGAIN) {
            return result;
        }
        result = wait_readable(handle, fd, flags);
        if (result < 0) {
            return result;
        }
    }
}

/* MSG_WAITALL: goes on after a short read. */
static __attribute__((noinline)) ssize_t
read_on(struct handle *handle, int fd, const struct iovec *iov, int count, size_t done,
        int flags)
{
    struct iovec rest[IOV_MAX];
    int left;
    while ((left = rest_of(iov, count, done, rest)) > 0) {
        ssize_t result = read_some(handle, fd, rest, left, flags);
        if (result <= 0) {
            break; /* told by the next call: errors of a session last */
        }
        done += (size_t)result;
    }
    return (ssize_t)done;
}

/* MSG_TRUNC on a stream: takes bytes out without giving them (tcp(7)). */
static __attribute__((noinline)) ssize_t
discard(struct handle *handle, int fd, size_t len, int flags)
{
    char scratch[16384];
    size_t done = 0;
    while (done < len) {
        size_t step = len - done < sizeof(scratch) ? len - done : sizeof(scratch);
        struct iovec iov = {scratch, step};
        bool wait = done == 0 || (flags & MSG_WAITALL) != 0;
        ssize_t result = wait ? read_some(handle, fd, &iov, 1, flags)
                              : session_read(handle, fd, &iov, 1, 0);
        if (result <= 0) {
            return done > 0 ? (ssize_t)done : result;
        }
        done += (size_t)result;
        if ((flags & MSG_PEEK) != 0) {
            break;
        }
    }
    return (ssize_t)done;
}

ssize_t
io_read(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    if ((flags & MSG_OOB) != 0) {
        return -EINVAL; /* as where no urgent data has come */
    }
    ssize_t total = io_total(iov, count);
    if (total <= 0) {
        return total;
    }
    if ((flags & MSG_TRUNC) != 0) {
        return discard(handle, fd, (size_t)total, flags);
    }
    ssize_t result = read_some(handle, fd, iov, count, flags);
    if (result > 0 && result < total &&
        (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL) {
        return read_on(handle, fd, iov, count, (size_t)result, flags);
    }
    return result;
}

/* What the kernel does for a plain socket, in the thread that wrote (signal(7)). */
static void
raise_sigpipe(int flags)
{
    if ((flags & MSG_NOSIGNAL) == 0) {
        pthread_kill(pthread_self(), SIGPIPE);
    }
}

/* Goes on after a short write, waiting in between, as far as a blocking fd would. */
static __attribute__((noinline)) ssize_t
write_on(struct handle *handle, int fd, const struct iovec *iov, int count, size_t done,
         int flags)
{
    struct iovec rest[IOV_MAX];
    struct wait_send progress = {0};
    int left;
    while ((left = rest_of(iov, count, done, rest)) > 0) {
        ssize_t result = wait_writable(handle, fd, flags, &progress);
        if (result == 0) {
            result =
                session_write(handle, fd, rest, left, (flags & MSG_MORE) | MSG_NOSIGNAL);
        } else if (result == -EAGAIN || result == -EINTR) {
            return done > 0 ? (ssize_t)done : result;
        }
        if (result < 0 && result != -EAGAIN) {
            return done > 0 ? (ssize_t)done : result;
        }
        done += result > 0 ? (size_t)result : 0;
    }
    return (ssize_t)done;
}

ssize_t
io_write(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    if ((flags & MSG_OOB) != 0) {
        return -EOPNOTSUPP; /* TLS has no urgent data */
    }
    ssize_t total = io_total(iov, count);
    if (total <= 0) {
        return total;
    }
    /* SIGPIPE is ours to raise, or the kernel would for our own records, too. */
    ssize_t result =
        session_write(handle, fd, iov, count, (flags & MSG_MORE) | MSG_NOSIGNAL);
    if (result == -EAGAIN || (result >= 0 && result < total)) {
        result = write_on(handle, fd, iov, count, result > 0 ? (size_t)result : 0, flags);
    }
    if (result == -EPIPE) {
        raise_sigpipe(flags);
    }
    return result;
}
