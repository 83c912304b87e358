/* mtlsctl probe: a handshake with a server, as the shim would do it. */
#include "tools/ctl/ctl.h"

#include "shim/session/context.h"
#include "shim/session/generation.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/options.h"
#include "tools/ctl/probe_show.h"
#include "tools/ctl/probe_tls.h"
#include "tools/ctl/probe_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_S 10
#define MAX_TIMEOUT_S 3600

static const struct options_page page = {
    .command = "probe",
    .usage = "usage: mtlsctl probe HOST:PORT [OPTION...]\n",
    .about =
        "Connects to a server and does a TLS handshake, shows what the server presents, "
        "and\n"
        "says whether the shim would make this connection, by which rule, and if not, "
        "why.\n"
        "It is the shim's own handshake, and the shim's own verdict. No data is sent.\n",
    .notes =
        "Exit status: 0 let in (or, without a policy, shown), 1 refused by us or by the\n"
        "server, 2 for a wrong command line, 69 when nobody answers, 76 when what "
        "answers\n"
        "does not speak TLS, 78 for a bad policy.\n",
    .operand = "HOST:PORT",
    .operands = OPTIONS_ONE,
};

enum { EXIT_REFUSED = 1, EXIT_UNREACHABLE = 69, EXIT_NOT_TLS = 76 };

struct options {
    const char *policy;
    const char *identity;
    const char *timeout;
    bool json;
    struct ask_options ask; /* outbound is the target */
};

/* What a probe goes on. */
struct probe {
    const struct options *options;
    struct asked asked;
    char host[ENDPOINT_NAME_LEN]; /* to be resolved */
    struct generation *generation;
    struct policy_rule own; /* the rule, with another identity */
    struct probe_wire wire;
    struct probe_watch watch;
    struct probe_result result;
    struct probe_found found;
};

/* ---- the command line -------------------------------------------------------------- */

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    const struct options_row rows[] = {
        {"policy", 'p', "FILE", &options->policy, NULL,
         "the policy that decides; without one, nothing is judged"},
        {"identity", 0, "NAME", &options->identity, NULL,
         "show this identity instead of the rule's"},
        ASK_ROWS_PROGRAM(options->ask),
        {"timeout", 0, "SECONDS", &options->timeout, NULL, "for all of it (default: 10)"},
        {"json", 0, NULL, NULL, &options->json, "as JSON"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    if (status >= 0) {
        return status;
    }
    options->ask.outbound = argv[optind];
    if (options->identity != NULL && options->policy == NULL) {
        return options_wrong(&page, "--identity",
                             "goes with -p: it is an identity of the policy");
    }
    return -1;
}

static int64_t
timeout_ms(const struct options *options)
{
    char *end;
    long seconds;

    if (options->timeout == NULL) {
        return DEFAULT_TIMEOUT_S * 1000;
    }
    seconds = strtol(options->timeout, &end, 10);
    return end == options->timeout || *end != '\0' || seconds < 1 ||
                   seconds > MAX_TIMEOUT_S
               ? -1
               : (int64_t)seconds * 1000;
}

/* The host as it was given, without brackets. */
static void
find_host(struct probe *probe)
{
    const struct endpoint *target = &probe->asked.target;

    if (target->name[0] != '\0') {
        memcpy(probe->host, target->name, sizeof(probe->host));
    } else {
        inet_ntop(target->socket.any.sa_family,
                  target->socket.any.sa_family == AF_INET6
                      ? (const void *)&target->socket.in6.sin6_addr
                      : (const void *)&target->socket.in.sin_addr,
                  probe->host, sizeof(probe->host));
    }
}

/* ---- the rule ---------------------------------------------------------------------- */

static const struct policy_identity *
find_identity(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->identity_count; i++) {
        if (strcmp(policy->identities[i].name, name) == 0) {
            return &policy->identities[i];
        }
    }
    return NULL;
}

/* Finds the rule for the address that was connected to. Returns -1 to go on, else the
 * exit status. */
static int
find_rule(struct probe *probe)
{
    const struct policy *policy = generation_policy(probe->generation);
    const char *name = probe->options->identity;
    const struct policy_rule *rule;

    probe->asked.query.remote = &probe->wire.remote.any;
    rule = policy_match(policy, &probe->asked.query);
    probe->found.rule = rule;
    if (name == NULL) {
        return -1;
    }
    probe->own = *rule;
    probe->own.identity = find_identity(policy, name);
    probe->found.rule = &probe->own;
    if (probe->own.identity == NULL) {
        return options_wrong(&page, name, "the policy has no such identity");
    }
    return -1;
}

/* ---- probing ----------------------------------------------------------------------- */

static bool
is_unanswered(const struct probe *probe)
{
    return probe->result.failure.reason == REASON_TIMEOUT && probe->watch.version == 0;
}

static void
deny(struct probe *probe)
{
    probe->result.error = -EACCES;
    failure_set(&probe->result.failure, REASON_DENIED_BY_RULE, NULL);
    probe->found.verdict = PROBE_NOT_LET_IN;
}

/* Does the handshake as the rule wants it. Returns -1, or the exit status of a problem.
 */
static int
shake_hands(struct probe *probe)
{
    const struct policy_rule *rule = probe->found.rule;
    const struct ruling ruling = {probe->generation, rule};
    const char *name = probe->asked.query.dialled_name;

    if (rule == NULL || rule->mode == POLICY_MODE_PLAINTEXT || rule->identity == NULL) {
        probe_tls_look(&probe->wire, probe->host, &probe->watch, &probe->result);
        probe->found.verdict = rule == NULL ? PROBE_NO_VERDICT : PROBE_PLAINTEXT;
        return -1;
    }
    if (!context_has_material(ruling_context(&ruling))) {
        fprintf(stderr, "mtlsctl: probe: identity %s: its files cannot be read by you\n",
                rule->identity->name);
        return POLICY_EXIT_CONFIG;
    }
    probe_tls_shim(&probe->wire, &ruling, name, &probe->watch, &probe->result);
    probe->found.verdict = probe->result.error == 0 ? PROBE_LET_IN : PROBE_NOT_LET_IN;
    return -1;
}

static int
status_of(const struct probe *probe)
{
    enum probe_verdict verdict = probe->found.verdict;

    if (verdict == PROBE_UNREACHABLE) {
        return EXIT_UNREACHABLE;
    }
    if (probe->result.failure.reason == REASON_NOT_TLS) {
        return verdict == PROBE_PLAINTEXT ? EXIT_SUCCESS : EXIT_NOT_TLS;
    }
    if (verdict == PROBE_NO_VERDICT) {
        return probe->watch.version != 0 ? EXIT_SUCCESS : EXIT_REFUSED;
    }
    return verdict == PROBE_NOT_LET_IN ? EXIT_REFUSED : EXIT_SUCCESS;
}

static int
connect_and_ask(struct probe *probe, int64_t limit_ms)
{
    int status = -1;

    if (probe_wire_dial(&probe->wire, probe->host, endpoint_port(&probe->asked.target),
                        limit_ms) != 0) {
        probe->found.verdict = PROBE_UNREACHABLE;
        return -1;
    }
    if (probe->generation != NULL) {
        status = find_rule(probe);
    }
    if (status >= 0) {
        return status;
    }
    if (probe->found.rule != NULL && probe->found.rule->mode == POLICY_MODE_DENY) {
        deny(probe);
        return -1;
    }
    status = shake_hands(probe);
    if (status < 0 && is_unanswered(probe) && probe->found.verdict != PROBE_PLAINTEXT) {
        probe->found.verdict = PROBE_UNREACHABLE;
        snprintf(probe->wire.error, sizeof(probe->wire.error),
                 "connected, and no answer to our ClientHello in time: it may not speak "
                 "TLS, or hang");
    }
    return status;
}

static int
run(struct probe *probe, int64_t limit_ms)
{
    int64_t started = session_now_ms();
    int status;

    probe->found = (struct probe_found){
        .target = probe->options->ask.outbound,
        .policy = probe->options->policy,
        .wire = &probe->wire,
        .watch = &probe->watch,
        .result = &probe->result,
    };
    status = connect_and_ask(probe, limit_ms);
    probe_wire_close(&probe->wire);
    if (status >= 0) {
        return status;
    }
    probe->found.took_ms = session_now_ms() - started;
    if (probe->options->json) {
        probe_show_json(stdout, &probe->found);
    } else {
        probe_show_text(stdout, &probe->found);
    }
    return status_of(probe);
}

int
ctl_probe(int argc, char **argv)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct options options = {0};
    struct ask_problem problem;
    struct probe *probe;
    int64_t limit_ms;
    int status = parse_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    limit_ms = timeout_ms(&options);
    if (limit_ms < 0) {
        return options_wrong(&page, options.timeout,
                             "--timeout wants whole seconds, from 1 to 3600");
    }
    probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        return EXIT_UNREACHABLE;
    }
    probe->options = &options;
    if (!ask(&options.ask, &probe->asked, &problem)) {
        free(probe);
        return options_wrong(&page, problem.what, problem.why);
    }
    find_host(probe);
    wolfSSL_Init();
    if (options.policy != NULL) {
        probe->generation = generation_load(options.policy, true, &report);
    }
    status = options.policy != NULL && probe->generation == NULL ? POLICY_EXIT_CONFIG
                                                                 : run(probe, limit_ms);
    generation_unref(probe->generation);
    wolfSSL_Cleanup();
    free(probe);
    return status;
}
