/*
 * Descriptors: several may lead to one session, and none must lead around it.
 */
#ifndef SHIM_INTERPOSE_FD_H
#define SHIM_INTERPOSE_FD_H

#include "shim/session/session.h"

/*
 * Makes fd lead to a session.
 *
 * Returns  0, or -EMFILE.
 */
int fd_govern(int fd, struct handle *handle);

/*
 * Makes copy, a duplicate of the governed fd, lead to the same session; an fd that is
 * not governed is nothing to share.
 *
 * Returns  0, or -EMFILE.
 */
int fd_share(int fd, int copy);

/* The number fd is about to be closed or reused: its session ends if this was the last.
 */
void fd_leave(int fd);

#endif
