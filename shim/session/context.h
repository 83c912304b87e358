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
#include "shim/session/path.h"

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

/*
 * A context with other material.
 *
 *   material  in  taken over, also on failure
 *   stamps    in  of its parts
 *   replaced  in  the parts that are others than the old one's
 *
 * Returns  a reference; NULL: no memory.
 */
struct context *context_make(const struct policy_identity *identity,
                             struct material *material,
                             const struct stamp stamps[MATERIAL_PARTS],
                             const struct context *old,
                             const bool replaced[MATERIAL_PARTS]);

/*
 * A context for an identity of another policy, with the same certificate and key; and
 * with the same trust and revocation lists, unless it names other files.
 *
 *   report  in/out  gets every problem
 *
 * Returns  a reference; NULL after a problem.
 */
struct context *context_renew(const struct context *old, const struct policy *policy,
                              const struct policy_identity *identity,
                              struct policy_report *report);

struct context *context_ref(struct context *context);
void context_unref(struct context *context); /* NULL does nothing */

/* Whether there is material; without, nothing may be done in the identity's name. */
bool context_has_material(const struct context *context);
const struct material *context_material(const struct context *context);

/* Whom peers are to be vouched for by; NULL without material. */
struct path_anchors *context_anchors(const struct context *context);

/* The WOLFSSL_CTX of a role; NULL when it cannot be made (ENOMEM), or when there is no
 * material. Threads; within session_fork_enter(), like all that wolfSSL keeps. */
WOLFSSL_CTX *context_get(struct context *context, bool is_server);

#define CONTEXT_TRUST_ID_LEN 32

/* What tells one set of trust anchors from another: who was verified with the same ones
 * need not be verified again. Returns false without it. */
bool context_trust_id(const struct context *context, uint8_t id[CONTEXT_TRUST_ID_LEN]);

/* The same, shorter; 0 without. */
uint64_t context_trust_number(const struct context *context);

/* Makes what old has made already, so that no handshake has to wait for it. */
void context_prepare(struct context *context, const struct context *old);

/* The state of the files of a part when it was read; for one thread at a time. */
const struct stamp *context_stamp(const struct context *context, enum material_part part);
void context_set_stamp(struct context *context, enum material_part part,
                       const struct stamp *stamp);

/* When the log was last warned of its end, in seconds since the epoch; 0 = never. For one
 * thread at a time. */
int64_t *context_warned_s(struct context *context);

/* Own certificate's serial, for the log; empty without. */
const char *context_serial(const struct context *context);

#endif
