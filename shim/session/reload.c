#include "shim/session/reload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/problem.h"
#include "shim/session/audit.h"
#include "shim/session/context.h"
#include "shim/session/expiry.h"
#include "shim/session/generation.h"
#include "shim/session/metrics.h"
#include "shim/session/recheck.h"
#include "shim/session/service.h"

enum {
    PATIENCE_MS = 3000, /* for a pair of files to become whole */
    TICK_MS = 5,        /* of a coarse clock */
    AGAIN_MS = 30000,   /* what has failed may be readable, or valid, later */
};

/* What has become of files that have changed and could not be used. */
struct trial {
    struct stamp stamp; /* as they were */
    int64_t since_ms;
    int64_t last_ms;
    bool told;
};

/* One thread looks at a time; what follows is its own. */
static atomic_bool looking;
static _Atomic int64_t next_look_ms = INT64_MAX; /* not started */
static struct trial policy_trial;
static struct trial (
    *trials)[MATERIAL_PARTS]; /* of each identity; NULL = out of memory */

/* The first problem says it all: there is one line of log for a failure. */
struct first_problem {
    struct policy_report report;
    char text[300];
};

static void
keep_first(void *context, const struct policy_problem *problem)
{
    struct first_problem *first = context;
    if (first->text[0] == '\0') {
        snprintf(first->text, sizeof(first->text),
                 problem->line > 0 ? "%s:%d: %s" : "%s:%.0d%s", problem->path,
                 problem->line, problem->text);
    }
}

static void
problem_init(struct first_problem *first)
{
    *first = (struct first_problem){.report = {.problem = keep_first}};
    first->report.context = first;
}

static int64_t
coarse_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- trials ------------------------------------------------------------------------ */

/* Whether files in this state are worth trying now. */
static bool
is_due(struct trial *trial, const struct stamp *stamp)
{
    int64_t now = coarse_ms();
    if (trial->since_ms == 0 || !stamp_equal(&trial->stamp, stamp)) {
        *trial = (struct trial){.stamp = *stamp, .since_ms = now};
    } else if (trial->told && now - trial->last_ms < AGAIN_MS) {
        return false;
    }
    trial->last_ms = now;
    return true;
}

static void
note_failure(struct trial *trial, const char *identity, const char *words)
{
    if (trial->told || coarse_ms() - trial->since_ms < PATIENCE_MS) {
        return;
    }
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = AUDIT_RELOAD_FAILED;
    line.identity = identity;
    line.detail = words;
    audit_write(&line);
    trial->told = true;
}

static bool
has_changed(const struct stamp *loaded, const struct stamp *now, struct trial *trial)
{
    if (stamp_equal(loaded, now)) {
        *trial = (struct trial){0};
        return false;
    }
    return !stamp_is_fresh(now, real_ns()) && is_due(trial, now);
}

/* ---- installing -------------------------------------------------------------------- */

static void
log_policy(const struct policy *policy)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    char words[300];
    snprintf(words, sizeof(words), "%s: %zu identities, %zu rules", policy->path,
             policy->identity_count, policy->rule_count);
    line.event = AUDIT_POLICY_LOADED;
    line.detail = words;
    audit_write(&line);
}

static void
log_part(const struct policy_identity *identity, enum material_part part,
         const struct material *material)
{
    static const enum audit_event events[] = {
        [MATERIAL_OWN] = AUDIT_CERTIFICATE_RELOADED,
        [MATERIAL_TRUST] = AUDIT_TRUST_RELOADED,
        [MATERIAL_CRL] = AUDIT_CRL_RELOADED,
    };
    const char *own = identity->pkcs12 != NULL ? identity->pkcs12 : identity->certificate;
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = events[part];
    line.identity = identity->name;
    line.own_serial = part == MATERIAL_OWN ? material->serial : NULL;
    line.detail = part == MATERIAL_OWN     ? own
                  : part == MATERIAL_TRUST ? identity->trust
                                           : identity->crl;
    audit_write(&line);
}

static void
install(struct generation *generation)
{
    session_set_limits(generation_policy(generation));
    generation_install(generation);
    metrics_renew();
    recheck_all();
}

static void
forget_trials(const struct policy *policy)
{
    free(trials);
    trials = calloc(policy->identity_count + 1, sizeof(*trials));
    policy_trial = (struct trial){0};
}

/* ---- the policy -------------------------------------------------------------------- */

static void
replace_policy(const struct generation *old)
{
    struct first_problem problem;
    problem_init(&problem);
    struct generation *generation = generation_replace(old, &problem.report);
    if (generation == NULL) {
        note_failure(&policy_trial, NULL, problem.text);
        return;
    }
    const struct policy *policy = generation_policy(generation);
    forget_trials(policy);
    install(generation);
    log_policy(policy);
}

/* Returns whether it has changed, so that its identities may have. */
static bool
look_at_policy(struct generation *newest)
{
    struct stamp stamp = {0};
    stamp_add(&stamp, generation_policy(newest)->absolute_path);
    if (!has_changed(generation_stamp(newest), &stamp, &policy_trial)) {
        return false;
    }
    replace_policy(newest);
    return true;
}

/* ---- the files of an identity ------------------------------------------------------ */

/* One identity on its way to new material. */
struct renewal {
    const struct policy *policy;
    const struct policy_identity *identity;
    struct context *old;
    struct trial *trials; /* by part */
    struct material material;
    struct stamp stamps[MATERIAL_PARTS];
    bool replaced[MATERIAL_PARTS];
    bool begun;  /* material is a copy */
    bool broken; /* files changed while they were read, or memory is short */
};

static void
begin(struct renewal *renewal)
{
    if (!renewal->begun) {
        renewal->begun = true;
        renewal->broken =
            material_copy(context_material(renewal->old), &renewal->material) < 0;
    }
}

/* Returns 0; -EINVAL with the problem: that part is as it was. */
static int
load_part(struct renewal *renewal, enum material_part part, const struct stamp *stamp,
          struct first_problem *problem)
{
    problem_init(problem);
    begin(renewal);
    if (renewal->broken || material_load_part(renewal->policy, renewal->identity, part,
                                              &problem->report, &renewal->material) < 0) {
        return -EINVAL;
    }
    struct stamp after = material_stamp(renewal->identity, part);
    renewal->broken = !stamp_equal(&after, stamp);
    renewal->stamps[part] = *stamp;
    renewal->replaced[part] =
        !material_part_equal(&renewal->material, context_material(renewal->old), part);
    return 0;
}

static void
renew_part(struct renewal *renewal, enum material_part part)
{
    struct stamp stamp = material_stamp(renewal->identity, part);
    struct first_problem problem;
    renewal->stamps[part] = *context_stamp(renewal->old, part);
    if (has_changed(&renewal->stamps[part], &stamp, &renewal->trials[part])) {
        if (load_part(renewal, part, &stamp, &problem) < 0) {
            note_failure(&renewal->trials[part], renewal->identity->name, problem.text);
        }
    } else if (part == MATERIAL_CRL && renewal->replaced[MATERIAL_TRUST] &&
               load_part(renewal, part, &stamp, &problem) < 0) {
        /* Lists by those who were trusted before: to be tried until others come. */
        renewal->stamps[part] = (struct stamp){0};
    }
}

static bool
is_replaced(const struct renewal *renewal)
{
    return renewal->replaced[MATERIAL_OWN] || renewal->replaced[MATERIAL_TRUST] ||
           renewal->replaced[MATERIAL_CRL];
}

static struct context *
finish(struct renewal *renewal)
{
    struct context *context = NULL;
    if (!renewal->broken && is_replaced(renewal)) {
        context = context_make(renewal->identity, &renewal->material, renewal->stamps,
                               renewal->old, renewal->replaced);
        if (context != NULL) {
            context_prepare(context, renewal->old);
        }
    } else if (!renewal->broken) {
        /* Touched, no more. */
        for (enum material_part part = MATERIAL_OWN; part < MATERIAL_PARTS; part++) {
            context_set_stamp(renewal->old, part, &renewal->stamps[part]);
        }
    }
    material_done(&renewal->material);
    return context;
}

/* Files that could not be read at start may be by now. */
static struct context *
find_lost(const struct policy *policy, const struct policy_identity *identity,
          const struct context *old, struct trial trial[MATERIAL_PARTS])
{
    struct policy_report silent = {.problem = problem_ignore};
    struct stamp stamp = material_stamp(identity, MATERIAL_OWN);
    if (!has_changed(context_stamp(old, MATERIAL_OWN), &stamp, &trial[MATERIAL_OWN])) {
        return NULL;
    }
    struct context *context = context_load(policy, identity, true, &silent);
    if (context != NULL && !context_has_material(context)) {
        context_unref(context);
        context = NULL;
    }
    return context;
}

/* Returns what the identity is to have from now on; NULL = what it has. */
static struct context *
renew(const struct generation *newest, const struct policy_identity *identity,
      bool replaced[MATERIAL_PARTS])
{
    struct renewal renewal = {
        .policy = generation_policy(newest),
        .identity = identity,
        .old = generation_context(newest, identity),
        .trials = trials[identity->index],
    };
    if (!context_has_material(renewal.old)) {
        return find_lost(renewal.policy, identity, renewal.old, renewal.trials);
    }
    for (enum material_part part = MATERIAL_OWN; part < MATERIAL_PARTS; part++) {
        renew_part(&renewal, part);
    }
    memcpy(replaced, renewal.replaced, sizeof(renewal.replaced));
    return finish(&renewal);
}

static void
log_renewed(const struct generation *generation, size_t i,
            const bool replaced[MATERIAL_PARTS])
{
    const struct policy_identity *identity =
        &generation_policy(generation)->identities[i];
    const struct context *context = generation_context(generation, identity);
    for (enum material_part part = MATERIAL_OWN; part < MATERIAL_PARTS; part++) {
        if (replaced[part]) {
            log_part(identity, part, context_material(context));
        }
    }
}

static void
look_at_identities(const struct generation *newest)
{
    const struct policy *policy = generation_policy(newest);
    struct context **contexts =
        calloc(policy->identity_count + 1, sizeof(struct context *));
    bool(*replaced)[MATERIAL_PARTS] =
        calloc(policy->identity_count + 1, sizeof(*replaced));
    bool any = false;
    for (size_t i = 0; i < policy->identity_count && contexts != NULL &&
                       replaced != NULL && trials != NULL;
         i++) {
        contexts[i] = renew(newest, &policy->identities[i], replaced[i]);
        any = any || contexts[i] != NULL;
    }
    struct generation *generation = any ? generation_renew(newest, contexts) : NULL;
    if (generation != NULL) {
        install(generation);
        for (size_t i = 0; i < policy->identity_count; i++) {
            if (contexts[i] != NULL) {
                log_renewed(generation, i, replaced[i]);
            }
        }
    }
    free(contexts);
    free(replaced);
}

/* ---- looking ----------------------------------------------------------------------- */

static void
look(void)
{
    GENERATION_SCOPE *newest = generation_acquire();
    if (!look_at_policy(newest)) {
        look_at_identities(newest);
    }
    GENERATION_SCOPE *now = generation_acquire();
    expiry_look(now);
}

void
reload_start(bool is_descendant)
{
    GENERATION_SCOPE *first = generation_acquire();
    log_policy(generation_policy(first));
    forget_trials(generation_policy(first));
    expiry_start(first, is_descendant);
    recheck_all();
    atomic_store(&next_look_ms, coarse_ms() + RELOAD_LOOK_MS);
}

int
reload_wait_ms(void)
{
    int64_t rest = atomic_load(&next_look_ms) - coarse_ms();
    return rest > RELOAD_LOOK_MS ? RELOAD_LOOK_MS
           : rest > 0            ? (int)rest + TICK_MS
                                 : TICK_MS;
}

void
reload_look(void)
{
    int64_t now = coarse_ms();
    if (now < atomic_load_explicit(&next_look_ms, memory_order_relaxed) ||
        atomic_load_explicit(&looking, memory_order_relaxed)) {
        return;
    }
    int errno_before = errno;
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    session_fork_enter(); /* a fork waits: its child is to find this in one piece */
    if (!atomic_exchange(&looking, true)) {
        if (now >= atomic_load(&next_look_ms)) { /* or another has looked meanwhile */
            atomic_store(&next_look_ms, now + RELOAD_LOOK_MS);
            look();
            audit_flush(false);
        }
        atomic_store(&looking, false);
    }
    session_fork_leave();
    if (!service_is_running() && recheck_is_due()) {
        (void)recheck_run();
    }
    pthread_setcancelstate(cancel_state, NULL);
    errno = errno_before;
}
