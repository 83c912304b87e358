/*
 * Who is at the other end: what a certificate says, as flat text, and whether the
 * rule lets it in.
 */
#ifndef SHIM_SESSION_PEER_H
#define SHIM_SESSION_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/policy.h"
#include "shim/session/reason.h"

#define PEER_SUBJECT_LEN                                                                 \
    256 /* sizes include the final NUL; longer text is cut with "..." */
#define PEER_ISSUER_LEN 128
#define PEER_SAN_LEN 512

/*
 * The peer's identity as the audit log tells it; flat, lives in the session struct.
 * Empty strings where the certificate has nothing or none was shown.
 */
struct peer {
    char subject[PEER_SUBJECT_LEN]; /* RFC 4514 order and escapes: CN=web,O=Corp */
    char issuer[PEER_ISSUER_LEN];
    char san[PEER_SAN_LEN]; /* "DNS:a, URI:spiffe://b, IP:10.0.0.1" */
    char serial[42];        /* lower-case hex, no leading zeros */
    char sha256[65];        /* lower-case hex of the DER */
    int64_t not_after_s;    /* seconds since the epoch; 0 = unknown */
};

/*
 * Judges the leaf certificate after its chain has verified: extended key usage for the
 * role, name (outbound, verify = name), then deny, then allow.
 *
 *   der, der_len  in   the leaf
 *   rule          in   whose verify, allow and deny apply
 *   name          in   the name or IP literal to verify; looked at only outbound when
 *                      verify is "name", where NULL is refused; an IP literal is compared
 * with IP SANs only, a name with DNS SANs only (never the CN), wildcards only as the
 *                      whole left-most label; trailing dot and case are ignored
 *   peer          out  filled in whatever the verdict is, as far as the DER parses
 *   failure       out  reason and words; untouched when let in
 *
 * Returns  0 let in; -EACCES refused by deny or allow (REASON_DENIED_*);
 *          -EPROTO refused for its name, usage or form.
 * Source   RFC 9525 section 6; RFC 5280 section 4.2.1.
 */
int peer_judge(const uint8_t *der, size_t der_len, const struct policy_rule *rule,
               const char *name, struct peer *peer, struct failure *failure);

/* Fills peer from a certificate without judging it (chain already refused). */
void peer_describe(const uint8_t *der, size_t der_len, struct peer *peer);

/*
 * Whether a DNS SAN is for a reference name that is no IP literal; see peer_judge().
 *
 * Source   RFC 9525 section 6.3.
 */
bool peer_dns_matches(const char *pattern, size_t pattern_len, const char *name);

#endif
