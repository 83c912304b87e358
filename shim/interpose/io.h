/*
 * Reading and writing of governed sockets in the manner of recvmsg(2) and sendmsg(2).
 */
#ifndef SHIM_INTERPOSE_IO_H
#define SHIM_INTERPOSE_IO_H

#include "shim/session/session.h"

/* read(2), readv(2) and writev(2), but not write(2), have nothing to do with nothing;
 * recv(2) of no bytes waits. No flag that the kernel knows. */
#define IO_FILE 0x01000000

/* The call has moved something already: a signal ends it, whatever its handler's flags.
 */
#define IO_PARTLY 0x00800000

/*
 * Reads as recvmsg() does, blocking if the fd is.
 *
 *   flags  in  MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC, IO_FILE and IO_PARTLY
 *             are honoured
 *
 * Returns  the count; 0 at the end of stream; -errno, among them -EINVAL for MSG_OOB.
 */
ssize_t io_read(struct handle *handle, int fd, const struct iovec *iov, int count,
                int flags);

/*
 * Writes as sendmsg() does: a blocking fd takes all of it.  Raises SIGPIPE for -EPIPE
 * unless flags has MSG_NOSIGNAL.
 *
 *   flags  in  MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, IO_FILE and IO_PARTLY are
 *             honoured
 *
 * Returns  the count; -errno, among them -EOPNOTSUPP for MSG_OOB.
 */
ssize_t io_write(struct handle *handle, int fd, const struct iovec *iov, int count,
                 int flags);

/* What the kernel does to a thread that writes where nobody reads: signal(7). */
void io_raise_sigpipe(void);

/* The bytes of an iovec. Returns -EINVAL where readv() would. */
ssize_t io_total(const struct iovec *iov, int count);

#endif
