/*
 * Whether a certificate of the peer's chain has been revoked.
 */
#ifndef SHIM_SESSION_REVOCATION_H
#define SHIM_SESSION_REVOCATION_H

#include "config/der.h"
#include "config/material.h"
#include "config/policy.h"
#include "shim/session/reason.h"

/*
 * Looks one certificate up in the revocation lists of its issuer.
 *
 *   identity  in   says what to do about lists that are out of date
 *   crl       in   the lists; see config/crl.h
 *   failure   out  reason and words; untouched when it was not revoked
 *
 * Returns  0; -EPROTO when it was revoked, or nobody can tell.
 * Safe     threads; may write a warning to the log.
 * Source   RFC 5280, section 6.3.
 */
int revocation_check(const struct policy_identity *identity,
                     const struct material_blob *crl, struct der_span certificate,
                     struct failure *failure);

#endif
