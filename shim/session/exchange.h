/*
 * The key exchange of handshakes: the groups of an identity, in wolfSSL, and for which of
 * them a client sends a key in its first message.
 */
#ifndef SHIM_SESSION_EXCHANGE_H
#define SHIM_SESSION_EXCHANGE_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <stdint.h>

#include <wolfssl/ssl.h>

#include "config/policy.h"

/* Has handshakes of a context take those of the identity alone, or the usual ones without
 * a list.  Returns 0; -EINVAL. */
int exchange_set(WOLFSSL_CTX *ctx, const struct policy_identity *identity);

/*
 * Client: makes the keys of the ClientHello, before wolfSSL would make one by itself. A
 * hybrid at the head of the list has the first other group beside it: who does not know
 * the hybrid then need not ask for another key, which would take a round trip more.
 *
 *   known  in  the group that this server took in the session to be resumed: its key is
 *              enough; 0 = none
 *
 * Returns  0; -ENOMEM.
 */
int exchange_offer(WOLFSSL *ssl, const struct policy_identity *identity, uint16_t known);

#endif
