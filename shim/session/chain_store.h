/*
 * The chains of clients that were given tickets: for whichever process of a server gets
 * the ticket back, in memory that it shares with those it was forked with. Bounded: the
 * one that nobody asked for the longest makes room, and its owner shows it once more.
 */
#ifndef SHIM_SESSION_CHAIN_STORE_H
#define SHIM_SESSION_CHAIN_STORE_H

#include <stdbool.h>

#include "shim/session/chain.h"

#define CHAIN_STORE_COUNT 512
#define CHAIN_STORE_FLAT_MAX 8192u /* bytes of one chain; a longer one is not kept */

/* Makes the shared memory, before the first fork. Returns 0 or -errno; 0 when called
 * again. */
int chain_store_init(void);

/* Keeps a chain that has verified. Returns whether it is there. Threads, processes. */
bool chain_store_put(const struct chain *chain);

/*
 * Finds a chain.
 *
 *   id  in  chain_id()
 *
 * Returns  a reference, given back by chain_unref(); NULL: not there any more.
 * Safe     threads and processes; allocates.
 */
struct chain *chain_store_get(const uint8_t id[CHAIN_ID_LEN]);

#endif
