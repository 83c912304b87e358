/*
 * SPIFFE's X.509-SVIDs: certificates whose one URI is who their owner is.
 */
#ifndef SHIM_SESSION_PEER_SVID_H
#define SHIM_SESSION_PEER_SVID_H

#include <stdbool.h>

#include "config/der.h"

/* Whether a URI is of the scheme spiffe, in whatever case. */
bool peer_svid_is_spiffe(struct der_span uri);

/*
 * Whether alternative names are those of an X.509-SVID: one URI and no more, and that a
 * SPIFFE ID. What else the certificate has to be, no CA's, is the caller's to know.
 *
 *   names  in  what the extension holds (peer_parts.san)
 *
 * Source  SPIFFE-ID section 2; X509-SVID sections 2 and 4.
 */
bool peer_svid_has_id(struct der_span names);

#endif
