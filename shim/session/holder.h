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

enum { HOLDER_COUNT = 64 };

/*
 * In shared memory.  A place is empty (0), a process's (its pid), or reserved for a child
 * that a process is about to make (its own pid, negative).
 */
struct holder_set {
    _Atomic int32_t pids[HOLDER_COUNT];
    _Atomic bool overflowed; /* there were more than places: never the last one again */
};

/* Adds a process, or with -pid a child of it to come. Async-signal-safe, as all here. */
void holder_add(struct holder_set *set, int32_t pid);

bool holder_has(const struct holder_set *set, int32_t pid);

/* Gives the first place of old to new; without one, adds new. */
void holder_replace(struct holder_set *set, int32_t old, int32_t new);

/*
 * A process has got what was reserved: the first reserved place becomes its own, unless
 * it has one already; then the reserved place is empty again.
 *
 * Returns  whether it had one.
 */
bool holder_claim(struct holder_set *set, int32_t pid);

/* Takes a process out. Returns whether no living one is left. */
bool holder_leave(struct holder_set *set, int32_t pid);

#endif
