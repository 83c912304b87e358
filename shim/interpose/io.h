/*
 * Reading and writing of governed sockets in the manner of recvmsg(2) and sendmsg(2).
 */
#ifndef SHIM_INTERPOSE_IO_H
#define SHIM_INTERPOSE_IO_H

#include "shim/session/session.h"

/*
 * Reads as recvmsg() does, blocking if the fd is.
 *
 *   flags  in  MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT and MSG_TRUNC are honoured
 *
 * Returns  the count; 0 at the end of stream; -errno, among them -EINVAL for MSG_OOB.
 */
ssize_t io_read(struct handle *handle, int fd, const struct iovec *iov, int count,
                int flags);

/*
 * Writes as sendmsg() does: a blocking fd takes all of it.  Raises SIGPIPE for -EPIPE
 * unless flags has MSG_NOSIGNAL.
 *
 * Returns  the count; -errno, among them -EOPNOTSUPP for MSG_OOB.
 */
ssize_t io_write(struct handle *handle, int fd, const struct iovec *iov, int count,
                 int flags);

/* The bytes of an iovec. Returns -EINVAL where readv() would. */
ssize_t io_total(const struct iovec *iov, int count);

#endif
