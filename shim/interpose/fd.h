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

/*
 * Makes the duplicates that a socket had before it was governed lead to its session.
 *
 * Returns  0, or -EMFILE.
 */
int fd_govern_copies(int fd);

/*
 * The number fd is about to be closed or reused: its session ends if this was the last. A
 * governed one leads to nothing afterwards, until it is closed.
 *
 * Returns  0, also when it is not governed; -EBADF another thread is closing it.
 */
int fd_leave(int fd);

/*
 * What is written to fd from now on goes nowhere, past us, too: the number is not the
 * socket's any more.  For a process that is about to be ended.
 */
void fd_mute(int fd);

/* Once, before anything is governed. */
void fd_init(void);

#endif
