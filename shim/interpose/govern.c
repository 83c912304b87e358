#include "shim/interpose/govern.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/interpose/load.h"
#include "shim/interpose/names.h"
#include "shim/interpose/real.h"
#include "shim/session/audit.h"
#include "shim/session/context.h"
#include "shim/session/permissive.h"
#include "shim/session/reload.h"
#include "shim/session/table.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

bool
govern_address(const struct sockaddr *address, socklen_t len, union session_address *copy)
{
    if (address == NULL || len < sizeof(sa_family_t)) {
        return false;
    }
    /* What is too short here must be too short for the kernel, too: it takes an IPv6
     * address without its last member (SIN6_LEN_RFC2133). */
    size_t need = address->sa_family == AF_INET ? sizeof(copy->in)
                  : address->sa_family == AF_INET6
                      ? offsetof(struct sockaddr_in6, sin6_scope_id)
                      : 0;
    if (need == 0 || len < need) {
        return false;
    }
    memset(copy, 0, sizeof(*copy));
    memcpy(copy, address, len < sizeof(*copy) ? len : sizeof(*copy));
    return true;
}

static bool
is_tcp(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof(protocol);
    int errno_before = errno;
    bool known = real.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0;
    errno = errno_before;
    return known && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

static void
log_decision(const struct policy_rule *rule, enum audit_event event,
             const struct policy_query *query, const struct failure *failure,
             const char *detail)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = event;
    line.rule = rule->name;
    line.mode = govern_leaves_plaintext(rule) ? policy_mode_name(rule->mode) : NULL;
    line.has_direction = true;
    line.direction = query->direction;
    line.local = query->local;
    line.remote = query->remote;
    line.dialled_name = query->dialled_name;
    line.failure = failure;
    line.detail = detail;
    audit_write(&line);
}

static const struct policy_rule *
find_rule(const struct policy *policy, struct policy_query *query, uid_t uid)
{
    const struct load_process *process = load_process();
    query->service = process->service;
    query->program = process->program;
    query->user = load_user(uid);
    return policy_match(policy, query);
}

/* What mtls would have done, as far as that shows without touching the connection. */
static void
log_observed(int fd, const struct ruling *ruling, const struct policy_query *query)
{
    const struct policy_rule *rule = ruling->rule;
    char words[320];
    const char *name = rule->peer_name != NULL ? rule->peer_name : query->dialled_name;
    bool speaks = query->direction == POLICY_INBOUND;
    enum permissive_word word = speaks ? permissive_listen(fd) : PERMISSIVE_SILENCE;
    const char *identity = rule->identity == NULL ? "; the rule has no identity yet"
                           : !context_has_material(ruling_context(ruling))
                               ? "; this user may not read the files of its identity"
                               : "";
    if (speaks) {
        const char *peer = word == PERMISSIVE_TLS ? ", and the client begins with TLS"
                           : word == PERMISSIVE_PLAINTEXT
                               ? ", and the client, which begins in plaintext, be refused"
                               : "";
        snprintf(words, sizeof(words),
                 "left as it is; with mtls the client would have to prove who it is%s%s",
                 peer, identity);
    } else if (rule->verify == POLICY_VERIFY_NAME) {
        snprintf(words, sizeof(words),
                 "left as it is; with mtls the server would have to prove that it is "
                 "%.160s%s",
                 name != NULL ? name : "at its address", identity);
    } else {
        snprintf(words, sizeof(words),
                 "left as it is; with mtls the server would have to prove who it is%s",
                 identity);
    }
    log_decision(rule, AUDIT_OBSERVED, query, NULL, words);
}

static void
log_rule(int fd, const struct ruling *ruling, const struct policy_query *query)
{
    const struct policy_rule *rule = ruling->rule;
    struct failure failure;
    switch (rule->mode) {
    case POLICY_MODE_MTLS:
    case POLICY_MODE_PERMISSIVE:
        break; /* the session tells */
    case POLICY_MODE_PLAINTEXT:
        log_decision(rule, AUDIT_PLAINTEXT, query, NULL, NULL);
        break;
    case POLICY_MODE_OBSERVE:
        log_observed(fd, ruling, query);
        break;
    case POLICY_MODE_DENY:
        failure_set(&failure, REASON_DENIED_BY_RULE, NULL);
        log_decision(rule, AUDIT_DENIED, query, &failure, NULL);
        break;
    }
}

bool
govern_leaves_plaintext(const struct policy_rule *rule)
{
    return rule == NULL || rule->mode == POLICY_MODE_PLAINTEXT ||
           rule->mode == POLICY_MODE_OBSERVE;
}

bool
govern_wants_session(const struct policy_rule *rule)
{
    return rule->mode == POLICY_MODE_MTLS || rule->mode == POLICY_MODE_PERMISSIVE;
}

/* The rule for another name of the address, if that does not leave it in plaintext. */
static const struct policy_rule *
find_stricter(const struct policy *policy, struct policy_query *query,
              const struct policy_rule *rule, char *name)
{
    const char *dialled = query->dialled_name;
    char other[SESSION_NAME_LEN];
    unsigned at = 0;
    while (names_ruled((const void *)query->remote, &at, other)) {
        query->dialled_name = other;
        const struct policy_rule *stricter = find_rule(policy, query, geteuid());
        if (!govern_leaves_plaintext(stricter)) {
            memcpy(name, other, sizeof(other));
            query->dialled_name = name;
            return stricter;
        }
    }
    query->dialled_name = dialled;
    return rule;
}

/* For a connection of which it cannot be told any more which rule it falls under. */
static const struct policy_rule *
refuse_forgotten(const struct policy_query *query)
{
    static const struct policy_rule rule = {.name = "default_outbound",
                                            .mode = POLICY_MODE_DENY};
    struct failure failure;
    failure_set(&failure, REASON_DENIED_BY_RULE,
                "the name that this address was resolved from is forgotten, since "
                "thousands came after it: resolve it again, or have the rule give "
                "addresses");
    log_decision(&rule, AUDIT_DENIED, query, &failure, NULL);
    return &rule;
}

struct ruling
govern_connection(int fd, enum policy_direction direction,
                  const union session_address *local, const union session_address *remote,
                  char *name)
{
    struct ruling ruling = {0};
    if (!load_process()->is_on || !is_tcp(fd)) {
        return ruling;
    }
    reload_look();
    ruling.generation = generation_acquire();
    const struct policy *policy = generation_policy(ruling.generation);
    struct policy_query query = {
        .direction = direction,
        .local = local != NULL ? &local->any : NULL,
        .remote = &remote->any,
        .dialled_name = name != NULL && name[0] != '\0' ? name : NULL,
    };
    ruling.rule = find_rule(policy, &query, geteuid());
    if (name != NULL && govern_leaves_plaintext(ruling.rule)) {
        ruling.rule = find_stricter(policy, &query, ruling.rule, name);
        if (govern_leaves_plaintext(ruling.rule) && names_were_forgotten(remote)) {
            ruling.rule = refuse_forgotten(&query);
            return ruling;
        }
    }
    log_rule(fd, &ruling, &query);
    return ruling;
}

struct ruling
govern_foreign(const union session_address *remote)
{
    reload_look();
    struct ruling ruling = {.generation = generation_acquire()};
    ruling.rule = policy_match_any(generation_policy(ruling.generation), &remote->any);
    return ruling;
}

bool
govern_may(int fd)
{
    return load_process()->is_on && is_tcp(fd);
}

bool
govern_allows_fastopen(int fd)
{
    GENERATION_SCOPE *generation = govern_may(fd) ? generation_acquire() : NULL;
    if (generation == NULL ||
        policy_direction_is_plaintext(generation_policy(generation), POLICY_OUTBOUND)) {
        return true;
    }
    audit_warn("MSG_FASTOPEN was refused: data would leave before TLS protects it");
    return false;
}

static const struct policy_rule *
find_named(const struct policy *policy, const char *name, bool is_server)
{
    const struct policy_rule *rule =
        policy_rule_named(policy, is_server ? POLICY_INBOUND : POLICY_OUTBOUND, name);
    return rule != NULL ? rule
           : is_server  ? &policy->default_inbound
                        : &policy->default_outbound;
}

struct ruling
govern_rule_named(const char *name, bool is_server)
{
    struct ruling ruling = {.generation = generation_acquire()};
    ruling.rule = find_named(generation_policy(ruling.generation), name, is_server);
    return ruling;
}

const struct policy_rule *
govern_again(const struct generation *generation, const struct handle *handle)
{
    const struct policy *policy = generation_policy(generation);
    const struct session *session = handle->session;
    char uid[24];
    if (handle->adopted) {
        /* What it was let in by may ask for the program that it came from. */
        return find_named(policy, session->rule, session->is_server);
    }
    snprintf(uid, sizeof(uid), "%u", session->uid);
    struct policy_query query = {
        .direction = session->is_server ? POLICY_INBOUND : POLICY_OUTBOUND,
        .uid = uid,
        .local = session->is_server ? &session->local.any : NULL,
        .remote = &session->remote.any,
        .dialled_name = session->dialled_name[0] != '\0' ? session->dialled_name : NULL,
    };
    return find_rule(policy, &query, session->uid);
}
