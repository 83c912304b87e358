/* mtlsctl explain: which rule a connection falls under, and why. */
#include "tools/ctl/ctl.h"

#include "config/policy.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/verdict.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

static const char usage[] =
    "usage: mtlsctl explain POLICY --outbound HOST:PORT [OPTION...]\n"
    "       mtlsctl explain POLICY --inbound ADDRESS:PORT [OPTION...]\n";

static const char help[] =
    "Says for each rule of a policy whether a connection would match it and, if not, "
    "why,\n"
    "and what becomes of the connection. Nothing is resolved and nothing is sent.\n"
    "\n"
    "  --outbound HOST:PORT  a connection to this name or address\n"
    "  --inbound ADDR:PORT   a connection that is accepted at this address\n"
    "  --address ADDR        what the name of --outbound resolves to\n"
    "  --from ADDR[:PORT]    the end that connects\n"
    "  --service NAME        MTLS_SHIM_SERVICE of the program\n"
    "  --program PATH        the program's file\n"
    "  --user USER           its user, name or number (default: yours)\n"
    "  --peer FILE           a certificate of the other end (intermediate ones may "
    "follow):\n"
    "                        whether it would be let in, and why\n"
    "  --help                show this text\n"
    "\n"
    "An IPv6 address with a port stands in brackets: [::1]:443.\n"
    "Exit status: 0, 1 when --peer is refused, 2 for a wrong command line, 78 for a bad\n"
    "policy.\n";

struct options {
    const char *policy;
    const char *peer;
    struct ask_options ask;
};

static int
wrong(const char *what, const char *why)
{
    fprintf(stderr, "mtlsctl: explain: %s: %s\n%s", what, why, usage);
    return CTL_EXIT_USAGE;
}

/* ---- the command line -------------------------------------------------------------- */

static const struct option table[] = {
    {"outbound", required_argument, NULL, 'o'}, {"inbound", required_argument, NULL, 'i'},
    {"address", required_argument, NULL, 'a'},  {"from", required_argument, NULL, 'f'},
    {"service", required_argument, NULL, 's'},  {"program", required_argument, NULL, 'p'},
    {"user", required_argument, NULL, 'u'},     {"peer", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static const char **
place_of(struct options *options, int c)
{
    switch (c) {
    case 'o':
        return &options->ask.outbound;
    case 'i':
        return &options->ask.inbound;
    case 'a':
        return &options->ask.address;
    case 'f':
        return &options->ask.from;
    case 's':
        return &options->ask.service;
    case 'p':
        return &options->ask.program;
    case 'u':
        return &options->ask.user;
    case 'c':
        return &options->peer;
    default:
        return NULL;
    }
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        const char **place = place_of(options, c);

        if (c == 'h') {
            printf("%s%s", usage, help);
            return EXIT_SUCCESS;
        }
        if (place == NULL) {
            return wrong(argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
        }
        *place = optarg;
    }
    if (argc - optind != 1) {
        return wrong("POLICY", argc == optind ? "is missing" : "only one is taken");
    }
    options->policy = argv[optind];
    if ((options->ask.outbound == NULL) == (options->ask.inbound == NULL)) {
        return wrong("--outbound, --inbound", "want one of them");
    }
    if (options->ask.address != NULL && options->ask.outbound == NULL) {
        return wrong("--address", "goes with --outbound");
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
        return wrong(problem.what, problem.why);
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
