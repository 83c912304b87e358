/*
 * What OCSP says of the certificates of a chain, and what the policy makes of it: without
 * ever waiting. What is not known is asked for in the background, and kept.
 */
#ifndef SHIM_SESSION_OCSP_H
#define SHIM_SESSION_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/material.h"
#include "config/policy.h"
#include "shim/session/chain.h"
#include "shim/session/generation.h"
#include "shim/session/reason.h"

/* Who wants to know: an identity, and what its files held. */
struct ocsp_asker {
    const struct policy_identity *identity;
    const struct material *material;
};
struct ocsp_asker ocsp_asker(const struct ruling *ruling);

struct ocsp_peer {
    const struct chain *chain; /* its path verified */
    bool is_client;            /* which cannot staple */
    bool has_stapled;          /* a good answer for its own certificate */
    bool is_late;              /* nothing is waited for any more */
};

/*
 * Judges a peer by answers that were stapled or fetched.  Every certificate of the path
 * counts, but for trust anchors; nobody is asked about others, nor told where to ask.
 *
 *   failure  out  reason and words; untouched otherwise
 *
 * Returns  0 let in; -EAGAIN an answer is still awaited: call again; -EPROTO refused.
 * Safe     threads; may write a warning to the log.
 */
int ocsp_judge(const struct ocsp_asker *asker, const struct ocsp_peer *peer,
               struct failure *failure);

/*
 * Judges a response that the peer has stapled; it counts from then on as one that was
 * fetched.
 *
 *   i  in  the place of its certificate in the chain
 *
 * Returns  0 it is good; -EPROTO: RFC 6066, section 8, wants that to end the handshake.
 */
int ocsp_take_staple(const struct ocsp_asker *asker, const struct chain *chain, int i,
                     const uint8_t *response, size_t len, struct failure *failure);

/*
 * Whether all that ocsp_judge() would ask is known already, and good: then a connection
 * may be resumed without it. Asks nobody.
 */
bool ocsp_is_known_good(const struct ocsp_asker *asker, const struct chain *chain);

/*
 * Whether a certificate of the path is known by now to have been revoked: then an open
 * connection may be ended. What has become too old is asked for anew, in the background;
 * recheck_all() is called when the answer is "revoked".
 *
 *   again_s  out  when to call next, seconds since the epoch; INT64_MAX = never
 */
bool ocsp_is_revoked(const struct ocsp_asker *asker, const struct chain *chain,
                     bool is_client, int64_t *again_s, struct failure *failure);

/*
 * The response to staple for our own certificate; asked for when there is none yet, and
 * anew when half of its life is over.
 *
 *   len  out
 *
 * Returns  a copy, malloc'ed; NULL = none.
 */
uint8_t *ocsp_own_staple(const struct ocsp_asker *asker, size_t *len);

/* Whether the first one is still on its way; asks for it when nobody has. */
bool ocsp_own_staple_is_awaited(const struct ocsp_asker *asker);

#endif
