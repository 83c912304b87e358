#include "shim/session/metrics.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "config/condition.h"
#include "config/crl_list.h"
#include "shim/session/context.h"
#include "shim/session/metrics_open.h"
#include "shim/session/metrics_series.h"
#include "shim/session/session.h"

/* ---- what is so, rather than counted -------------------------------------------------
 */

/* The oldest of the lists tells the age of all. */
static void
fill_crl(struct metrics_identity *to, const struct material_blob *crl)
{
    struct der_span rest = {crl->data, crl->len};
    struct der_item item;
    struct crl_list list;
    while (der_next(&rest, &item)) {
        if (!crl_list_read(item.whole, &list)) {
            continue;
        }
        if (to->crl_this_update == 0 || list.this_update < to->crl_this_update) {
            to->crl_this_update = list.this_update;
        }
        if (to->crl_next_update == 0 || list.next_update < to->crl_next_update) {
            to->crl_next_update = list.next_update;
        }
    }
}

static void
fill_identities(struct metrics_live *live, const struct generation *generation)
{
    const struct policy *policy = generation_policy(generation);
    uint32_t count = 0;
    for (size_t i = 0; i < policy->identity_count && count < METRICS_IDENTITIES_MAX;
         i++) {
        const struct policy_identity *identity = &policy->identities[i];
        const struct context *context = generation_context(generation, identity);
        if (!context_has_material(context)) {
            continue;
        }
        const struct material *material = context_material(context);
        struct metrics_identity *to = &live->identities[count++];
        memset(to, 0, sizeof(*to));
        metrics_series_copy_text(to->name, identity->name, sizeof(to->name));
        to->not_after = material->not_after;
        fill_crl(to, &material->crl);
    }
    atomic_store(&live->identity_count, count);
}

static void
fill(struct metrics_live *live)
{
    GENERATION_SCOPE *newest = generation_acquire();
    metrics_series_make_process(live);
    if (newest == NULL) {
        return;
    }
    metrics_series_begin(live);
    fill_identities(live, newest);
    atomic_store(&live->policy_modified_s,
                 generation_stamp(newest)->newest_ns / 1000000000);
    atomic_store(&live->loaded_s, time(NULL));
    metrics_series_end(live);
}

/* ---- what will be counted -------------------------------------------------------------
 */

enum { RULES_MAX = METRICS_SERIES_MAX / 2 }; /* that have a series before they are used */

/* Who this process is to a policy's rules; users may change. */
static struct policy_query self;

static bool
may_apply(const struct policy_rule *rule, const struct condition_facts *facts)
{
    return condition_holds(rule->conditions, CONDITION_SERVICE, facts) &&
           condition_holds(rule->conditions, CONDITION_PROGRAM, facts);
}

static void
make_series_of(struct metrics_live *live, const struct policy_rule *rule)
{
    (void)metrics_series(
        live, rule->direction == POLICY_INBOUND ? METRICS_INBOUND : METRICS_OUTBOUND,
        rule->name);
}

/* A counter must be seen at 0: whoever looks for an increase misses the first event where
 * that makes the counter.  A fork's child leaves that to its parent. */
static void
make_series(struct metrics_live *live, const struct policy *policy)
{
    struct condition_facts facts;
    condition_facts(&self, &facts);
    make_series_of(live, &policy->default_inbound);
    make_series_of(live, &policy->default_outbound);
    for (size_t i = 0; i < policy->rule_count && i < RULES_MAX; i++) {
        if (may_apply(&policy->rules[i], &facts)) {
            make_series_of(live, &policy->rules[i]);
        }
    }
}

int
metrics_start(const struct policy *policy, const char *program, const char *service)
{
    if (policy->metrics_dir == NULL) {
        return 0;
    }
    int result = metrics_file_start(policy->metrics_dir, program, service);
    self = (struct policy_query){.program = program, .service = service};
    /* Who serves nobody yet is seen, too. */
    struct metrics_live *live = result == 0 ? metrics_file(fill) : NULL;
    if (live != NULL) {
        make_series(live, policy);
    }
    return result;
}

/* ---- what is counted ------------------------------------------------------------------
 */

static void
count_reload(struct metrics_live *live, bool failed)
{
    struct metrics_series *series = metrics_series_of_process(live);
    atomic_store(&live->reload_s, time(NULL));
    atomic_store(&live->reload_failed, failed);
    metrics_series_add(series, failed ? METRICS_RELOADS_FAILED : METRICS_RELOADS, 1);
}

void
metrics_renew(void)
{
    struct metrics_live *live = metrics_file(fill);
    GENERATION_SCOPE *newest = generation_acquire();
    if (live != NULL && newest != NULL) {
        fill(live);
        make_series(live, generation_policy(newest));
        count_reload(live, false);
    }
}

static void
count_handshake(struct metrics_series *series, const struct audit_record *record)
{
    int bucket = 0;
    while (bucket < METRICS_BUCKET_COUNT &&
           record->handshake_us > metrics_series_bounds_us[bucket]) {
        bucket++;
    }
    if (bucket < METRICS_BUCKET_COUNT) {
        metrics_series_add(series, METRICS_HANDSHAKE_BUCKET + bucket, 1);
    }
    metrics_series_add(series, METRICS_HANDSHAKE_US, (uint64_t)record->handshake_us);
    metrics_series_add(series, METRICS_RESUMED, record->resumed > 0);
    metrics_series_add(series, METRICS_CONNECTIONS, 1);
}

static void
count_connection(struct metrics_series *series, const struct audit_record *record)
{
    const struct failure *failure = record->failure;
    int reason = failure != NULL && (unsigned)failure->reason < REASON_COUNT
                     ? (int)failure->reason
                     : REASON_SHIM_ERROR;
    switch (record->event) {
    case AUDIT_HANDSHAKE_OK:
        count_handshake(series, record);
        break;
    case AUDIT_HANDSHAKE_FAILED:
        metrics_series_add(series, METRICS_FAILED + reason, 1);
        break;
    case AUDIT_DENIED:
        metrics_series_add(series, METRICS_DENIED + reason, 1);
        break;
    case AUDIT_CUT:
        metrics_series_add(series, METRICS_CUT + reason, 1);
        break;
    case AUDIT_OBSERVED:
        metrics_series_add(series, METRICS_OBSERVED, 1);
        metrics_series_add(series, METRICS_PLAINTEXT, 1);
        break;
    case AUDIT_PLAINTEXT:
        metrics_series_add(series, METRICS_PLAINTEXT, 1);
        break;
    default:
        break;
    }
}

static bool
is_of_connection(const struct audit_record *record)
{
    switch (record->event) {
    case AUDIT_HANDSHAKE_OK:
    case AUDIT_HANDSHAKE_FAILED:
    case AUDIT_DENIED:
    case AUDIT_CUT:
    case AUDIT_OBSERVED:
    case AUDIT_PLAINTEXT:
        return record->rule != NULL && record->has_direction;
    default:
        return false;
    }
}

void
metrics_count(const struct audit_record *record)
{
    struct metrics_live *live = metrics_file(fill);
    if (live == NULL) {
        return;
    }
    int errno_before = errno;
    if (record->event == AUDIT_RELOAD_FAILED) {
        count_reload(live, true);
    } else if (is_of_connection(record)) {
        struct metrics_series *series = metrics_series(
            live,
            record->direction == POLICY_INBOUND ? METRICS_INBOUND : METRICS_OUTBOUND,
            record->rule);
        if (series != NULL) {
            count_connection(series, record);
        }
    }
    errno = errno_before;
}

void
metrics_count_dropped(void)
{
    struct metrics_live *live = metrics_file(fill);
    if (live != NULL) {
        metrics_series_add(metrics_series_of_process(live), METRICS_LOG_DROPPED, 1);
    }
}

/* ---- connections ----------------------------------------------------------------------
 */

void
metrics_attach(struct handle *handle)
{
    struct metrics_live *live = metrics_file(fill);
    bool is_open =
        handle->handed_over || atomic_load(&handle->session->state) == SESSION_OPEN;
    if (live != NULL && is_open) {
        metrics_open_attach(handle, live);
    }
}

void
metrics_detach(struct handle *handle)
{
    struct metrics_live *live =
        atomic_load(&handle->is_counted) ? metrics_file(fill) : NULL;
    /* What shares our memory, or was made behind our back, leaves our file alone. */
    if (live != NULL && !session_is_stranger()) {
        metrics_open_detach(handle, live);
    }
    atomic_store(&handle->is_counted, false);
}

void
metrics_fork_child(void)
{
    metrics_file_fork_child();
    metrics_open_fork_child();
}

void
metrics_end(void)
{
    metrics_file_end();
}
