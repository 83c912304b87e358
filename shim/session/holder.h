/*
 * Which processes hold a session: the last one to close it says goodbye.
 *
 * A process that was killed holds nothing any more, so they are counted by who is alive.
 */
#ifndef SHIM_SESSION_HOLDER_H
#define SHIM_SESSION_HOLDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HOLDER_COUNT = 62 };

/*
 * In shared memory.  A place is empty (0), a process's (its id), or reserved for a child
 * that a process is about to make (its own id, negative).
 */
struct holder_set {
    _Atomic int64_t ids[HOLDER_COUNT];
    _Atomic bool overflowed; /* there were more than places: never the last one again */
};

/*
 * An id for a pid of the caller's own PID namespace: two of them may have one pid for two
 * processes (pid_namespaces(7)).  Never 0, and never negative.
 */
int64_t holder_id(int32_t pid);

/*
 * To be called in a child that was made by fork or clone.
 *
 *   parent  in  holder_id() of its parent
 */
void holder_forked(int64_t parent);

/* Whether a process is alive; one of another namespace, which we cannot see, is. */
bool holder_is_alive(int64_t id);

/* Adds a process, or with -id a child of it to come. Async-signal-safe, as all here. */
void holder_add(struct holder_set *set, int64_t id);

bool holder_has(const struct holder_set *set, int64_t id);

/* Gives the first place of old to new; without one, adds new. */
void holder_replace(struct holder_set *set, int64_t old, int64_t new);

/*
 * A process has got what was reserved: the first reserved place becomes its own, unless
 * it has one already; then the reserved place is empty again.
 *
 * Returns  whether it had one.
 */
bool holder_claim(struct holder_set *set, int64_t id);

/* Takes a process out. Returns whether no living one is left. */
bool holder_leave(struct holder_set *set, int64_t id);

#endif
