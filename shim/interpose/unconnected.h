/*
 * TCP sockets that are connected to nothing yet.  Another process may have one, too (by
 * fork, exec or SCM_RIGHTS), and connect it unseen: what is written here would then go
 * out past the session that the other one has.  So they are marked from the beginning,
 * and calls that move data on a marked one ask the kernel first.
 */
#ifndef SHIM_INTERPOSE_UNCONNECTED_H
#define SHIM_INTERPOSE_UNCONNECTED_H

#include "shim/session/table.h"

/* fd was just made by socket() with these arguments. */
void unconnected_made(int fd, int family, int type, int protocol);

/*
 * fd has come from elsewhere: marks it if it is such a socket, or was one when the
 * program before this one told of it (unconnected_tell()) and has been connected since.
 */
void unconnected_look(int fd);

/*
 * Writes what a program that is started now must know: it may have been given such
 * sockets, and somebody may connect them before it first looks.
 *
 *   line  out  "NAME=value" for its environment
 *
 * Returns  the length of the line; 0 = there is nothing to tell.
 * Safe     async-signal-safe, keeps errno.
 */
#define UNCONNECTED_NAME "MTLS_SHIM_UNCONNECTED"
enum { UNCONNECTED_LINE_LEN = 512 };
size_t unconnected_tell(char line[UNCONNECTED_LINE_LEN]);

/* fd is such a socket again, since a connect() has failed or was dissolved. */
void unconnected_again(int fd);

/* Whether this process has had a TCP socket: else nothing that it copies is one. */
bool unconnected_had_tcp(void);

/* table_acquire() for calls that move data: see unconnected_acquire(). */
struct handle *unconnected_acquire_slow(int fd);

/*
 * The handle that fd leads to, with a reference; for a marked one a stand-in that has
 * every call fail, as it would on plain TCP or with EACCES.
 *
 * Returns  NULL: the call is the kernel's.
 * Safe     as the call itself; a blocking fd whose connection another process is making
 *          is waited for.
 */
static inline struct handle *
unconnected_acquire(int fd)
{
    return table_has(fd) ? unconnected_acquire_slow(fd) : NULL;
}

#endif
