/* sendfile(2) and splice(2): data that would go around the program's buffers, and us. */
#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "shim/interpose/memory.h"
#include "shim/interpose/unconnected.h"
#include "shim/interpose/wait.h"
#include "shim/record/stage.h"

#define SENDFILE_MAX 0x7ffff000 /* sendfile(2), notes */

/* What is wrong with the file that is to be sent, as the kernel puts it. */
static int
source_error(int in, const off64_t *offset, int error)
{
    int mode = real.fcntl(in, F_GETFL);
    if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY) {
        return -EBADF;
    }
    return offset == NULL && error == ESPIPE ? -EINVAL : -error;
}

/* The first len bytes of iov. Returns of how many pieces. */
static int
first_of(struct iovec *iov, int count, size_t len)
{
    int kept = 0;
    for (; kept < count && len > 0; kept++) {
        iov[kept].iov_len = iov[kept].iov_len < len ? iov[kept].iov_len : len;
        len -= iov[kept].iov_len;
    }
    return kept;
}

/* Copies len bytes from a place in a file, which is that of offset or of the file itself
 * (NULL), to the socket. Returns how many. */
static ssize_t
copy(struct handle *handle, int fd, int in, const off64_t *offset, off64_t start,
     size_t len)
{
    uint8_t *stage = record_stage_take();
    size_t done = 0;
    ssize_t result = 0;
    if (stage == NULL) {
        return -ENOMEM;
    }
    while (done < len || len == 0) {
        struct iovec iov[RECORD_BATCH_COUNT];
        int count = session_layout(handle, stage, len - done, iov);
        ssize_t got = preadv64(in, iov, count, start + (off64_t)done);
        if (got <= 0) {
            result = got == 0 ? 0 : source_error(in, offset, errno);
            break;
        }
        int flags =
            (done + (size_t)got < len ? MSG_MORE : 0) | (done > 0 ? IO_PARTLY : 0);
        result = io_write(handle, fd, iov, first_of(iov, count, (size_t)got), flags);
        done += result > 0 ? (size_t)result : 0;
        if (result < got) {
            break;
        }
    }
    record_stage_give(stage);
    return done > 0 ? (ssize_t)done : result;
}

/* Where sendfile() begins, -errno: without a system call when the program has said so. */
static off64_t
start_of(int in, const off64_t *offset)
{
    off64_t start = offset != NULL ? *offset : lseek64(in, 0, SEEK_CUR);
    if (start >= 0) {
        return start;
    }
    bool seeks = offset != NULL && lseek64(in, 0, SEEK_CUR) >= 0;
    return source_error(in, offset, seeks ? EINVAL : errno);
}

static ssize_t
send_file(struct handle *handle, int fd, int in, off64_t *offset, size_t len)
{
    if (offset != NULL && !memory_is_there(offset)) {
        return -EFAULT;
    }
    off64_t start = start_of(in, offset);
    if (start < 0) {
        return start;
    }
    len = len < SENDFILE_MAX ? len : SENDFILE_MAX;
    ssize_t result = copy(handle, fd, in, offset, start, len);
    if (result > 0 && offset != NULL) {
        *offset = start + result;
    } else if (result > 0 && lseek64(in, start + result, SEEK_SET) < 0) {
        return -errno;
    }
    return result;
}

/* ---- splice
 * ------------------------------------------------------------------------------ */

static bool
is_pipe(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode);
}

/* Returns 0 when fd is ready within the time (-1 = for ever); -EAGAIN; -EINTR. */
static int
wait_for_pipe(int fd, short events, int timeout_ms, short *got)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    int ready = real.poll(&wanted, 1, timeout_ms);
    *got = wanted.revents;
    return ready < 0 ? -errno : ready == 0 ? -EAGAIN : 0;
}

/*
 * The next bytes of a pipe, at most len.
 *
 *   wait  in  whether to wait for them
 *
 * Returns  the count, 0 = nobody writes any more, -errno.
 */
static ssize_t
take_from_pipe(int in, uint8_t *buf, size_t len, bool wait)
{
    short got;
    int result = wait_for_pipe(in, POLLIN, wait ? -1 : 0, &got);
    if (result < 0) {
        return result;
    }
    if ((got & POLLNVAL) != 0) {
        return -EBADF;
    }
    ssize_t n = real.read(in, buf, len);
    return n < 0 ? -errno : n;
}

/* Writes what has been taken out of the pipe, and cannot be put back: it does wait. */
static ssize_t
write_taken(struct handle *sink, int out, const uint8_t *buf, size_t len, int flags)
{
    size_t done = 0;
    while (done < len) {
        short got;
        struct iovec iov = {(void *)(uintptr_t)(buf + done), len - done};
        ssize_t n = io_write(sink, out, &iov, 1, flags);
        if (n < 0 && n != -EAGAIN && n != -EINTR) {
            return n;
        }
        if (n < 0) {
            (void)wait_for_pipe(out, POLLOUT, -1, &got);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

/* Waits until the socket takes something. Returns how much at most, or -errno. */
static ssize_t
wait_for_room(struct handle *sink, int out, struct wait_limit *progress)
{
    for (;;) {
        /* Nothing is written, but an end of the connection is told. */
        ssize_t result = io_write(sink, out, NULL, 0, 0);
        size_t room = result == 0 ? session_room(sink, out) : 0;
        if (result < 0 || room > 0) {
            return result < 0 ? result : (ssize_t)room;
        }
        result = wait_writable(sink, out, 0, progress);
        if (result < 0) {
            return result;
        }
    }
}

static ssize_t
splice_to_socket(struct handle *sink, int in, int out, size_t len, unsigned flags)
{
    uint8_t *stage = record_stage_take();
    bool waits =
        (flags & SPLICE_F_NONBLOCK) == 0 && (real.fcntl(in, F_GETFL) & O_NONBLOCK) == 0;
    struct wait_limit progress = {0};
    size_t done = 0;
    ssize_t result = stage == NULL ? -ENOMEM : 1;
    while (result > 0 && done < len) {
        progress.some = done > 0;
        result = wait_for_room(sink, out, &progress);
        if (result <= 0) {
            break;
        }
        size_t step = len - done < (size_t)result ? len - done : (size_t)result;
        result = take_from_pipe(in, stage, step, waits && done == 0);
        if (result > 0) {
            result = write_taken(sink, out, stage, (size_t)result,
                                 (flags & SPLICE_F_MORE) != 0 ? MSG_MORE : 0);
        }
        done += result > 0 ? (size_t)result : 0;
    }
    record_stage_give(stage);
    return done > 0 ? (ssize_t)done : result;
}

/* How much can be written to a pipe that has room, without waiting. */
static size_t
room_of_pipe(int out)
{
    int used = 1;
    int size = real.fcntl(out, F_GETPIPE_SZ);
    bool empty = size > 0 && real.ioctl(out, FIONREAD, &used) == 0 && used == 0;
    size_t room = empty ? (size_t)size : PIPE_BUF; /* POLLOUT: pipe(7) */
    return room < RECORD_BATCH_PLAINTEXT_MAX ? room : RECORD_BATCH_PLAINTEXT_MAX;
}

/* Returns 0 when the pipe takes something; -EAGAIN, -EINTR, -EPIPE after its signal. */
static int
wait_for_space(int out, bool wait)
{
    short got;
    int result = wait_for_pipe(out, POLLOUT, wait ? -1 : 0, &got);
    if (result < 0 || (got & POLLERR) == 0) {
        return result;
    }
    io_raise_sigpipe();
    return -EPIPE;
}

static ssize_t
splice_to_pipe(struct handle *source, int in, int out, size_t len, unsigned flags)
{
    uint8_t *stage = record_stage_take();
    bool waits =
        (flags & SPLICE_F_NONBLOCK) == 0 && (real.fcntl(out, F_GETFL) & O_NONBLOCK) == 0;
    size_t done = 0;
    ssize_t result = stage == NULL ? -ENOMEM : 1;
    while (result > 0 && done < len) {
        result = wait_for_space(out, waits && done == 0);
        if (result < 0) {
            break;
        }
        size_t room = room_of_pipe(out);
        struct iovec iov = {stage, len - done < room ? len - done : room};
        /* SPLICE_F_NONBLOCK is the pipe's affair: splice(2). */
        result = io_read(source, in, &iov, 1, done == 0 ? 0 : MSG_DONTWAIT);
        if (result > 0 && real.write(out, stage, (size_t)result) < result) {
            result =
                -EPIPE; /* the pipe's reader has gone meanwhile, and with it the use */
        }
        done += result > 0 ? (size_t)result : 0;
    }
    record_stage_give(stage);
    return done > 0 ? (ssize_t)done : result;
}

#define SPLICE_ALL (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

/* In the kernel's order. Returns 0 or -errno. */
static int
check_splice(int in, const off64_t *in_offset, int out, const off64_t *out_offset,
             unsigned flags)
{
    if ((flags & ~(unsigned)SPLICE_ALL) != 0) {
        return -EINVAL;
    }
    int in_flags = real.fcntl(in, F_GETFL);
    int out_flags = in_flags < 0 ? -1 : real.fcntl(out, F_GETFL);
    if (in_flags < 0 || out_flags < 0 || (in_flags & O_ACCMODE) == O_WRONLY ||
        (out_flags & O_ACCMODE) == O_RDONLY) {
        return -EBADF;
    }
    bool from_pipe = is_pipe(in);
    if (!from_pipe && !is_pipe(out)) {
        return -EINVAL;
    }
    if ((from_pipe ? in_offset : out_offset) != NULL) {
        return -ESPIPE;
    }
    return in_offset != NULL || out_offset != NULL ? -EINVAL : 0; /* of the socket */
}

INTERPOSE ssize_t
splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len,
       unsigned flags)
{
    real_need();
    GOVERNED_SCOPE *source = unconnected_acquire(in);
    GOVERNED_SCOPE *sink = unconnected_acquire(out);
    if ((source == NULL && sink == NULL) || len == 0) {
        return real.splice(in, in_offset, out, out_offset, len, flags);
    }
    int errno_before = errno;
    len = len < SENDFILE_MAX ? len : SENDFILE_MAX;
    ssize_t result = check_splice(in, in_offset, out, out_offset, flags);
    if (result == 0) {
        result = sink != NULL ? splice_to_socket(sink, in, out, len, flags)
                              : splice_to_pipe(source, in, out, len, flags);
    }
    return real_way_out(result, errno_before);
}

INTERPOSE ssize_t
sendfile(int fd, int in, off_t *offset, size_t len)
{
    real_need();
    GOVERNED_SCOPE *source = unconnected_acquire(in);
    GOVERNED_SCOPE *sink = unconnected_acquire(fd);
    if (source == NULL && sink == NULL) {
        return real.sendfile(fd, in, offset, len);
    }
    int errno_before = errno;
    ssize_t result = -EINVAL; /* as from one socket to another */
    if (source == NULL) {
        result = send_file(sink, fd, in, offset, len);
    } else if (offset != NULL) {
        result = -ESPIPE;
    } else if (sink == NULL && is_pipe(fd)) {
        result = splice_to_pipe(source, in, fd, len, 0);
    }
    return real_way_out(result, errno_before);
}

_Static_assert(sizeof(off_t) == sizeof(off64_t), "64-bit only");
INTERPOSE_ALIAS(sendfile64, sendfile);
