/*
 * Whether an entry of allow or deny names a peer.
 *
 * In doubt the answer is the safe one, so the two lists differ:
 * - a DNS name with a '*' stands for many peers. It fits an entry of allow only when the
 *   texts are equal, an entry of deny as soon as one name that it covers does;
 * - a name that cannot be compared (control characters, bytes that are no text, too long)
 *   fits no entry of allow and every entry of deny of its kind;
 * - so does an issuer that is too long to be written in full;
 * - a SPIFFE ID fits an entry of allow only in an X.509-SVID, an entry of deny anywhere;
 * - host names are compared without case; URIs with it for allow, without for deny.
 */
#ifndef SHIM_SESSION_PEER_LIST_H
#define SHIM_SESSION_PEER_LIST_H

#include "config/policy.h"
#include "shim/session/peer_der.h"

/* A peer as the lists look at it. */
struct peer_list_names {
    struct der_span subject; /* the content of the Name's SEQUENCE */
    struct der_span issuer;  /* likewise */
    struct der_span san;     /* the content of the GeneralNames */
    const char *serial;      /* hex, whole */
    const char *sha256;
    const char *spki; /* hex of the key's SHA-256; "" when it is not known */
    bool is_svid;     /* a SPIFFE ID in it may count: peer_svid.h, and it is no CA's */
};

/*
 * Finds the first entry that names the peer.
 *
 *   is_deny  in  which way to decide in doubt
 *
 * Returns  the entry, NULL when none does.
 * Safe     allocates nothing.
 */
const struct policy_peer *peer_list_find(const struct policy_peer *entries, size_t count,
                                         const struct peer_list_names *names,
                                         bool is_deny);

/*
 * A glob that never crosses a separator: '*' is any run and '?' any one character within
 * a segment, and a '*' that is a whole segment wants at least one character.
 */
bool peer_list_glob(const char *pattern, struct der_span text, char separator,
                    bool ignore_case);

#endif
