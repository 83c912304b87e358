/* The writing calls of libc on a governed fd. */
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"
#include "shim/interpose/memory.h"
#include "shim/interpose/passing.h"
#include "shim/interpose/unconnected.h"

#include <limits.h>

ssize_t
governed_write(struct handle *handle, int fd, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};
    return io_write(handle, fd, &iov, 1, 0);
}

/* Which writes 8 bytes to whatever it is, without asking: eventfd(3). */
int
governed_eventfd_write(struct handle *handle, int fd, eventfd_t value)
{
    ssize_t result = governed_write(handle, fd, &value, sizeof(value));
    return result == sizeof(value) ? 0 : result < 0 ? (int)result : -EIO;
}

ssize_t
governed_writev(struct handle *handle, int fd, const struct iovec *iov, int count)
{
    return io_write(handle, fd, iov, count, IO_FILE);
}

ssize_t
governed_pwritev2(struct handle *handle, int fd, const struct iovec *iov, int count,
                  off_t offset, int flags)
{
    if (offset != -1) {
        return -ESPIPE;
    }
    return io_write(handle, fd, iov, count,
                    IO_FILE | ((flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0));
}

ssize_t
governed_send(struct handle *handle, int fd, const void *buf, size_t len, int flags)
{
    struct iovec iov = {(void *)buf, len};
    return io_write(handle, fd, &iov, 1, flags);
}

static ssize_t
governed_sendmsg(struct handle *handle, int fd, const struct msghdr *msg, int flags)
{
    if (!memory_is_there(msg)) {
        return -EFAULT;
    }
    if ((size_t)msg->msg_iovlen > IOV_MAX) {
        return -EMSGSIZE;
    }
    return io_write(handle, fd, msg->msg_iov, (int)msg->msg_iovlen, flags);
}

/* With MSG_FASTOPEN sending is what connects. */
static struct handle *
acquire(int fd, int flags)
{
    return (flags & MSG_FASTOPEN) != 0 ? table_acquire(fd) : unconnected_acquire(fd);
}

INTERPOSE ssize_t
sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG address,
       socklen_t address_len)
{
    real_need();
    GOVERNED_SCOPE *handle = acquire(fd, flags);
    if (handle != NULL) {
        int errno_before = errno;
        return real_way_out(governed_send(handle, fd, buf, len, flags), errno_before);
    }
    if ((flags & MSG_FASTOPEN) != 0 && !govern_allows_fastopen(fd)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return real.sendto(fd, buf, len, flags, address, address_len);
}

/* sendmsg() on an fd that is not governed. */
static ssize_t
send_plain(int fd, const struct msghdr *msg, int flags)
{
    if ((flags & MSG_FASTOPEN) != 0 && !govern_allows_fastopen(fd)) {
        return -EOPNOTSUPP;
    }
    if (memory_is_there(msg) && msg->msg_controllen != 0 && passing_is_needed(msg)) {
        return passing_send(fd, msg, flags);
    }
    ssize_t result = real.sendmsg(fd, msg, flags);
    return result < 0 ? -errno : result;
}

INTERPOSE ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
    real_need();
    GOVERNED_SCOPE *handle = acquire(fd, flags);
    int errno_before = errno;
    return real_way_out(handle != NULL ? governed_sendmsg(handle, fd, msg, flags)
                                       : send_plain(fd, msg, flags),
                        errno_before);
}

/* Whether the kernel may have all the messages at once. */
static bool
are_harmless(const struct mmsghdr *msgs, unsigned count, int flags)
{
    bool harmless = (flags & MSG_FASTOPEN) == 0;
    for (unsigned i = 0; i < count && harmless; i++) {
        harmless = !memory_is_there(&msgs[i]) || msgs[i].msg_hdr.msg_controllen == 0 ||
                   !passing_is_needed(&msgs[i].msg_hdr);
    }
    return harmless;
}

static int
send_each(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    GOVERNED_SCOPE *handle = acquire(fd, flags);
    if (handle == NULL && are_harmless(msgs, count, flags)) {
        return real.sendmmsg(fd, msgs, count, (LIBC_MMSG_FLAGS)flags);
    }
    int errno_before = errno;
    unsigned done = 0;
    ssize_t result = 0;
    while (done < count && result >= 0) {
        if (!memory_is_there(&msgs[done])) {
            result = -EFAULT;
        } else if (handle != NULL) {
            result = governed_sendmsg(handle, fd, &msgs[done].msg_hdr,
                                      flags | (done > 0 ? IO_PARTLY : 0));
        } else {
            result = send_plain(fd, &msgs[done].msg_hdr, flags);
        }
        if (result >= 0) {
            msgs[done++].msg_len = (unsigned)result;
        }
    }
    return (int)real_way_out(done > 0 ? (ssize_t)done : result, errno_before);
}

INTERPOSE int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, LIBC_MMSG_FLAGS flags)
{
    real_need();
    return send_each(fd, msgs, count, (int)flags);
}
