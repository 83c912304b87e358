/*
 * Memory that a process has in common with all that it forks, beside the sessions' own
 * (pool.h), and locks in it.
 */
#ifndef SHIM_SESSION_SHARED_H
#define SHIM_SESSION_SHARED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Maps zeroed memory that never goes into a core file; pages cost nothing until used.
 *
 *   secret  in  it had better not be swapped out, either
 *
 * Returns  the memory, never to be unmapped; NULL.
 */
void *shared_map(size_t len, bool secret);

/*
 * Takes a lock that record_lock_init() has made; its last holder may have died. What it
 * guards must be such that half a change is found out by whoever reads it.
 *
 * Returns  whether it is held now.
 */
bool shared_lock(pthread_mutex_t *lock);

#endif
