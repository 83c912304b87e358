/*
 * Passing a governed connection to another process with SCM_RIGHTS (unix(7)).
 *
 * In the place of the socket a stand-in goes, an empty memfd: all that a process without
 * the shim gets to use.  The socket and its session's memfd follow at the end of the
 * message, where the shim on the other side finds them and puts things right.
 */
#ifndef SHIM_INTERPOSE_PASSING_H
#define SHIM_INTERPOSE_PASSING_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether the message carries a governed fd. */
bool passing_is_needed(const struct msghdr *msg);

/* sendmsg() for such a message. Returns the count or -errno; -EACCES: it cannot go. */
ssize_t passing_send(int fd, const struct msghdr *msg, int flags);

/* recvmsg() on an fd that is not governed, with room for fds. Returns the count or
 * -errno. */
ssize_t passing_receive(int fd, struct msghdr *msg, int flags);

/* Puts right what has come already (recvmmsg); flags as for recvmsg(). */
void passing_unpack(struct msghdr *msg, int flags);

#endif
