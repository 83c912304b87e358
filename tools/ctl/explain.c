/* mtlsctl explain: which rule a connection falls under, and why. */
#include "tools/ctl/ctl.h"

#include "config/policy.h"
#include "tools/ctl/endpoint.h"
#include "tools/ctl/peer.h"

#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    const char *outbound;
    const char *inbound;
    const char *address;
    const char *from;
    const char *service;
    const char *program;
    const char *user;
    const char *peer;
};

/* What a query points to. */
struct asked {
    struct policy_query query;
    struct endpoint target;
    struct endpoint from;
    char program[PATH_MAX];
    char user[64];
    char uid[24];
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
        return &options->outbound;
    case 'i':
        return &options->inbound;
    case 'a':
        return &options->address;
    case 'f':
        return &options->from;
    case 's':
        return &options->service;
    case 'p':
        return &options->program;
    case 'u':
        return &options->user;
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
    if ((options->outbound == NULL) == (options->inbound == NULL)) {
        return wrong("--outbound, --inbound", "want one of them");
    }
    if (options->address != NULL && options->outbound == NULL) {
        return wrong("--address", "goes with --outbound");
    }
    return -1;
}

/* ---- the query --------------------------------------------------------------------- */

static void
ask_user(const char *given, struct asked *asked)
{
    bool is_number = given == NULL || given[strspn(given, "0123456789")] == '\0';
    uid_t uid = given == NULL ? geteuid() : (uid_t)strtoul(given, NULL, 10);
    const struct passwd *entry = is_number ? getpwuid(uid) : getpwnam(given);

    /* A user of another machine has a name and no number here, or the other way round. */
    snprintf(asked->uid, sizeof(asked->uid), "unknown");
    if (is_number || entry != NULL) {
        snprintf(asked->uid, sizeof(asked->uid), "%u",
                 (unsigned)(entry != NULL ? entry->pw_uid : uid));
    }
    if (!is_number || entry != NULL) {
        snprintf(asked->user, sizeof(asked->user), "%s",
                 entry != NULL ? entry->pw_name : given);
        asked->query.user = asked->user;
    }
    asked->query.uid = asked->uid;
}

static int
ask_target(const struct options *options, struct asked *asked)
{
    bool outbound = options->outbound != NULL;
    const char *text = outbound ? options->outbound : options->inbound;
    struct endpoint address;

    if (!endpoint_parse(text, &asked->target) || endpoint_port(&asked->target) == 0) {
        return wrong(text, outbound ? "want HOST:PORT" : "want ADDRESS:PORT");
    }
    if (!outbound && asked->target.name[0] != '\0') {
        return wrong(text, "want ADDRESS:PORT, not a name");
    }
    if (options->address != NULL) {
        if (!endpoint_parse(options->address, &address) || address.name[0] != '\0' ||
            endpoint_port(&address) != 0) {
            return wrong(options->address, "want an address");
        }
        endpoint_resolve(&asked->target, &address);
    }
    return -1;
}

static int
ask_from(const struct options *options, struct asked *asked)
{
    if (options->from != NULL &&
        (!endpoint_parse(options->from, &asked->from) || asked->from.name[0] != '\0')) {
        return wrong(options->from, "want ADDRESS or ADDRESS:PORT");
    }
    return -1;
}

/* Fills in the query; returns -1 to go on, else the exit status. */
static int
ask(const struct options *options, struct asked *asked)
{
    struct policy_query *query = &asked->query;
    const struct sockaddr *from = options->from != NULL ? &asked->from.socket.any : NULL;
    int status = ask_target(options, asked);

    if (status < 0) {
        status = ask_from(options, asked);
    }
    if (status >= 0) {
        return status;
    }
    query->service = options->service;
    /* The kernel follows links before it runs a program. */
    if (options->program != NULL) {
        query->program = realpath(options->program, asked->program) != NULL
                             ? asked->program
                             : options->program;
    }
    ask_user(options->user, asked);
    query->direction = options->outbound != NULL ? POLICY_OUTBOUND : POLICY_INBOUND;
    if (query->direction == POLICY_OUTBOUND) {
        query->remote = &asked->target.socket.any;
        query->local = from;
        query->dialled_name = asked->target.name[0] != '\0' ? asked->target.name : NULL;
    } else {
        query->local = &asked->target.socket.any;
        query->remote = from;
    }
    return -1;
}

int
ctl_explain(int argc, char **argv)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct options options = {0};
    struct asked asked = {0};
    struct policy *policy;
    const struct policy_rule *rule;
    int status = parse_options(argc, argv, &options);

    if (status < 0) {
        status = ask(&options, &asked);
    }
    if (status >= 0) {
        return status;
    }
    policy = policy_load(options.policy, &report);
    if (policy == NULL) {
        return POLICY_EXIT_CONFIG;
    }
    rule = policy_explain(policy, &asked.query, stdout);
    status = EXIT_SUCCESS;
    if (options.peer != NULL) {
        fflush(stdout);
        status = peer_explain(policy, rule, &asked.query, options.peer);
    }
    policy_free(policy);
    return status;
}
