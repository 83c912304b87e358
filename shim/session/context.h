/*
 * The WOLFSSL_CTX of each identity and role: made when first needed from the material
 * that was read at start, shared by all handshakes.
 */
#ifndef SHIM_SESSION_CONTEXT_H
#define SHIM_SESSION_CONTEXT_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "config/material.h"
#include "config/policy.h"

/*
 * Keeps the policy and loads the material of every identity.
 *
 *   policy       in      must live on
 *   may_be_lost  in      an identity may be without its material, where this user has no
 *                        right to read its files
 *   report       in/out  gets every problem
 *
 * Returns  0, or -EINVAL when any problem was reported.
 */
int context_init(const struct policy *policy, bool may_be_lost,
                 struct policy_report *report);

/* Whether an identity has its material; without, nothing may be done in its name. */
bool context_has_material(const struct policy_identity *identity);

/* The context of an identity and role; NULL when it cannot be made (ENOMEM), or when
 * there is no material. Threads. */
WOLFSSL_CTX *context_get(const struct policy_identity *identity, bool is_server);

/* The revocation lists of an identity; empty without. */
const struct material_blob *context_crl(const struct policy_identity *identity);

/* Own certificate's serial, for the log. */
const char *context_serial(const struct policy_identity *identity);

#endif
