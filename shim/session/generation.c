#include "shim/session/generation.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "config/problem.h"
#include "shim/session/context.h"
#include "shim/session/heap.h"
#include "shim/session/resume.h"

/* A policy that several generations share: their files were renewed, it was not. */
struct shared_policy {
    _Atomic unsigned refs;
    struct policy *policy;
    struct stamp stamp; /* from before it was read; of the one thread that reloads */
};

struct generation {
    _Atomic unsigned refs; /* 0 = in the list of unused ones */
    uint64_t id;
    struct shared_policy *shared;
    struct context **contexts; /* by the index of the identity */
    struct generation *next_unused;
};

/*
 * Who looks at the newest one has no reference yet, and may come late: the memory of a
 * generation is used again for another, but never given back, so that its count may be
 * looked at.
 */
static struct generation *_Atomic newest;
static _Atomic uint64_t newest_id;
static struct generation *_Atomic unused; /* without a lock: fork may come at any time */

static void
give_unused(struct generation *first)
{
    struct generation *last = first;
    while (last != NULL && last->next_unused != NULL) {
        last = last->next_unused;
    }
    struct generation *next = atomic_load(&unused);
    do {
        if (last == NULL) {
            return;
        }
        last->next_unused = next;
    } while (!atomic_compare_exchange_weak(&unused, &next, first));
}

/* Takes all and gives the rest back: a list that is never taken from one by one. */
static struct generation *
take_unused(void)
{
    struct generation *generation = atomic_exchange(&unused, NULL);
    if (generation == NULL) {
        return calloc(1, sizeof(*generation));
    }
    give_unused(generation->next_unused);
    generation->next_unused = NULL;
    return generation;
}

static void
policy_unref(struct shared_policy *shared)
{
    if (shared != NULL && atomic_fetch_sub(&shared->refs, 1) == 1) {
        policy_free(shared->policy);
        free(shared);
    }
}

/* Frees what a generation holds. */
static void
empty(struct generation *generation)
{
    size_t count = generation->shared != NULL && generation->contexts != NULL
                       ? generation->shared->policy->identity_count
                       : 0;
    for (size_t i = 0; i < count; i++) {
        context_unref(generation->contexts[i]);
    }
    free(generation->contexts);
    generation->contexts = NULL;
    policy_unref(generation->shared);
    generation->shared = NULL;
}

static struct shared_policy *
load_policy(const char *path, struct policy_report *report)
{
    struct shared_policy *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        problem_add(report, path, 0, "%s", strerror(ENOMEM));
        return NULL;
    }
    atomic_init(&shared->refs, 1);
    stamp_add(&shared->stamp, path);
    shared->policy = policy_load(path, report);
    if (shared->policy == NULL) {
        free(shared);
        return NULL;
    }
    return shared;
}

/* With its policy and room for contexts; takes shared over. */
static struct generation *
generation_new(struct shared_policy *shared)
{
    struct generation *generation = take_unused();
    if (generation == NULL) {
        policy_unref(shared);
        return NULL;
    }
    generation->shared = shared;
    generation->contexts =
        calloc(shared->policy->identity_count + 1, sizeof(struct context *));
    if (generation->contexts == NULL) {
        empty(generation);
        give_unused(generation);
        return NULL;
    }
    atomic_store(&generation->refs, 1);
    return generation;
}

static bool
same_path(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What an identity of the same name, certificate and key has; NULL without. */
static struct context *
find_same(const struct generation *old, const struct policy_identity *identity)
{
    const struct policy *policy = generation_policy(old);
    for (size_t i = 0; i < policy->identity_count; i++) {
        const struct policy_identity *other = &policy->identities[i];
        if (strcmp(other->name, identity->name) == 0 &&
            same_path(other->certificate, identity->certificate) &&
            same_path(other->private_key, identity->private_key) &&
            same_path(other->pkcs12, identity->pkcs12) &&
            same_path(other->passphrase_file, identity->passphrase_file)) {
            return old->contexts[i];
        }
    }
    return NULL;
}

/* What an identity has, by its files; old (or NULL): what of it may be taken over. */
static struct context *
succeed(const struct generation *old, const struct policy *policy,
        const struct policy_identity *identity, bool may_be_lost,
        struct policy_report *report)
{
    const struct context *same = old != NULL ? find_same(old, identity) : NULL;
    if (same == NULL) {
        return context_load(policy, identity, may_be_lost, report);
    }
    struct context *context = context_renew(same, policy, identity, report);
    if (context != NULL) {
        context_prepare(context, same);
    }
    return context;
}

/* Reads the policy and all its identities; NULL when anything is wrong. */
static struct generation *
read_all(const char *path, const struct generation *old, bool may_be_lost,
         struct policy_report *report)
{
    struct shared_policy *shared = load_policy(path, report);
    struct generation *generation = shared != NULL ? generation_new(shared) : NULL;
    if (generation == NULL) {
        return NULL;
    }
    const struct policy *policy = shared->policy;
    bool whole = true;
    for (size_t i = 0; i < policy->identity_count; i++) {
        generation->contexts[i] =
            succeed(old, policy, &policy->identities[i], may_be_lost, report);
        whole = whole && generation->contexts[i] != NULL;
    }
    if (!whole) {
        generation_unref(generation);
        return NULL;
    }
    return generation;
}

struct generation *
generation_load(const char *path, bool may_be_lost, struct policy_report *report)
{
    heap_start();
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
        problem_add(report, path, 0, "wolfSSL does not start");
        return NULL;
    }
    resume_start();
    return read_all(path, NULL, may_be_lost, report);
}

struct generation *
generation_renew(const struct generation *old, struct context *const *contexts)
{
    const struct policy *policy = generation_policy(old);
    atomic_fetch_add(&old->shared->refs, 1);
    struct generation *generation = generation_new(old->shared);
    for (size_t i = 0; i < policy->identity_count; i++) {
        if (generation == NULL) {
            context_unref(contexts[i]);
        } else {
            generation->contexts[i] =
                contexts[i] != NULL ? contexts[i] : context_ref(old->contexts[i]);
        }
    }
    return generation;
}

struct generation *
generation_replace(const struct generation *old, struct policy_report *report)
{
    return read_all(generation_policy(old)->absolute_path, old, false, report);
}

void
generation_install(struct generation *generation)
{
    generation->id = atomic_load(&newest_id) + 1;
    struct generation *old = atomic_exchange(&newest, generation);
    atomic_store(&newest_id, generation->id);
    generation_unref(old);
}

struct generation *
generation_acquire(void)
{
    struct generation *generation = atomic_load(&newest);
    while (generation != NULL) {
        unsigned refs = atomic_load(&generation->refs);
        if (refs != 0 &&
            atomic_compare_exchange_weak(&generation->refs, &refs, refs + 1)) {
            /* It may have been replaced, and become another, between look and count. */
            if (atomic_load(&newest) == generation) {
                return generation;
            }
            generation_unref(generation);
        }
        generation = atomic_load(&newest);
    }
    return NULL;
}

struct generation *
generation_ref(struct generation *generation)
{
    atomic_fetch_add(&generation->refs, 1);
    return generation;
}

void
generation_unref(struct generation *generation)
{
    if (generation != NULL && atomic_fetch_sub(&generation->refs, 1) == 1) {
        empty(generation);
        give_unused(generation);
    }
}

void
generation_release(struct generation **generation)
{
    generation_unref(*generation);
}

uint64_t
generation_id(const struct generation *generation)
{
    return generation->id;
}

uint64_t
generation_newest_id(void)
{
    return atomic_load(&newest_id);
}

const struct stamp *
generation_stamp(const struct generation *generation)
{
    return &generation->shared->stamp;
}

void
generation_set_stamp(struct generation *generation, const struct stamp *stamp)
{
    generation->shared->stamp = *stamp;
}

const struct policy *
generation_policy(const struct generation *generation)
{
    return generation->shared->policy;
}

struct context *
generation_context(const struct generation *generation,
                   const struct policy_identity *identity)
{
    return generation->contexts[identity->index];
}

/* ---- rulings ----------------------------------------------------------------------- */

struct ruling
ruling_copy(const struct ruling *ruling)
{
    if (ruling->generation != NULL) {
        (void)generation_ref(ruling->generation);
    }
    return *ruling;
}

void
ruling_done(struct ruling *ruling)
{
    struct generation *generation = ruling->generation;
    *ruling = (struct ruling){0};
    generation_unref(generation);
}

struct context *
ruling_context(const struct ruling *ruling)
{
    const struct policy_identity *identity = ruling->rule->identity;
    return identity != NULL ? generation_context(ruling->generation, identity) : NULL;
}
