/* mtlsctl check: a policy, looked at as the shim will. */
#include "tools/ctl/ctl.h"

#include "config/material.h"
#include "config/policy.h"
#include "tools/ctl/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct options_page page = {
    .command = "check",
    .usage = "usage: mtlsctl check POLICY\n",
    .about = "Loads a policy and the files of its identities as the shim would, and "
             "shows every\n"
             "problem as \"POLICY:LINE: TEXT\"; as warnings, rules that let plaintext\n"
             "through, and certificates within expiry_warning of their end.\n",
    .notes = "Exit status: 0 when all is well, 2 for a wrong command line, 78 for a bad "
             "policy.\n",
    .operand = "POLICY",
    .operands = OPTIONS_ONE,
};

static void
print_identity(const struct policy_identity *identity, const struct material *material)
{
    time_t end = (time_t)material->not_after;
    char until[64] = "?";
    struct tm tm;

    if (gmtime_r(&end, &tm) != NULL) {
        strftime(until, sizeof(until), "%Y-%m-%d %H:%M:%S UTC", &tm);
    }
    printf("  identity %s: serial %s, valid until %s\n", identity->name, material->serial,
           until);
}

static void
warn_of_end(const struct policy *policy, const struct policy_identity *identity,
            const struct material *material)
{
    int64_t left_s = material->not_after - (int64_t)time(NULL);
    int line =
        identity->pkcs12 != NULL ? identity->pkcs12_line : identity->certificate_line;

    if (left_s < policy->expiry_warning_ms / 1000) {
        printf("%s:%d: warning: [identity %s]: the certificate ends in %lld days\n",
               policy->path, line, identity->name, (long long)left_s / 86400);
    }
}

static int
check_identities(const struct policy *policy, struct policy_report *report, bool print)
{
    int rc = 0;

    for (size_t i = 0; i < policy->identity_count; i++) {
        struct material material;

        if (material_load(policy, &policy->identities[i], report, &material) != 0) {
            rc = -1;
        } else if (print) {
            print_identity(&policy->identities[i], &material);
            warn_of_end(policy, &policy->identities[i], &material);
        }
        material_done(&material);
    }
    return rc;
}

/* What is in order, and yet not to be forgotten. */
static void
print_warnings(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        const char *what = rule->mode == POLICY_MODE_PERMISSIVE ? "plaintext is let in"
                           : rule->mode == POLICY_MODE_OBSERVE  ? "nothing is protected"
                                                                : NULL;

        if (what != NULL) {
            printf("%s:%d: warning: [%s %s]: mode = %s: %s\n", policy->path, rule->line,
                   rule->direction == POLICY_INBOUND ? "inbound" : "outbound", rule->name,
                   policy_mode_name(rule->mode), what);
        }
    }
}

static int
check(const char *path)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct policy *policy = policy_load(path, &report);

    if (policy == NULL || check_identities(policy, &report, false) != 0) {
        policy_free(policy);
        return POLICY_EXIT_CONFIG;
    }
    printf(
        "%s: no problems: identities %zu, rules %zu; default inbound %s, outbound %s\n",
        path, policy->identity_count, policy->rule_count,
        policy_mode_name(policy->default_inbound.mode),
        policy_mode_name(policy->default_outbound.mode));
    check_identities(policy, &report, true);
    print_warnings(policy);
    policy_free(policy);
    return EXIT_SUCCESS;
}

int
ctl_check(int argc, char **argv)
{
    int status = options_read(&page, NULL, 0, argc, argv);

    return status >= 0 ? status : check(argv[optind]);
}
