#include "shim/interpose/io.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "shim/interpose/memory.h"
#include "shim/interpose/wait.h"

ssize_t
io_total(const struct iovec *iov, int count)
{
    size_t total = 0;
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    if (count > 0 && (!memory_is_there(iov) || !memory_is_there(iov + count - 1))) {
        return -EFAULT;
    }
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > (size_t)SSIZE_MAX - total) {
            return -EINVAL;
        }
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

/* What goes on after its first bytes is taken so many pieces at a time: IOV_MAX of them
 * would not fit a stack of PTHREAD_STACK_MIN. */
enum { REST_COUNT = 32 };

/* The next pieces of iov after its first `done` bytes. Returns how many there are. */
static int
rest_of(const struct iovec *iov, int count, size_t done, struct iovec rest[REST_COUNT])
{
    int first = 0;
    while (first < count && done >= iov[first].iov_len) {
        done -= iov[first++].iov_len;
    }
    int left = count - first < REST_COUNT ? count - first : REST_COUNT;
    memcpy(rest, iov + first, (size_t)left * sizeof(*rest));
    if (left > 0) {
        rest[0].iov_base = (char *)rest[0].iov_base + done;
        rest[0].iov_len -= done;
    }
    return left;
}

/* One read that waits for its first byte. */
static ssize_t
read_some(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    struct wait_limit progress = {0};
    for (;;) {
        ssize_t result = session_read(handle, fd, iov, count, flags & MSG_PEEK);
        if (result != -EAGAIN) {
            return result;
        }
        result = (flags & IO_PARTLY) != 0 ? wait_more(handle, fd, flags, &progress)
                                          : wait_readable(handle, fd, flags);
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
    struct iovec rest[REST_COUNT];
    struct wait_limit progress = {0};
    int left;
    while ((left = rest_of(iov, count, done, rest)) > 0) {
        ssize_t result = session_read(handle, fd, rest, left, 0);
        if (result == -EAGAIN && wait_more(handle, fd, flags, &progress) == 0) {
            continue;
        }
        if (result <= 0) {
            break; /* told by the next call */
        }
        done += (size_t)result;
    }
    return (ssize_t)done;
}

/* MSG_TRUNC on a stream: takes bytes out without giving them (tcp(7)). */
static __attribute__((noinline)) ssize_t
discard(struct handle *handle, int fd, size_t len, int flags)
{
    char scratch[4096];
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

/* What recv() gives before it looks at its buffer: > 0 there is something to read. */
static __attribute__((noinline)) ssize_t
read_nothing(struct handle *handle, int fd, int flags)
{
    char byte;
    struct iovec iov = {&byte, 1};
    return read_some(handle, fd, &iov, 1, flags | MSG_PEEK);
}

/* recv() of no bytes waits as if it were for one, but nothing interrupts it with EINTR.
 */
static ssize_t
read_none(struct handle *handle, int fd, int flags)
{
    ssize_t result = read_nothing(handle, fd, flags);
    return result > 0 || result == -EINTR ? 0 : result;
}

static ssize_t
read_checked(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    if ((flags & MSG_OOB) != 0) {
        return -EINVAL; /* as where no urgent data has come */
    }
    ssize_t total = io_total(iov, count);
    if (total < 0) {
        return total;
    }
    if (total == 0) {
        return (flags & IO_FILE) != 0 ? 0 : read_none(handle, fd, flags);
    }
    if ((flags & MSG_TRUNC) != 0) {
        return discard(handle, fd, (size_t)total, flags);
    }
    if (!memory_has_iov(iov, count, false)) {
        ssize_t result = read_nothing(handle, fd, flags);
        return result > 0 ? -EFAULT : result;
    }
    ssize_t result = read_some(handle, fd, iov, count, flags);
    if (result > 0 && result < total &&
        (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL) {
        return read_on(handle, fd, iov, count, (size_t)result, flags);
    }
    return result;
}

ssize_t
io_read(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    pthread_testcancel(); /* as in every call of these; then only where we wait */
    ssize_t result = read_checked(handle, fd, iov, count, flags);
    return result < 0 ? session_tell_read(handle, result) : result;
}

void
io_raise_sigpipe(void)
{
    pthread_kill(pthread_self(), SIGPIPE);
}

/* Goes on after a short write, waiting in between, as far as a blocking fd would. */
static __attribute__((noinline)) ssize_t
write_on(struct handle *handle, int fd, const struct iovec *iov, int count, size_t done,
         int flags)
{
    struct iovec rest[REST_COUNT];
    struct wait_limit progress = {0};
    int left;
    while ((left = rest_of(iov, count, done, rest)) > 0) {
        progress.some = done > 0 || (flags & IO_PARTLY) != 0;
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

/* Why these bytes cannot be sent. */
static int
refusal(const struct iovec *iov, int count, ssize_t total, int flags)
{
    if (total > 0 && (flags & MSG_OOB) != 0) {
        return -EOPNOTSUPP; /* TLS has no urgent data */
    }
    return memory_has_iov(iov, count, true) ? 0 : -EFAULT;
}

ssize_t
io_write(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    pthread_testcancel();
    if ((flags & MSG_FASTOPEN) != 0) {
        return -EISCONN;
    }
    ssize_t total = io_total(iov, count);
    if (total < 0 || (total == 0 && (flags & IO_FILE) != 0)) {
        return total;
    }
    int refused = refusal(iov, count, total, flags);
    if (refused < 0) {
        count =
            0; /* the end of the connection is told first, whatever is to be written */
        total = 0;
    }
    /* SIGPIPE is ours to raise, or the kernel would for our own records, too. */
    ssize_t result =
        session_write(handle, fd, iov, count, (flags & MSG_MORE) | MSG_NOSIGNAL);
    if (result >= 0 && refused < 0) {
        return refused;
    }
    if (result == -EAGAIN || (result >= 0 && result < total)) {
        result = write_on(handle, fd, iov, count, result > 0 ? (size_t)result : 0, flags);
    }
    if (result < 0) {
        result = session_tell_write(handle, result);
    }
    if (result == -EPIPE && (flags & MSG_NOSIGNAL) == 0) {
        io_raise_sigpipe();
    }
    return result;
}
