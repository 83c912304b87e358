/*
 * Any bytes as a policy: it is refused with words, or what comes out of it holds together
 * and can be matched and explained. Byte 0 chooses what is looked for, the rest is the
 * file.
 */
#include "config/policy.h"
#include "config/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/fuzz.h"

#define POLICY_LEN_MAX 16384

static int told;

static void
on_problem(void *context, const struct policy_problem *problem)
{
    const char *text = problem->text;

    require(context == &told);
    require(problem->path != NULL && problem->line >= 0);
    /* The checks of lines are to be stricter than inih's. */
    require(strcmp(text, "cannot be read") != 0);
    for (; *text != '\0'; text++) {
        require((unsigned char)*text >= ' ' && *text != 0x7f);
    }
    told++;
}

static void
check_file(const struct policy_identity *identity, const char *path, int line)
{
    require(path[0] == '/' && line > identity->line);
}

static void
check_identity(const struct policy *policy, const struct policy_identity *identity)
{
    require(identity == &policy->identities[identity->index]);
    require(identity->name[0] != '\0' && identity->line > 0);
    if (identity->pkcs12 != NULL) {
        require(identity->certificate == NULL && identity->private_key == NULL);
        check_file(identity, identity->pkcs12, identity->pkcs12_line);
    } else {
        check_file(identity, identity->certificate, identity->certificate_line);
        check_file(identity, identity->private_key, identity->private_key_line);
    }
    check_file(identity, identity->trust, identity->trust_line);
    if (identity->crl != NULL) {
        check_file(identity, identity->crl, identity->crl_line);
    }
    require(identity->crl != NULL || !identity->expired_crl_is_insecurely_used);
    require(identity->ocsp != POLICY_OCSP_OFF || identity->ocsp_timeout_ms > 0);
    require(identity->min_version <= identity->max_version);
    for (size_t i = 0; identity->groups != NULL && identity->groups[i] != NULL; i++) {
        require(groups_find(identity->groups[i]) != NULL && i < GROUPS_COUNT_MAX);
    }
}

static void
check_rule(const struct policy *policy, const struct policy_rule *rule)
{
    require(rule->name[0] != '\0' && rule->line > 0);
    require(rule->mode != POLICY_MODE_PERMISSIVE || rule->direction == POLICY_INBOUND);
    require((rule->mode != POLICY_MODE_MTLS && rule->mode != POLICY_MODE_PERMISSIVE) ||
            rule->identity != NULL);
    require(rule->permissive_wait_ms >= 0 && rule->permissive_wait_ms <= 60000);
    require(rule->direction == POLICY_OUTBOUND || rule->verify != POLICY_VERIFY_NAME);
    require(rule->direction == POLICY_OUTBOUND || rule->peer_name == NULL);
    require(rule->verify != POLICY_VERIFY_IDENTITY || rule->allow_count > 0);
    if (rule->identity != NULL) {
        check_identity(policy, rule->identity);
    }
    for (size_t i = 0; i < rule->allow_count; i++) {
        require(rule->allow[i].text[0] != '\0');
    }
    for (size_t i = 0; i < rule->deny_count; i++) {
        require(rule->deny[i].text[0] != '\0');
    }
}

static void
check_policy(const struct policy *policy)
{
    require(policy->connect_wait_ms >= 0);
    require(policy->connect_wait_ms <= policy->handshake_timeout_ms);
    require((policy->log == POLICY_LOG_FILE) == (policy->log_path != NULL));
    require(policy->default_inbound.mode == POLICY_MODE_DENY ||
            policy->default_inbound.mode == POLICY_MODE_PLAINTEXT);
    require(policy->default_outbound.mode == POLICY_MODE_DENY ||
            policy->default_outbound.mode == POLICY_MODE_PLAINTEXT);
    for (size_t i = 0; i < policy->identity_count; i++) {
        check_identity(policy, &policy->identities[i]);
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        check_rule(policy, &policy->rules[i]);
    }
}

static void
look_for(const struct policy *policy, uint8_t how)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(80),
                             .sin_addr.s_addr = htonl(0x0a000001)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(80),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in port = {.sin_family = AF_UNSPEC, .sin_port = htons(80)};
    const struct sockaddr *const ends[] = {NULL, (const struct sockaddr *)&v4,
                                           (const struct sockaddr *)&v6,
                                           (const struct sockaddr *)&port};
    struct policy_query query = {
        .direction = (how & 1) != 0 ? POLICY_INBOUND : POLICY_OUTBOUND,
        .service = (how & 2) != 0 ? "web" : NULL,
        .program = (how & 4) != 0 ? "/usr/bin/web" : NULL,
        .user = (how & 8) != 0 ? "root" : NULL,
        .remote = ends[how >> 4 & 3],
        .local = ends[how >> 6 & 3],
        .dialled_name = (how & 8) != 0 ? "Web.Internal." : NULL,
    };
    const struct policy_rule *rule = policy_match(policy, &query);
    FILE *out = fopen("/dev/null", "we");

    require(rule != NULL && rule->direction == query.direction);
    require(!policy_direction_is_plaintext(policy, query.direction) ||
            rule->mode == POLICY_MODE_PLAINTEXT);
    require(out != NULL);
    require(policy_explain(policy, &query, out) == rule);
    fclose(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    struct policy_report report = {on_problem, &told, 0};
    struct policy *policy;
    char path[64];
    int fd;

    if (len < 1 || len > POLICY_LEN_MAX) {
        return 0;
    }
    fd = memfd_create("policy.ini", MFD_CLOEXEC);
    require(fd >= 0);
    require(write(fd, input + 1, len - 1) == (ssize_t)(len - 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    told = 0;
    policy = policy_load(path, &report);
    close(fd);
    require(report.count == told);
    require((policy == NULL) == (told > 0));
    if (policy != NULL) {
        check_policy(policy);
        look_for(policy, input[0]);
        policy_free(policy);
    }
    return 0;
}
