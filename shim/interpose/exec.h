/*
 * What has to be done to connections before another program takes this one's place.
 */
#ifndef SHIM_INTERPOSE_EXEC_H
#define SHIM_INTERPOSE_EXEC_H

#include <stdbool.h>

/*
 * Makes the session of a governed fd ready for another program: waits for its handshake,
 * within handshake_timeout, and gives it memory that can be passed on.
 *
 * Returns  the memfd; -EPIPE the connection has failed: the socket may go without;
 *          -EACCES it cannot go.
 */
int exec_portable(int fd);

/* Whether the shim can be loaded into a program; tells the audit log when not. A program
 * that is not there is none of our business: true. */
bool exec_is_loadable(const char *file, char *const env[]);

#endif
