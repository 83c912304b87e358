/*
 * From a peer's certificates to a trust anchor, once more: when the anchors may have
 * changed since the handshake verified the way to one.
 */
#ifndef SHIM_SESSION_ANCHOR_H
#define SHIM_SESSION_ANCHOR_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "shim/session/chain.h"

/*
 * Looks for signatures that lead from the leaf to one of the anchors, be it past others
 * of the certificates.  What else a path must be like a handshake has looked at; dates do
 * not matter.
 *
 * Safe     threads; allocates.
 * Source   RFC 5280, section 6.1.
 */
bool anchor_vouches(WOLFSSL_CERT_MANAGER *anchors, const struct chain *chain);

#endif
