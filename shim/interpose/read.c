/* The reading calls of libc on a governed fd. */
#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"
#include "shim/interpose/memory.h"
#include "shim/interpose/passing.h"
#include "shim/interpose/ready.h"
#include "shim/interpose/unconnected.h"

#include <limits.h>

ssize_t
governed_read(struct handle *handle, int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    return io_read(handle, fd, &iov, 1, IO_FILE);
}

int
governed_eventfd_read(struct handle *handle, int fd, eventfd_t *value)
{
    ssize_t result = governed_read(handle, fd, value, sizeof(*value));
    return result == sizeof(*value) ? 0 : result < 0 ? (int)result : -EIO;
}

ssize_t
governed_readv(struct handle *handle, int fd, const struct iovec *iov, int count)
{
    return io_read(handle, fd, iov, count, IO_FILE);
}

ssize_t
governed_preadv2(struct handle *handle, int fd, const struct iovec *iov, int count,
                 off_t offset, int flags)
{
    if (offset != -1) {
        return -ESPIPE;
    }
    return io_read(handle, fd, iov, count,
                   IO_FILE | ((flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0));
}

ssize_t
governed_recv(struct handle *handle, int fd, void *buf, size_t len, int flags)
{
    if ((flags & MSG_ERRQUEUE) != 0) {
        return real.recv(fd, buf, len, flags) < 0 ? -errno : 0;
    }
    struct iovec iov = {buf, len};
    return io_read(handle, fd, &iov, 1, flags);
}

ssize_t
governed_recvfrom(struct handle *handle, int fd, void *buf, size_t len, int flags,
                  __SOCKADDR_ARG address, socklen_t *address_len)
{
    ssize_t result = governed_recv(handle, fd, buf, len, flags);
    /* A stream socket names nobody. */
    if (result >= 0 && SOCKADDR_OF(address) != NULL) {
        if (!memory_is_there(address_len)) {
            return -EFAULT;
        }
        *address_len = 0;
    }
    return result;
}

static ssize_t
governed_recvmsg(struct handle *handle, int fd, struct msghdr *msg, int flags)
{
    if ((flags & MSG_ERRQUEUE) != 0) {
        return real.recvmsg(fd, msg, flags) < 0 ? -errno : 0;
    }
    if (!memory_is_there(msg)) {
        return -EFAULT;
    }
    if ((size_t)msg->msg_iovlen > IOV_MAX) {
        return -EMSGSIZE;
    }
    ssize_t result = io_read(handle, fd, msg->msg_iov, (int)msg->msg_iovlen, flags);
    if (result >= 0) {
        msg->msg_namelen = 0;
        msg->msg_controllen = 0;
        msg->msg_flags = 0;
    }
    return result;
}

static int
governed_recvmmsg(struct handle *handle, int fd, struct mmsghdr *msgs, unsigned count,
                  int flags, struct timespec *timeout)
{
    if (timeout != NULL && !memory_is_there(timeout)) {
        return -EFAULT;
    }
    if (!ready_is_valid(timeout)) {
        return -EINVAL;
    }
    int64_t until_ms = timeout == NULL ? INT64_MAX
                                       : session_now_ms() + timeout->tv_sec * 1000 +
                                             timeout->tv_nsec / 1000000;
    unsigned done = 0;
    while (done < count) {
        ssize_t result = !memory_is_there(&msgs[done])
                             ? -EFAULT
                             : governed_recvmsg(handle, fd, &msgs[done].msg_hdr,
                                                (flags & ~MSG_WAITFORONE) |
                                                    (done > 0 ? IO_PARTLY : 0));
        if (result < 0) {
            return done > 0 ? (int)done : (int)result;
        }
        msgs[done++].msg_len = (unsigned)result;
        if ((flags & MSG_WAITFORONE) != 0) {
            flags |= MSG_DONTWAIT;
        }
        if (result == 0 || session_now_ms() >= until_ms) {
            break;
        }
    }
    return (int)done;
}

INTERPOSE ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
    real_need();
    GOVERNED_SCOPE *handle = unconnected_acquire(fd);
    int errno_before = errno;
    if (handle != NULL) {
        return real_way_out(governed_recvmsg(handle, fd, msg, flags), errno_before);
    }
    if (!memory_is_there(msg) || msg->msg_control == NULL ||
        msg->msg_controllen < CMSG_LEN(sizeof(int))) {
        return real.recvmsg(fd, msg, flags);
    }
    return real_way_out(passing_receive(fd, msg, flags), errno_before);
}

INTERPOSE int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, LIBC_MMSG_FLAGS flags,
         struct timespec *timeout)
{
    real_need();
    GOVERNED_SCOPE *handle = unconnected_acquire(fd);
    int errno_before = errno;
    if (handle != NULL) {
        return (int)real_way_out(
            governed_recvmmsg(handle, fd, msgs, count, (int)flags, timeout),
            errno_before);
    }
    int result = real.recvmmsg(fd, msgs, count, flags, timeout);
    for (int i = 0; i < result; i++) {
        if (msgs[i].msg_hdr.msg_control != NULL) {
            passing_unpack(&msgs[i].msg_hdr, (int)flags);
        }
    }
    return result;
}
