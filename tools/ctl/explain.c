/* mtlsctl explain: which rule a connection falls under, and why. */
#include "tools/ctl/ctl.h"

#include "config/policy.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/options.h"
#include "tools/ctl/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

static const struct options_page page = {
    .command = "explain",
    .usage = "usage: mtlsctl explain POLICY --outbound HOST:PORT [OPTION...]\n"
             "       mtlsctl explain POLICY --inbound ADDRESS:PORT [OPTION...]\n",
    .about =
        "Says for each rule of a policy whether a connection would match it and, if not, "
        "why,\n"
        "and what becomes of the connection. Nothing is resolved and nothing is sent.\n",
    .notes = "An IPv6 address with a port stands in brackets: [::1]:443.\n"
             "Exit status: 0, 1 when --peer is refused, 2 for a wrong command line, 78 "
             "for a bad\n"
             "policy.\n",
    .operand = "POLICY",
    .operands = OPTIONS_ONE,
};

struct options {
    const char *policy;
    const char *peer;
    struct ask_options ask;
};

/* ---- the command line -------------------------------------------------------------- */

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    const struct options_row rows[] = {
        ASK_ROWS_TARGET(options->ask),
        ASK_ROWS_PROGRAM(options->ask),
        {"peer", 0, "FILE", &options->peer, NULL,
         "a certificate of the other end (intermediate ones may follow):\n"
         "whether it would be let in, and why"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    if (status >= 0) {
        return status;
    }
    options->policy = argv[optind];
    if ((options->ask.outbound == NULL) == (options->ask.inbound == NULL)) {
        return options_wrong(&page, "--outbound, --inbound", "want one of them");
    }
    if (options->ask.address != NULL && options->ask.outbound == NULL) {
        return options_wrong(&page, "--address", "goes with --outbound");
    }
    return -1;
}

/* Returns the exit status. */
static int
explain_peer(const struct policy *policy, const struct policy_rule *rule,
             const struct policy_query *query, const char *file)
{
    struct shown shown = {.count = 0};
    struct verdict verdict;
    int status = CTL_EXIT_USAGE;

    if (shown_read(file, "mtlsctl: explain: --peer", &shown) != 0) {
        shown_done(&shown);
        return status;
    }
    if (rule->identity == NULL) {
        printf("=> no peer is asked for a certificate\n");
        status = EXIT_SUCCESS;
    } else if (verdict_make(policy, rule, query, &shown, &verdict) != 0) {
        status = POLICY_EXIT_CONFIG;
    } else {
        verdict_print_peer(stdout, &verdict);
        verdict_print(stdout, &verdict);
        status = verdict.failure_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    shown_done(&shown);
    return status;
}

int
ctl_explain(int argc, char **argv)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct options options = {0};
    struct ask_problem problem;
    struct asked asked;
    struct policy *policy;
    const struct policy_rule *rule;
    int status = parse_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    if (!ask(&options.ask, &asked, &problem)) {
        return options_wrong(&page, problem.what, problem.why);
    }
    policy = policy_load(options.policy, &report);
    if (policy == NULL) {
        return POLICY_EXIT_CONFIG;
    }
    rule = policy_explain(policy, &asked.query, stdout);
    status = EXIT_SUCCESS;
    if (options.peer != NULL) {
        fflush(stdout);
        wolfSSL_Init();
        status = explain_peer(policy, rule, &asked.query, options.peer);
        wolfSSL_Cleanup();
    }
    policy_free(policy);
    return status;
}
