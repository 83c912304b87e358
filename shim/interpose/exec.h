/*
 * What has to be done to connections before another program takes this one's place.
 */
#ifndef SHIM_INTERPOSE_EXEC_H
#define SHIM_INTERPOSE_EXEC_H

#include <limits.h>
#include <stdbool.h>

/*
 * Makes the session of a governed fd ready for another program: waits for its handshake,
 * within handshake_timeout, and gives it memory that can be passed on.
 *
 * Returns  the memfd; -EPIPE the connection has failed, or is in plaintext: the socket
 *          may go without;
 *          -EACCES it cannot go.
 */
int exec_portable(int fd);

/* Whether the shim can be loaded into a program, and sessions given to it, which have the
 * locks of our own C library; tells the audit log when not. A program that is not there
 * is none of our business: true. */
bool exec_is_loadable(const char *file, char *const env[]);

/*
 * For a child that libc starts by itself, with all that this process has for it: readies
 * what goes along (fds 0 to 2, and what the program has said so of), and lends it.
 *
 *   file     in   the program; env its environment, to see whether the shim comes with it
 *   library  out  PATH_MAX bytes, for environment_keep(): the library that it is given
 *
 * Returns  1 something is lent, exec_take_back() has to follow; 0 there is nothing to
 *          lend; -EACCES it cannot go, or there is no library for it: no child may be
 *          started.
 */
int exec_lend(const char *file, char *const env[], char library[PATH_MAX]);

/* After the child was started, or was not: ours are close-on-exec again. */
void exec_take_back(bool started);

#endif
