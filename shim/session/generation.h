/*
 * A generation: the policy and the material of its identities, as of one moment.  It
 * never changes; when the files do, a new one takes its place as a whole.  A connection
 * is decided by one generation from its beginning until its handshake is done.
 */
#ifndef SHIM_SESSION_GENERATION_H
#define SHIM_SESSION_GENERATION_H

#include "config/policy.h"
#include "config/stamp.h"

struct context; /* context.h */

/* Counted. */
struct generation;

/*
 * Loads a policy and the material of all its identities, as the first generation.
 *
 *   may_be_lost  in      see context_load()
 *   report       in/out  gets every problem
 *
 * Returns  a reference; NULL when any problem was reported.
 */
struct generation *generation_load(const char *path, bool may_be_lost,
                                   struct policy_report *report);

/*
 * The same policy, with other material.
 *
 *   contexts  in  by the index of the identity, taken over; NULL = the old one's
 *
 * Returns  a reference; NULL: no memory.
 */
struct generation *generation_renew(const struct generation *old,
                                    struct context *const *contexts);

/*
 * A new version of the policy.  An identity of the same name and files keeps what it has:
 * this user may have lost the right to read them.
 *
 *   report  in/out  gets every problem
 *
 * Returns  a reference; NULL when any problem was reported.
 */
struct generation *generation_replace(const struct generation *old,
                                      struct policy_report *report);

/* The newest generation takes the place of the one before; the reference is taken over.
 * One thread at a time. */
void generation_install(struct generation *generation);

/*
 * The newest generation.
 *
 * Returns  a reference; NULL before the first was installed.
 * Safe     async-signal-safe, lock-free.
 */
struct generation *generation_acquire(void);

struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation *generation); /* NULL does nothing */

/* 1 for the first, and larger with each one installed in this process. */
uint64_t generation_id(const struct generation *generation);
uint64_t generation_newest_id(void); /* Async-signal-safe, lock-free. */

/* The state of the policy's file when it was read. */
const struct stamp *generation_stamp(const struct generation *generation);
void generation_set_stamp(struct generation *generation, const struct stamp *stamp);

const struct policy *generation_policy(const struct generation *generation);

/* What an identity of its policy has. Lives as long as the generation. */
struct context *generation_context(const struct generation *generation,
                                   const struct policy_identity *identity);

/* A reference that is given back at the end of the scope. */
void generation_release(struct generation **generation);
#define GENERATION_SCOPE __attribute__((cleanup(generation_release))) struct generation

/* What was decided, and by what: the rule belongs to the generation's policy. */
struct ruling {
    struct generation *generation; /* a reference */
    const struct policy_rule *rule;
};

/* A reference of the copy's own. */
struct ruling ruling_copy(const struct ruling *ruling);

/* Gives the reference back and empties the ruling. */
void ruling_done(struct ruling *ruling);
#define RULING_SCOPE __attribute__((cleanup(ruling_done))) struct ruling

/* What the rule's identity has; NULL when the rule has no identity. */
struct context *ruling_context(const struct ruling *ruling);

#endif
