/*
 * Whether a peer is let in: the one place that decides, whoever asks, the handshake for
 * a new connection or the session for an open one.
 */
#ifndef SHIM_SESSION_JUDGE_H
#define SHIM_SESSION_JUDGE_H

#include "shim/session/chain.h"
#include "shim/session/generation.h"
#include "shim/session/session.h"

/*
 * Judges certificates: a path from a trust anchor (path.h), revocation of each, then of
 * the leaf its usage, its name, deny and allow.
 *
 *   session  in   its role, the name and the address that were dialled
 *   ruling   in   identity, verify, peer_name, allow, deny
 *   chain    in   as the peer sent it; CAs in trust were looked at when they were loaded
 *            out  the same with the path first, which alone was judged: chain_order().
 *                 A reference; the one that was there is given back.
 *   path     out  where it was in what the peer sent
 *   peer     out  filled in whatever the verdict is
 *   failure  out  reason and words; untouched when let in
 *
 * Returns  0 let in; -EACCES refused by deny or allow; -EPROTO for anything else.
 * Safe     threads; may write a warning to the log.
 */
int judge_chain(const struct session *session, const struct ruling *ruling,
                struct chain **chain, struct chain_path *path, struct peer *peer,
                struct failure *failure);

/*
 * The same but for the path, of certificates that today's anchors are known to vouch for.
 */
int judge_vouched(const struct session *session, const struct ruling *ruling,
                  const struct chain *chain, struct peer *peer, struct failure *failure);

/*
 * Whether a trust anchor of today still vouches for certificates that were verified some
 * time ago; their dates do not matter.
 *
 *   chain  in/out  as judge_chain(): anchors of today may find another path
 *
 * Returns  0; -EPROTO with reason and words.
 * Safe     threads, within session_fork_enter(); allocates.
 */
int judge_trust(const struct session *session, const struct ruling *ruling,
                struct chain **chain, struct failure *failure);

/* Whether each on the path is valid at a time, in seconds since the epoch. As above. */
int judge_dates(const struct chain *chain, int64_t now, struct failure *failure);

#endif
