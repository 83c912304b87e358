/*
 * From an fd to its handle: one array look-up, no lock, async-signal-safe.
 */
#ifndef SHIM_SESSION_TABLE_H
#define SHIM_SESSION_TABLE_H

#include "shim/session/session.h"

#define TABLE_FD_MAX                                                                     \
    (1 << 20) /* Linux's default fs.nr_open; untouched pages cost nothing */

extern struct handle *_Atomic table_fds[TABLE_FD_MAX];

/* Takes a reference; NULL when fd is not governed, or no longer: one whose session is in
 * SESSION_PLAINTEXT leaves the table. Give it back with table_release(). */
struct handle *table_acquire_slow(int fd);

/* Whether there is anything to look up. */
static inline bool
table_has(int fd)
{
    return (unsigned)fd < TABLE_FD_MAX &&
           atomic_load_explicit(&table_fds[fd], memory_order_acquire) != NULL;
}

static inline struct handle *
table_acquire(int fd)
{
    return table_has(fd) ? table_acquire_slow(fd) : NULL;
}

/* Whether fd is governed, without taking a reference. */
bool table_governs(int fd);

/* Whether it has no keys yet, in the same way: true for a while after it has. */
bool table_shakes_hands(int fd);

void table_release(struct handle *handle);

/* Takes a further reference on one that the caller already holds. */
void table_ref(struct handle *handle);

/*
 * Enters fd for handle (which gains a reference and an fd). The caller holds a
 * reference. Returns 0, -EMFILE when fd is beyond the table.
 */
int table_add(int fd, struct handle *handle);

/*
 * Takes fd out before it is closed or reused.
 *
 * Returns  NULL: it was not governed, or other fds of this process remain; else the
 *          handle with a reference for the caller, who must call session_last_close().
 */
struct handle *table_remove(int fd);

/*
 * Begins to take fd out: until table_forget() it leads to its session, so that what other
 * threads write to it meanwhile does not get past that.
 *
 *   last  out  the handle, with a reference for the caller who must call
 *              session_last_close(), if this was its last fd; else NULL
 *
 * Returns  0; -ENOENT it is not governed; -EBADF another thread is taking it out.
 */
int table_retire(int fd, struct handle **last);

/* Takes a retired fd out; the number must not be the socket's any more. */
void table_forget(int fd);

/* Has every fd of old lead to new. The caller holds references to both. */
void table_replace(struct handle *old, struct handle *new);

/*
 * What the program wants with a governed fd at exec; for the kernel it is close-on-exec
 * whatever that is.  Wanted are those that it has said so of (F_SETFD, F_DUPFD, dup2);
 * one that was merely made without O_CLOEXEC is not: few programs care for that.
 */
enum table_exec {
    TABLE_EXEC_UNSAID,
    TABLE_EXEC_WANTED,
    TABLE_EXEC_CLOSED,
    TABLE_EXEC_RETIRED, /* is being closed */
};
void table_set_exec(int fd, enum table_exec exec);
enum table_exec table_get_exec(int fd);

/* Makes a dup of some fd of the handle that cannot be closed meanwhile; -1 = none left.
 */
int table_dup(struct handle *handle);

/* Marks an fd as ours: the program's close() and dup2() leave it alone. */
void table_own(int fd);
void table_disown(int fd);
bool table_owned(int fd);

/*
 * A TCP socket that is connected to nothing yet is marked, since another process may have
 * it, too, and connect it unseen.  One that was, where a rule does not leave it in
 * plaintext, is foreign.  A mark leads to no handle, and need not be exact: whoever
 * follows it asks the kernel.
 */
enum table_mark { TABLE_UNMARKED, TABLE_UNCONNECTED, TABLE_FOREIGN };

/* Leaves an fd alone that is governed, or ours. Async-signal-safe, as all of these. */
void table_mark(int fd, enum table_mark mark);
enum table_mark table_marked(int fd);
void table_unmark(unsigned first, unsigned last);

/* The first marked fd from this one on; -1 = there is none. */
int table_next_marked(int fd);

/* Makes a dup of ours of an fd that the caller has, as high as it goes; -1 = none left.
 */
int table_copy(int fd);

/* Moves an fd of ours as high as it goes, close-on-exec. Returns the new fd. */
int table_raise(int fd);

/* Calls visit for every governed fd.  Without a lock: another thread may close it
 * meanwhile, so that whoever needs more than the fd takes a reference with
 * table_acquire(). */
void table_each(void (*visit)(int fd, struct handle *handle, void *context),
                void *context);

void table_lock(void);
void table_unlock(void);

/* How many fds are governed now: lets poll and select skip everything when 0. */
extern _Atomic int table_count;

#endif
