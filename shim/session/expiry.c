#include "shim/session/expiry.h"

#include <stdio.h>
#include <time.h>

#include "config/certs.h"
#include "shim/session/audit.h"
#include "shim/session/context.h"

enum { DAY_S = 24 * 60 * 60 };

static void
warn(const struct policy_identity *identity, const struct material *material, int64_t now)
{
    int64_t days = (material->not_after - now) / DAY_S;
    bool ended = material->not_after < now;
    char when[CERTS_TIME_LEN];
    char words[120];
    struct audit_record line = AUDIT_RECORD_INIT;
    if (ended) {
        snprintf(words, sizeof(words), "our certificate has ended: it was valid until %s",
                 certs_time(material->not_after, when));
    } else {
        snprintf(words, sizeof(words), "our certificate ends in %lld days: at %s",
                 (long long)days, certs_time(material->not_after, when));
    }
    line.event = AUDIT_CERTIFICATE_EXPIRING;
    line.identity = identity->name;
    line.own_serial = material->serial;
    line.detail = words;
    audit_write(&line);
}

static void
look(const struct generation *newest, bool is_told)
{
    const struct policy *policy = generation_policy(newest);
    int64_t warning_s = policy->expiry_warning_ms / 1000;
    int64_t now = time(NULL);
    for (size_t i = 0; i < policy->identity_count && warning_s > 0; i++) {
        const struct policy_identity *identity = &policy->identities[i];
        struct context *context = generation_context(newest, identity);
        const struct material *material = context_material(context);
        int64_t *warned_s = context_warned_s(context);
        if (context_has_material(context) && now >= material->not_after - warning_s &&
            now - *warned_s >= DAY_S) {
            *warned_s = now;
            if (!is_told) {
                warn(identity, material, now);
            }
        }
    }
}

void
expiry_start(const struct generation *first, bool is_descendant)
{
    look(first, is_descendant);
}

void
expiry_look(const struct generation *newest)
{
    look(newest, false);
}
