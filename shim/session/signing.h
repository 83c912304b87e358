/*
 * The signature algorithms of an identity, in wolfSSL: which only its layer of
 * compatibility with OpenSSL, that we do not build, has a function for.
 */
#ifndef SHIM_SESSION_SIGNING_H
#define SHIM_SESSION_SIGNING_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <stdbool.h>

#include <wolfssl/ssl.h>

#include "config/policy.h"

/* Has handshakes of a context offer those alone, or ours without a list: none with SHA-1
 * or SHA-224. After the cipher suites were set.  Returns 0; -EINVAL. */
int signing_set(WOLFSSL_CTX *ctx, const struct policy_identity *identity);

/*
 * Whether the peer has signed with one of them. A server of TLS 1.2 makes wolfSSL offer
 * more, where a list has none for the kinds of certificates that it asks for.
 */
bool signing_was_met(const WOLFSSL *ssl, const struct policy_identity *identity);

#endif
