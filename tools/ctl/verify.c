/* mtlsctl verify: whether a certificate would be let in, without a connection. */
#include "tools/ctl/ctl.h"

#include "tools/ctl/ask.h"
#include "tools/ctl/describe.h"
#include "tools/ctl/verdict.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

static const char usage[] =
    "usage: mtlsctl verify CERT... -p POLICY [--rule NAME | --inbound ADDRESS:PORT |\n"
    "           --outbound HOST:PORT] [OPTION...]\n"
    "       mtlsctl verify CERT... --trust FILE --server|--client [OPTION...]\n";

static const char help[] =
    "Says whether a certificate would be let in, by which rule, and if not, why. It is\n"
    "judged as a handshake would, and nothing is sent. Files of one chain: the peer's\n"
    "own certificate first, those of intermediate CAs behind it, in the same file or\n"
    "others.\n"
    "\n"
    "  --policy FILE         or -p: by the rules of this policy, all or the one chosen\n"
    "  --rule NAME           by this rule (or inbound:NAME, outbound:NAME)\n"
    "  --inbound ADDR:PORT   by the rule for a connection accepted here\n"
    "  --outbound HOST:PORT  by the rule for a connection to this name or address\n"
    "  --address ADDR        what the name of --outbound resolves to\n"
    "  --from ADDR[:PORT]    the end that connects\n"
    "  --service NAME        MTLS_SHIM_SERVICE of the program\n"
    "  --program PATH        the program's file\n"
    "  --user USER           its user, name or number (default: yours)\n"
    "  --trust FILE          without a policy: by these CAs (file or directory)\n"
    "  --crl FILE            with --trust: and these revocation lists\n"
    "  --server              with --trust: it is to be a server's\n"
    "  --client              with --trust: it is to be a client's\n"
    "  --name NAME           the name dialled; with --trust it means --server\n"
    "  --json                as JSON\n"
    "  --help                show this text\n"
    "\n"
    "Exit status: 0 let in (by one rule at least), 1 refused, 2 for a wrong command "
    "line\n"
    "or a file that holds no certificate, 78 for a bad policy.\n";

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

static int
wrong(const char *what, const char *why)
{
    fprintf(stderr, "mtlsctl: verify: %s: %s\n%s", what, why, usage);
    return CTL_EXIT_USAGE;
}

/* ---- the command line -------------------------------------------------------------- */

static const struct option table[] = {
    {"policy", required_argument, NULL, 'p'},
    {"rule", required_argument, NULL, 'r'},
    {"inbound", required_argument, NULL, 'i'},
    {"outbound", required_argument, NULL, 'o'},
    {"address", required_argument, NULL, 'a'},
    {"from", required_argument, NULL, 'f'},
    {"service", required_argument, NULL, 's'},
    {"program", required_argument, NULL, 'g'},
    {"user", required_argument, NULL, 'u'},
    {"trust", required_argument, NULL, 't'},
    {"crl", required_argument, NULL, 'l'},
    {"name", required_argument, NULL, 'n'},
    {"server", no_argument, NULL, 'S'},
    {"client", no_argument, NULL, 'C'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char **
place_of(struct options *options, int c)
{
    switch (c) {
    case 'p':
        return &options->policy;
    case 'r':
        return &options->rule;
    case 'i':
        return &options->ask.inbound;
    case 'o':
        return &options->ask.outbound;
    case 'a':
        return &options->ask.address;
    case 'f':
        return &options->ask.from;
    case 's':
        return &options->ask.service;
    case 'g':
        return &options->ask.program;
    case 'u':
        return &options->ask.user;
    case 't':
        return &options->trust;
    case 'l':
        return &options->crl;
    case 'n':
        return &options->name;
    default:
        return NULL;
    }
}

static bool *
switch_of(struct options *options, int c)
{
    return c == 'S'   ? &options->server
           : c == 'C' ? &options->client
           : c == 'j' ? &options->json
                      : NULL;
}

/* Returns -1 when the options go together, else the exit status. */
static int
check_options(const struct options *options)
{
    int chosen = (options->rule != NULL) + (options->ask.inbound != NULL) +
                 (options->ask.outbound != NULL);

    if ((options->policy == NULL) == (options->trust == NULL)) {
        return wrong("-p, --trust", "want one of them: by what is it to be judged?");
    }
    if (chosen > 1) {
        return wrong("--rule, --inbound, --outbound", "want one of them at most");
    }
    if (options->trust != NULL && chosen > 0) {
        return wrong("--trust", "without a policy there are no rules");
    }
    if (options->policy != NULL && (options->server || options->client)) {
        return wrong("--server, --client", "go with --trust: rules know what they want");
    }
    if (options->policy != NULL && options->crl != NULL) {
        return wrong("--crl", "goes with --trust: rules have their own");
    }
    if (options->trust != NULL && options->client &&
        (options->server || options->name != NULL)) {
        return wrong("--client", "goes with neither --server nor --name");
    }
    if (options->trust != NULL && !options->server && !options->client &&
        options->name == NULL) {
        return wrong("--server, --client", "want one of them: what is it to be used as?");
    }
    if (options->ask.address != NULL && options->ask.outbound == NULL) {
        return wrong("--address", "goes with --outbound");
    }
    return -1;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":p:", table, NULL)) != -1) {
        const char **place = place_of(options, c);
        bool *on = switch_of(options, c);

        if (c == 'h') {
            printf("%s%s", usage, help);
            return EXIT_SUCCESS;
        }
        if (on != NULL) {
            *on = true;
        } else if (place == NULL) {
            return wrong(argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
        } else {
            *place = optarg;
        }
    }
    return optind == argc ? wrong("CERT", "is missing") : check_options(options);
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
                return wrong(name, "there are two rules of this name: say inbound:NAME "
                                   "or outbound:NAME");
            }
            found = &policy->rules[i];
        }
    }
    if (found == NULL) {
        return wrong(name, "the policy has no such rule");
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
        return wrong(problem.what, problem.why);
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
