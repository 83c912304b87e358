/*
 * The certificates that a peer has shown: what it is judged by at the handshake, and
 * again while the connection is open. Connections of the same peer share one copy.
 */
#ifndef SHIM_SESSION_CHAIN_H
#define SHIM_SESSION_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "config/der.h"

#define CHAIN_COUNT_MAX 10    /* certificates; wolfSSL takes no more */
#define CHAIN_FLAT_MAX 32768u /* bytes of the flat form */
#define CHAIN_ID_LEN 32

/* Immutable and counted; of this process alone, a forked child has copies. */
struct chain;

/* Positions in a chain: the peer's certificate, then each one that vouches for the one
 * before it. */
struct chain_path {
    uint8_t at[CHAIN_COUNT_MAX];
    int count; /* 0 = not known */
};

/*
 * Finds or makes the chain of these certificates.
 *
 *   certificates  in  DER, leaf first; copied
 *   count         in  1 to CHAIN_COUNT_MAX
 *
 * Returns  a reference, given back by chain_unref(); NULL: too many, too long, no memory.
 * Safe     threads; allocates.
 */
struct chain *chain_intern(const struct der_span *certificates, int count);

/* The same from the flat form; NULL also where that is malformed. */
struct chain *chain_parse(const uint8_t *flat, size_t len);

/*
 * The same certificates, with those of a path first, in its order. The others are kept,
 * since other trust anchors may find another path, but nobody is judged by them: who has
 * shown them has no say about what they hold, and would be asked about them at a place of
 * the peer's choice.
 *
 *   path  in  positions in this chain, from 0 on
 *
 * Returns  a reference; NULL: no memory.
 */
struct chain *chain_order(const struct chain *chain, const struct chain_path *path);

struct chain *chain_ref(struct chain *chain);
void chain_unref(struct chain *chain); /* NULL does nothing */

int chain_count(const struct chain *chain);
/* How many of them are on the path, the first ones; all, before a path is known. */
int chain_path_count(const struct chain *chain);
struct der_span chain_at(const struct chain *chain, int i); /* 0 is the leaf */

/* The first second, since the epoch, in which one on the path is not valid any more. */
int64_t chain_end(const struct chain *chain);

/* The flat form, for memory that other processes read: how many are on the path in one
 * byte; each certificate behind its length in 3 bytes, as in TLS (RFC 8446 section
 * 4.4.2). Lives as long as the chain. */
struct der_span chain_flat(const struct chain *chain);

/* SHA-256 of the flat form, CHAIN_ID_LEN bytes. */
const uint8_t *chain_id(const struct chain *chain);

/* Around fork: the child must not find the lock held by a thread that stayed behind. */
void chain_fork_prepare(void);
void chain_fork_done(void); /* in parent and child */

#endif
