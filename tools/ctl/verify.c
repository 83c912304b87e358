/* mtlsctl verify: whether a certificate would be let in, without a connection. */
#include "tools/ctl/ctl.h"

#include "tools/ctl/ask.h"
#include "tools/ctl/describe.h"
#include "tools/ctl/options.h"
#include "tools/ctl/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

static const struct options_page page = {
    .command = "verify",
    .usage = "usage: mtlsctl verify CERT... -p POLICY [--rule NAME | --inbound "
             "ADDRESS:PORT |\n"
             "           --outbound HOST:PORT] [OPTION...]\n"
             "       mtlsctl verify CERT... --trust FILE --server|--client [OPTION...]\n",
    .about = "Says whether a certificate would be let in, by which rule, and if not, "
             "why. It is\n"
             "judged as a handshake would, and nothing is sent. Files of one chain: the "
             "peer's\n"
             "own certificate first, those of intermediate CAs behind it, in the same "
             "file or\n"
             "others.\n",
    .notes =
        "Exit status: 0 let in (by one rule at least), 1 refused, 2 for a wrong command "
        "line\n"
        "or a file that holds no certificate, 78 for a bad policy.\n",
    .operand = "CERT",
    .operands = OPTIONS_MANY,
};

struct options {
    const char *policy;
    const char *rule;
    const char *trust;
    const char *crl;
    const char *name;
    bool server;
    bool client;
    bool json;
    struct ask_options ask;
};

/* What is judged, by what, and what came of it. */
struct verify {
    const struct options *options;
    const struct policy *policy;
    struct asked asked;
    struct shown shown;
    struct json json;
    int asked_count;
    int let_in_count;
    bool is_broken; /* trust or crl of a rule cannot be read */
};

/* ---- the command line -------------------------------------------------------------- */

/* Returns -1 when the options go together, else the exit status. */
static int
check_options(const struct options *options)
{
    int chosen = (options->rule != NULL) + (options->ask.inbound != NULL) +
                 (options->ask.outbound != NULL);

    if ((options->policy == NULL) == (options->trust == NULL)) {
        return options_wrong(&page, "-p, --trust",
                             "want one of them: by what is it to be judged?");
    }
    if (chosen > 1) {
        return options_wrong(&page, "--rule, --inbound, --outbound",
                             "want one of them at most");
    }
    if (options->trust != NULL && chosen > 0) {
        return options_wrong(&page, "--trust", "without a policy there are no rules");
    }
    if (options->policy != NULL && (options->server || options->client)) {
        return options_wrong(&page, "--server, --client",
                             "go with --trust: rules know what they want");
    }
    if (options->policy != NULL && options->crl != NULL) {
        return options_wrong(&page, "--crl", "goes with --trust: rules have their own");
    }
    if (options->trust != NULL && options->client &&
        (options->server || options->name != NULL)) {
        return options_wrong(&page, "--client", "goes with neither --server nor --name");
    }
    if (options->trust != NULL && !options->server && !options->client &&
        options->name == NULL) {
        return options_wrong(&page, "--server, --client",
                             "want one of them: what is it to be used as?");
    }
    if (options->ask.address != NULL && options->ask.outbound == NULL) {
        return options_wrong(&page, "--address", "goes with --outbound");
    }
    return -1;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    const struct options_row rows[] = {
        {"policy", 'p', "FILE", &options->policy, NULL,
         "by the rules of this policy, all or the one chosen"},
        {"rule", 0, "NAME", &options->rule, NULL,
         "by this rule (or inbound:NAME, outbound:NAME)"},
        ASK_ROWS_TARGET(options->ask),
        ASK_ROWS_PROGRAM(options->ask),
        {"trust", 0, "FILE", &options->trust, NULL,
         "without a policy: by these CAs (file or directory)"},
        {"crl", 0, "FILE", &options->crl, NULL,
         "with --trust: and these revocation lists"},
        {"server", 0, NULL, NULL, &options->server,
         "with --trust: it is to be a server's"},
        {"client", 0, NULL, NULL, &options->client,
         "with --trust: it is to be a client's"},
        {"name", 0, "NAME", &options->name, NULL,
         "the name dialled; with --trust it means --server"},
        {"json", 0, NULL, NULL, &options->json, "as JSON"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    return status >= 0 ? status : check_options(options);
}

/* ---- by one rule ------------------------------------------------------------------- */

static void
tell_rule(const struct verify *verify, const struct policy_rule *rule)
{
    if (rule->line > 0) {
        printf("rule %s %s (%s:%d)\n",
               rule->direction == POLICY_OUTBOUND ? "outbound" : "inbound", rule->name,
               verify->policy->path, rule->line);
    } else if (verify->options->policy != NULL) {
        printf("rule default_%s\n",
               rule->direction == POLICY_OUTBOUND ? "outbound" : "inbound");
    }
}

static void
judge_by(struct verify *verify, const struct policy_rule *rule)
{
    struct policy_query query = verify->asked.query;
    struct verdict verdict;

    if (verify->options->name != NULL) {
        query.dialled_name = verify->options->name;
    }
    verify->asked_count++;
    if (verdict_make(verify->policy, rule, &query, &verify->shown, &verdict) != 0) {
        verify->is_broken = true;
        return;
    }
    verify->let_in_count += verdict.failure_count == 0;
    if (verify->options->json) {
        verdict_json(&verify->json, &verdict);
    } else {
        tell_rule(verify, rule);
        verdict_print(stdout, &verdict);
    }
}

/* A rule that asks nobody for a certificate lets everybody in, or nobody. */
static void
tell_unasked(struct verify *verify, const struct policy_rule *rule)
{
    verify->let_in_count += rule->mode != POLICY_MODE_DENY;
    if (!verify->options->json) {
        tell_rule(verify, rule);
        printf("=> mode %s: no peer is asked for a certificate\n",
               policy_mode_name(rule->mode));
    }
}

/* ---- which rules ------------------------------------------------------------------- */

static bool
is_meant(const struct policy_rule *rule, const char *name)
{
    const char *rest = name;

    if (strncmp(name, "inbound:", 8) == 0) {
        rest = name + 8;
    } else if (strncmp(name, "outbound:", 9) == 0) {
        rest = name + 9;
    }
    return strcmp(rule->name, rest) == 0 &&
           (rest == name || (rest == name + 8) == (rule->direction == POLICY_INBOUND));
}

static int
judge_by_name(struct verify *verify)
{
    const struct policy *policy = verify->policy;
    const char *name = verify->options->rule;
    const struct policy_rule *found = NULL;

    for (size_t i = 0; i < policy->rule_count; i++) {
        if (is_meant(&policy->rules[i], name)) {
            if (found != NULL) {
                return options_wrong(&page, name,
                                     "there are two rules of this name: say inbound:NAME "
                                     "or outbound:NAME");
            }
            found = &policy->rules[i];
        }
    }
    if (found == NULL) {
        return options_wrong(&page, name, "the policy has no such rule");
    }
    if (found->identity != NULL) {
        judge_by(verify, found);
    } else {
        tell_unasked(verify, found);
    }
    return -1;
}

static void
judge_by_all(struct verify *verify)
{
    const struct policy *policy = verify->policy;

    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].identity != NULL) {
            judge_by(verify, &policy->rules[i]);
        }
    }
    if (verify->asked_count == 0 && !verify->options->json) {
        printf("=> no rule of the policy asks for certificates\n");
    }
}

static void
judge_by_match(struct verify *verify)
{
    const struct policy_rule *rule = policy_match(verify->policy, &verify->asked.query);

    if (rule->identity != NULL) {
        judge_by(verify, rule);
    } else {
        tell_unasked(verify, rule);
    }
}

static int
by_policy(struct verify *verify)
{
    const struct options *options = verify->options;
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct ask_problem problem;
    struct policy *policy;
    bool is_asked = options->ask.inbound != NULL || options->ask.outbound != NULL;
    int status = -1;

    if (is_asked && !ask(&options->ask, &verify->asked, &problem)) {
        return options_wrong(&page, problem.what, problem.why);
    }
    policy = policy_load(options->policy, &report);
    if (policy == NULL) {
        return POLICY_EXIT_CONFIG;
    }
    verify->policy = policy;
    if (is_asked) {
        judge_by_match(verify);
    } else if (options->rule != NULL) {
        status = judge_by_name(verify);
    } else {
        judge_by_all(verify);
    }
    policy_free(policy);
    return status;
}

static void
by_trust(struct verify *verify)
{
    const struct options *options = verify->options;
    const struct policy_identity identity = {.trust = options->trust,
                                             .crl = options->crl};
    const struct policy policy = {.path = "--trust"};
    const struct policy_rule rule = {
        .name = "--trust",
        .direction = options->client ? POLICY_INBOUND : POLICY_OUTBOUND,
        .verify = options->name != NULL ? POLICY_VERIFY_NAME : POLICY_VERIFY_CHAIN,
        .identity = &identity,
    };

    verify->policy = &policy;
    judge_by(verify, &rule);
    verify->policy = NULL;
}

/* ---- all of it --------------------------------------------------------------------- */

static void
begin(struct verify *verify)
{
    if (verify->options->json) {
        json_start(&verify->json, stdout);
        json_open_list(&verify->json, "certificates");
    }
    for (int i = 0; i < verify->shown.count; i++) {
        const struct der_span cert = {verify->shown.certs[i].der,
                                      verify->shown.certs[i].der_len};

        if (verify->options->json) {
            describe_json(&verify->json, cert);
        } else {
            describe_print(stdout, cert, i);
        }
    }
    if (verify->options->json) {
        json_close(&verify->json);
        json_open_list(&verify->json, "rules");
    }
}

static int
run(struct verify *verify)
{
    int status = -1;

    begin(verify);
    if (verify->options->policy != NULL) {
        status = by_policy(verify);
    } else {
        by_trust(verify);
    }
    if (status < 0) {
        status = verify->is_broken          ? POLICY_EXIT_CONFIG
                 : verify->let_in_count > 0 ? EXIT_SUCCESS
                                            : EXIT_FAILURE;
    }
    if (verify->options->json) {
        json_close(&verify->json);
        json_text(&verify->json, "verdict",
                  verify->let_in_count > 0 ? "let_in" : "refused");
        json_end(&verify->json);
    }
    return status;
}

int
ctl_verify(int argc, char **argv)
{
    struct options options = {0};
    struct verify verify = {.options = &options};
    int status = parse_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    wolfSSL_Init();
    for (int i = optind; i < argc && status < 0; i++) {
        if (shown_read(argv[i], "mtlsctl: verify", &verify.shown) != 0) {
            status = CTL_EXIT_USAGE;
        }
    }
    if (status < 0) {
        status = run(&verify);
    }
    shown_done(&verify.shown);
    wolfSSL_Cleanup();
    return status;
}
