#include "shim/session/recheck.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "config/crl.h"
#include "shim/record/record.h"
#include "shim/session/chain.h"
#include "shim/session/context.h"
#include "shim/session/judge.h"
#include "shim/session/ocsp.h"
#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum { SLICE_MS = 5 }; /* handshakes wait for the service thread, too */

struct recheck_rules recheck_rules;

/* What a session must have been judged in; grows when there is reason to judge anew. */
static _Atomic uint64_t epoch = 1;
static uint64_t done_epoch;    /* in which all have been; of who runs */
static atomic_bool stragglers; /* some session may be open that was not judged in it */
static _Atomic int64_t due_s = INT64_MAX; /* when time itself is the reason */

void
recheck_all(void)
{
    atomic_fetch_add(&epoch, 1);
    service_wake();
}

static void
lower(int64_t when_s)
{
    int64_t due = atomic_load(&due_s);
    while (when_s < due && !atomic_compare_exchange_weak(&due_s, &due, when_s)) {
    }
}

/* Whether OCSP says that the peer was revoked; it is asked again when answers age. */
static bool
is_revoked(const struct handle *handle, const struct ruling *ruling,
           const struct chain *chain, struct failure *failure)
{
    struct ocsp_asker asker = ocsp_asker(ruling);
    int64_t again_s;
    bool revoked =
        ocsp_is_revoked(&asker, chain, handle->session->is_server, &again_s, failure);
    lower(again_s);
    return revoked;
}

void
recheck_begin(struct handle *handle)
{
    atomic_store(&handle->judged_epoch, atomic_load(&epoch));
}

void
recheck_note(struct handle *handle)
{
    const struct ruling *ruling = &handle->ruling;
    uint64_t now = atomic_load(&epoch);
    handle->judged_trust = context_trust_number(ruling_context(ruling));
    if (generation_policy(ruling->generation)->expired_sessions_are_cut &&
        handle->chain != NULL) {
        lower(chain_end(handle->chain));
    }
    if (generation_policy(ruling->generation)->recheck && handle->chain != NULL) {
        struct failure failure;
        (void)is_revoked(handle, ruling, handle->chain, &failure); /* it was judged */
    }
    /* A generation that comes after this look brings an epoch after the one above; who
     * was judged before that one began is judged again. */
    if (generation_id(ruling->generation) != generation_newest_id() ||
        atomic_load(&handle->judged_epoch) != now) {
        atomic_store(&stragglers, true);
        service_wake();
    }
}

void
recheck_adopted(void)
{
    atomic_store(&stragglers, true);
}

bool
recheck_is_due(void)
{
    if (time(NULL) >= atomic_load(&due_s)) {
        atomic_store(&due_s, INT64_MAX);
        atomic_fetch_add(&epoch, 1);
    }
    return atomic_load(&stragglers) || done_epoch != atomic_load(&epoch);
}

/* ---- the peer's certificates, in whatever process ---------------------------------- */

void
recheck_keep_chain(struct handle *handle)
{
    struct session *session = handle->session;
    if (handle->chain == NULL || session->chain_len != 0 || session->early_len != 0) {
        return;
    }
    struct der_span flat = chain_flat(handle->chain);
    memcpy(handle->early, flat.at, flat.len);
    session->chain_len = (uint32_t)flat.len;
    session->early_touched = true;
}

/* With a reference for the caller: another thread may be about to keep another one. */
static struct chain *
find_chain(struct handle *handle)
{
    struct session *session = handle->session;
    bool locked = session_lock(session) == 0; /* else by this very thread */
    if (locked && handle->chain == NULL && session->chain_len <= SESSION_EARLY_LEN) {
        handle->chain = chain_parse(handle->early, session->chain_len);
    }
    struct chain *chain = handle->chain != NULL ? chain_ref(handle->chain) : NULL;
    if (locked) {
        session_unlock(session);
    }
    return chain;
}

/* ---- one connection ---------------------------------------------------------------- */

struct walk {
    struct generation *generation;
    uint64_t epoch;
    int64_t until_ms;
    bool all; /* none was left out */
};

static int
judge_by(const struct handle *handle, const struct ruling *ruling, struct chain **shown,
         struct failure *failure)
{
    const struct policy *policy = generation_policy(ruling->generation);
    uint64_t number = context_trust_number(ruling_context(ruling));
    struct peer peer;
    int result = 0;
    if (policy->recheck && (number == 0 || number != handle->judged_trust)) {
        result = judge_trust(handle->session, ruling, shown, failure);
    }
    const struct chain *chain = *shown;
    if (result == 0 && policy->expired_sessions_are_cut &&
        chain_end(chain) <= time(NULL)) {
        failure_set(failure, REASON_EXPIRED, NULL);
        (void)judge_dates(chain, time(NULL), failure); /* says which */
        result = -EPROTO;
    }
    if (result == 0 && policy->recheck) {
        result = judge_vouched(handle->session, ruling, chain, &peer, failure);
    }
    if (result == 0 && policy->recheck && is_revoked(handle, ruling, chain, failure)) {
        result = -EPROTO;
    }
    return result;
}

/* Takes the reference over. */
static void
keep_chain(struct handle *handle, struct chain *chain)
{
    if (chain != handle->chain && session_lock(handle->session) == 0) {
        struct chain *old = handle->chain;
        handle->chain = chain;
        chain = old;
        session_unlock(handle->session);
    }
    chain_unref(chain);
}

/* Returns 0 it may stay; -errno with why not. */
static int
judge(struct handle *handle, struct generation *generation, struct failure *failure)
{
    const struct policy *policy = generation_policy(generation);
    struct ruling ruling = {generation, recheck_rules.find(generation, handle)};
    if (ruling.rule->mode == POLICY_MODE_DENY && policy->recheck) {
        failure_set(failure, REASON_DENIED_BY_RULE, NULL);
        return -EACCES;
    }
    bool protects = ruling.rule->mode == POLICY_MODE_MTLS ||
                    ruling.rule->mode == POLICY_MODE_PERMISSIVE;
    if (!protects || !context_has_material(ruling_context(&ruling))) {
        return 0; /* nothing that it could be judged by */
    }
    struct chain *chain = find_chain(handle);
    if (chain == NULL) {
        failure_set(failure, REASON_SHIM_ERROR,
                    "the peer's certificates are not known any more");
        return policy->recheck || policy->expired_sessions_are_cut ? -EACCES : 0;
    }
    int result = judge_by(handle, &ruling, &chain, failure);
    if (result == 0) {
        handle->judged_trust = context_trust_number(ruling_context(&ruling));
        if (policy->expired_sessions_are_cut) {
            lower(chain_end(chain));
        }
    }
    keep_chain(handle, chain);
    return result;
}

static void
judge_open(struct handle *handle, const struct walk *walk)
{
    struct failure failure;
    session_fork_enter();
    int result = judge(handle, walk->generation, &failure);
    session_fork_leave();
    if (result == 0) {
        return;
    }
    int fd = table_dup(handle); /* not to be closed, and be another's, meanwhile */
    session_cut(handle, fd, &failure);
    if (fd >= 0) {
        table_disown(fd);
        system_calls.close(fd);
    }
}

/* ---- all of them ------------------------------------------------------------------- */

static void
visit(int fd, struct handle *unheld, void *context)
{
    struct walk *walk = context;
    struct handle *handle = table_acquire(fd);
    (void)unheld;
    if (handle == NULL) {
        return;
    }
    if (atomic_load(&handle->session->state) == SESSION_OPEN &&
        atomic_load(&handle->judged_epoch) != walk->epoch) {
        if (session_now_ms() < walk->until_ms) {
            judge_open(handle, walk);
            atomic_store(&handle->judged_epoch, walk->epoch);
        } else {
            walk->all = false;
        }
    }
    table_release(handle);
}

/* When a revocation list of some identity goes out of date, it cuts. */
static void
lower_to_lists(const struct generation *generation)
{
    const struct policy *policy = generation_policy(generation);
    for (size_t i = 0; i < policy->identity_count && policy->recheck; i++) {
        const struct policy_identity *identity = &policy->identities[i];
        const struct context *context = generation_context(generation, identity);
        if (!identity->expired_crl_is_insecurely_used) {
            lower(crl_next_change(&context_material(context)->crl, time(NULL)));
        }
    }
}

bool
recheck_run(void)
{
    struct walk walk = {
        .generation = generation_acquire(),
        .epoch = atomic_load(&epoch),
        .until_ms = session_now_ms() + SLICE_MS,
        .all = true,
    };
    if (walk.generation == NULL) {
        return true;
    }
    atomic_store(&stragglers, false);
    lower_to_lists(walk.generation);
    table_each(visit, &walk);
    if (walk.all) {
        done_epoch = walk.epoch;
    } else {
        atomic_store(&stragglers, true);
    }
    generation_unref(walk.generation);
    return walk.all;
}
