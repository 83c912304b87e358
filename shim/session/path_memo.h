/*
 * Which chains were found to be in order, so that a peer that comes again is not verified
 * from the anchor down each time: signatures do not change, only dates pass.
 *
 * A memo belongs to one set of anchors and ends with it. It knows nothing of revocation,
 * nor of what the rule says of the peer: that is judged at each handshake, and so is that
 * the peer has the key (CertificateVerify).
 */
#ifndef SHIM_SESSION_PATH_MEMO_H
#define SHIM_SESSION_PATH_MEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/session/chain.h"

#define PATH_MEMO_COUNT 128
#define PATH_MEMO_WORDS (CHAIN_ID_LEN / 8 + 4) /* id, from, to, is_server, path */

/* A place is written by one thread at a time, and read without waiting. */
struct path_memo_place {
    _Atomic uint32_t turn; /* odd while it is written */
    _Atomic uint64_t words[PATH_MEMO_WORDS];
};

/* All zero = empty. */
struct path_memo {
    struct path_memo_place places[PATH_MEMO_COUNT];
};

/*
 * Keeps that a chain was verified; whatever had its place is forgotten.
 *
 *   id         in  chain_id()
 *   is_server  in  for whom
 *   path       in  that was found
 *   from_s, to_s  in  when all certificates of the path are valid, both included
 *
 * Safe     threads, without a lock.
 */
void path_memo_keep(struct path_memo *memo, const uint8_t id[CHAIN_ID_LEN],
                    bool is_server, const struct chain_path *path, int64_t from_s,
                    int64_t to_s);

/* Whether it was kept, for the same purpose, and no date has passed at now_s; then path
 * is the one that was kept. */
bool path_memo_has(struct path_memo *memo, const uint8_t id[CHAIN_ID_LEN], bool is_server,
                   int64_t now_s, struct chain_path *path);

#endif
