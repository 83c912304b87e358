#include "tools/ctl/verdict.h"

#include "config/crl.h"
#include "config/trust.h"
#include "shim/session/path.h"
#include "shim/session/revocation.h"
#include "tools/ctl/paint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

/* ---- the chain --------------------------------------------------------------------- */

/* As the shim does it. */
static int
verify_chain(const struct material *material, const struct shown *shown,
             const struct policy_rule *rule, struct chain_path *path,
             struct failure *failure)
{
    struct der_span certs[CHAIN_COUNT_MAX];
    struct path_anchors *anchors =
        path_anchors_new(&material->trust, rule->identity->trust);
    struct chain *chain;
    int rc = -EPROTO;

    for (int i = 0; i < shown->count; i++) {
        certs[i] = (struct der_span){shown->certs[i].der, shown->certs[i].der_len};
    }
    chain = chain_intern(certs, shown->count);
    if (anchors == NULL || chain == NULL) {
        failure_set(failure, REASON_SHIM_ERROR, "%s", strerror(ENOMEM));
    } else {
        rc = path_check(anchors, chain, rule->direction == POLICY_INBOUND, path, failure);
    }
    chain_unref(chain);
    path_anchors_free(anchors);
    return rc;
}

/* ---- revocation -------------------------------------------------------------------- */

static int
add_to_chain(void *context, const struct certs_one *cert)
{
    return cert->error == 0 ? certs_append(context, cert) : 0;
}

/* Our own chain may hold the intermediate CAs that signed lists; the key is not read. */
static void
load_chain(const struct policy_identity *identity, struct material_blob *chain)
{
    struct policy_report silent = {problem_ignore, NULL, 0};
    const struct problem_place place = {&silent, "", 0, identity->certificate};
    struct file file;

    if (identity->certificate != NULL && file_read(identity->certificate, &file) == 0) {
        (void)certs_each(&place, &file, add_to_chain, chain);
        file_done(&file);
    }
}

static int
load_lists(const struct policy *policy, const struct policy_identity *identity,
           struct policy_report *report, struct material *material)
{
    const struct problem_place place = {report, policy->path, identity->crl_line,
                                        identity->crl};

    if (identity->crl == NULL) {
        return 0;
    }
    load_chain(identity, &material->chain);
    return crl_load(&place, material, &material->crl);
}

/* ---- the verdict ------------------------------------------------------------------- */

/* The name that is verified: as the shim finds it. */
static const char *
reference_name(const struct policy_rule *rule, const struct policy_query *query,
               char literal[INET6_ADDRSTRLEN])
{
    const struct sockaddr *remote = query->remote;
    const void *bytes;

    if (rule->peer_name != NULL || query->dialled_name != NULL) {
        return rule->peer_name != NULL ? rule->peer_name : query->dialled_name;
    }
    if (remote == NULL || remote->sa_family == AF_UNSPEC) {
        return NULL;
    }
    bytes =
        remote->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)remote)
                  ->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)remote)->sin_addr;
    return inet_ntop(remote->sa_family, bytes, literal, INET6_ADDRSTRLEN);
}

/* The first entry of allow that names the peer; NULL without one. */
static const struct policy_peer *
allowed_by(const struct policy_rule *rule, const struct certs_one *leaf)
{
    for (size_t i = 0; i < rule->allow_count; i++) {
        struct policy_rule one = *rule;
        struct peer peer;
        struct failure failure;

        one.verify = POLICY_VERIFY_CHAIN;
        one.allow = &rule->allow[i];
        one.allow_count = 1;
        one.deny_count = 0;
        if (peer_judge(leaf->der, leaf->der_len, &one, NULL, &peer, &failure) == 0) {
            return &rule->allow[i];
        }
    }
    return NULL;
}

static struct failure *
next_failure(struct verdict *verdict)
{
    return &verdict->failures[verdict->failure_count++];
}

static void
judge_chain_of(const struct material *material, const struct shown *shown,
               struct chain_path *path, struct verdict *verdict)
{
    struct failure failure;

    if (verify_chain(material, shown, verdict->rule, path, &failure) != 0) {
        *next_failure(verdict) = failure;
    }
}

/* Without a path, whether it was revoked is still worth telling of the peer's own. */
static void
judge_revocation_of(const struct material *material, const struct shown *shown,
                    const struct chain_path *path, struct verdict *verdict)
{
    const struct policy_identity *identity = verdict->rule->identity;

    for (int i = 0; identity->crl != NULL && (i < path->count || i == 0); i++) {
        const struct certs_one *one = &shown->certs[path->at[i]];
        const struct der_span cert = {one->der, one->der_len};
        struct failure failure;

        if (revocation_check(identity, &material->crl, cert, &failure) != 0) {
            *next_failure(verdict) = failure;
            return;
        }
    }
}

static void
judge(const struct material *material, const struct shown *shown, const char *name,
      struct verdict *verdict)
{
    const struct certs_one *leaf = &shown->certs[0];
    struct chain_path path = {.count = 0};
    struct failure failure;

    judge_chain_of(material, shown, &path, verdict);
    judge_revocation_of(material, shown, &path, verdict);
    if (peer_judge(leaf->der, leaf->der_len, verdict->rule, name, &verdict->peer,
                   &failure) != 0) {
        *next_failure(verdict) = failure;
    }
    verdict->allowed_by = allowed_by(verdict->rule, leaf);
}

int
verdict_make(const struct policy *policy, const struct policy_rule *rule,
             const struct policy_query *query, const struct shown *shown,
             struct verdict *verdict)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    const struct policy_identity *identity = rule->identity;
    const struct problem_place place = {&report, policy->path, identity->trust_line,
                                        identity->trust};
    bool by_name =
        rule->direction == POLICY_OUTBOUND && rule->verify == POLICY_VERIFY_NAME;
    struct material material = {.not_after = 0};
    char literal[INET6_ADDRSTRLEN];
    const char *name = by_name ? reference_name(rule, query, literal) : NULL;
    int rc = -EINVAL;

    memset(verdict, 0, sizeof(*verdict));
    verdict->rule = rule;
    if (name != NULL) {
        snprintf(verdict->name, sizeof(verdict->name), "%s", name);
    }
    if (trust_load(&place, &material.trust) == 0 &&
        load_lists(policy, identity, &report, &material) == 0) {
        judge(&material, shown, name, verdict);
        rc = 0;
    }
    material_done(&material);
    return rc;
}

/* ---- telling ----------------------------------------------------------------------- */

void
verdict_print_peer(FILE *out, const struct verdict *verdict)
{
    const struct peer *peer = &verdict->peer;

    fprintf(out, "  peer        %s, serial %s\n", peer->subject, peer->serial);
    fprintf(out, "  names       %s\n", peer->san[0] != '\0' ? peer->san : "none");
    fprintf(out, "  issuer      %s\n", peer->issuer);
}

static void
print_let_in(FILE *out, const struct verdict *verdict)
{
    const struct policy_peer *entry = verdict->allowed_by;

    fprintf(out, "%s=> the peer is let in: trust vouches for it",
            paint_on(out, PAINT_GOOD));
    if (verdict->rule->identity->crl != NULL) {
        fprintf(out, ", crl has it not");
    }
    if (verdict->name[0] != '\0') {
        fprintf(out, ", it is for %s", verdict->name);
    }
    if (entry != NULL) {
        fprintf(out, ", allow has it as %s:%s", policy_peer_kind_name(entry->kind),
                entry->text);
    }
    fprintf(out, "%s%s\n", verdict->rule->deny_count > 0 ? ", deny has it not" : "",
            paint_off(out));
}

void
verdict_print(FILE *out, const struct verdict *verdict)
{
    for (int i = 0; i < verdict->failure_count; i++) {
        const struct failure *failure = &verdict->failures[i];

        fprintf(out, "%s=> the peer is refused: %s: %s%s\n", paint_on(out, PAINT_BAD),
                reason_code(failure->reason), failure->detail, paint_off(out));
    }
    if (verdict->failure_count == 0) {
        print_let_in(out, verdict);
    }
}

void
verdict_json(struct json *json, const struct verdict *verdict)
{
    const struct policy_rule *rule = verdict->rule;

    json_open(json, NULL);
    json_text(json, "rule", rule->name);
    json_text(json, "direction",
              rule->direction == POLICY_OUTBOUND ? "outbound" : "inbound");
    json_number(json, "line", rule->line);
    json_text(json, "verdict", verdict->failure_count == 0 ? "let_in" : "refused");
    if (verdict->name[0] != '\0') {
        json_text(json, "name", verdict->name);
    }
    if (verdict->failure_count == 0 && verdict->allowed_by != NULL) {
        char text[512];

        snprintf(text, sizeof(text), "%s:%s",
                 policy_peer_kind_name(verdict->allowed_by->kind),
                 verdict->allowed_by->text);
        json_text(json, "allowed_by", text);
    }
    json_open_list(json, "reasons");
    for (int i = 0; i < verdict->failure_count; i++) {
        json_open(json, NULL);
        json_text(json, "reason", reason_code(verdict->failures[i].reason));
        json_text(json, "detail", verdict->failures[i].detail);
        json_close(json);
    }
    json_close(json);
    json_close(json);
}
