/*
 * The datagram socket of a log daemon on this machine, which may be restarted.
 */
#ifndef SHIM_SESSION_AUDIT_SOCKET_H
#define SHIM_SESSION_AUDIT_SOCKET_H

#include <sys/uio.h>

#include "shim/session/audit.h"

/* Returns an fd, also where the daemon is just being restarted; -errno. */
int audit_socket_open(const char *path, const struct audit_io *io);

/*
 * Sends one datagram, never waiting; connects again, at most once a second, where the
 * daemon has a new socket.
 *
 * Returns  whether it got through.
 * Safe     threads; after fork in the child; allocates nothing; changes errno.
 */
bool audit_socket_send(int fd, struct iovec *parts, size_t count);

#endif
