/*
 * Memory for sessions: slabs of shared pages, so that a fork shares what is live without
 * moving it.  After a fork both processes take new sessions from new slabs: neither ever
 * sees a session that was made in the other later.
 *
 * The first sessions of a process get a slab each, a memfd that a program which is
 * exec'ed can take over (exec.c): it holds nobody else's keys.  The rest share slabs of
 * anonymous memory, which cost no descriptor.
 */
#ifndef SHIM_SESSION_POOL_H
#define SHIM_SESSION_POOL_H

#include "shim/session/session.h"

#define POOL_MEMFD_NAME "mtls-shim-session"

/* A zeroed session with its handle (refs = 1), or NULL (ENOMEM). */
struct handle *pool_take(void);

/* The same, with a slab of its own whatever that costs. */
struct handle *pool_take_alone(void);

/*
 * Gives a handle back.
 *
 *   wipe  in  no other process holds the session: its memory can be given back, too
 */
void pool_give(struct handle *handle, bool wipe);

/* Gives back the memory that sessions have left for the next ones: there are none now. */
void pool_trim(void);

/* The memfd that holds this session and no other; -1 = it has none. */
int pool_memfd(const struct handle *handle);

/*
 * Maps the session that another program image left in a memfd.
 *
 *   memfd  in  taken over: closed when the session is given back
 *
 * Returns  its handle (refs = 1); NULL when the memfd is none of ours, of another
 *          version of the library, or of another user: still the caller's then.
 */
struct handle *pool_adopt(int memfd);

/* Whether a process of our effective user may map what is in a memfd. */
bool pool_may_share(int memfd);

/* Whether a memfd holds a session of this version of the library, whoever made it. */
bool pool_is_session(int memfd);

/* Where a memfd's buffers begin. */
size_t pool_buffers_at(void);

/* The session's buffers, RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN + SESSION_EARLY_LEN
 * bytes in that order. */
uint8_t *pool_buffers(const struct handle *handle);

#define POOL_BUFFERS_LEN (RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN + SESSION_EARLY_LEN)

/* Around fork, with the pool locked by pool_lock(). */
void pool_lock(void);
void pool_unlock(void);
void pool_seal(void);

/* In a child: forgets the handles without references, which only its parent uses. */
void pool_forget_unused(void);

/* Calls visit for every handle in use; the pool must be locked or the process alone. */
void pool_each(void (*visit)(struct handle *handle, void *context), void *context);

#endif
