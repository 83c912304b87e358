/*
 * What an identity has: the material of its files as of one moment, and the WOLFSSL_CTX
 * of each role, made when first needed and shared by all handshakes.
 */
#ifndef SHIM_SESSION_CONTEXT_H
#define SHIM_SESSION_CONTEXT_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "config/material.h"
#include "config/policy.h"

/* Counted; but for what is made when first needed it never changes. */
struct context;

/*
 * Loads the material of an identity.
 *
 *   policy       in      the identity's; both must live as long as the context
 *   may_be_lost  in      the identity may be without material, where this user has no
 *                        right to read its files
 *   report       in/out  gets every problem
 *
 * Returns  a reference; NULL after a problem.
 */
struct context *context_load(const struct policy *policy,
                             const struct policy_identity *identity, bool may_be_lost,
                             struct policy_report *report);

/* A context with the same material for the identity of another policy; NULL: no memory.
 */
struct context *context_renew(const struct context *old,
                              const struct policy_identity *identity);

struct context *context_ref(struct context *context);
void context_unref(struct context *context); /* NULL does nothing */

/* Whether there is material; without, nothing may be done in the identity's name. */
bool context_has_material(const struct context *context);
const struct material *context_material(const struct context *context);

/* The WOLFSSL_CTX of a role; NULL when it cannot be made (ENOMEM), or when there is no
 * material. Threads; within session_fork_enter(), like all that wolfSSL keeps. */
WOLFSSL_CTX *context_get(struct context *context, bool is_server);

#define CONTEXT_TRUST_ID_LEN 32

/* What tells one set of trust anchors from another: who was verified with the same ones
 * need not be verified again. Returns false without it. Threads. */
bool context_trust_id(struct context *context, uint8_t id[CONTEXT_TRUST_ID_LEN]);

/* Own certificate's serial, for the log; empty without. */
const char *context_serial(const struct context *context);

#endif
