/*
 * Memory for sessions: slabs of MAP_SHARED pages, so that a fork shares what is live
 * without moving it.  After a fork both processes take new sessions from new slabs:
 * neither ever sees a session that was made in the other later.
 */
#ifndef SHIM_SESSION_POOL_H
#define SHIM_SESSION_POOL_H

#include "shim/session/session.h"

/* A zeroed session with its handle (refs = 1), or NULL (ENOMEM). */
struct handle *pool_take(void);

/* Gives a handle back; the session's memory is kept when another process holds it. */
void pool_give(struct handle *handle);

/* Around fork, with the pool locked by pool_lock(). */
void pool_lock(void);
void pool_unlock(void);
void pool_seal(void);

/* Calls visit for every handle in use; the pool must be locked or the process alone. */
void pool_each(void (*visit)(struct handle *handle, void *context), void *context);

#endif
