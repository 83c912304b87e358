/* mtlsctl doctor: can this program be covered, is this process, and what to do if not. */
#include "tools/ctl/doctor.h"
#include "tools/ctl/ctl.h"

#include "tools/ctl/json.h"
#include "tools/ctl/paint.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mtlsctl doctor PROGRAM|PID [-p POLICY] [-s SERVICE] [--user USER] [--json]\n";

static const char help[] =
    "Says whether a program can be covered, or whether a process is, and what to do "
    "where\n"
    "it cannot or is not. Nothing is started, changed or sent.\n"
    "\n"
    "  --policy, -p POLICY   the policy that it is to run under (default: the "
    "process's,\n"
    "                        $MTLS_SHIM_POLICY, else " POLICY_DEFAULT_PATH ", if there)\n"
    "  --service, -s NAME    its MTLS_SHIM_SERVICE\n"
    "  --user USER           who a program will run as, name or number (default: you)\n"
    "  --json                write one JSON object\n"
    "  --help                show this text\n"
    "\n"
    "A program whose name is a number needs its folder: ./123.\n"
    "Exit status: 0 it can be covered, or is; 1 it cannot, or is not; 2 for a wrong\n"
    "command line; 78 for a bad policy, or one whose files its user cannot read.\n";

struct options {
    const char *subject;
    const char *policy;
    const char *service;
    const char *user;
    bool json;
};

static int
wrong(const char *what, const char *why)
{
    fprintf(stderr, "mtlsctl: doctor: %s: %s\n%s", what, why, usage);
    return CTL_EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"policy", required_argument, NULL, 'p'},
        {"service", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":p:s:h", table, NULL)) != -1) {
        switch (c) {
        case 'p':
            options->policy = optarg;
            break;
        case 's':
            options->service = optarg;
            break;
        case 'u':
            options->user = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            printf("%s%s", usage, help);
            return EXIT_SUCCESS;
        default:
            return wrong(argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
        }
    }
    if (argc - optind != 1) {
        return wrong("PROGRAM|PID", argc == optind ? "is missing" : "only one is taken");
    }
    options->subject = argv[optind];
    return -1;
}

/* The policy that mtls-run would take; NULL: there is none. */
static const char *
usual_policy(void)
{
    const char *path = getenv("MTLS_SHIM_POLICY");

    if (path != NULL && path[0] != '\0') {
        return path;
    }
    return access(POLICY_DEFAULT_PATH, F_OK) == 0 ? POLICY_DEFAULT_PATH : NULL;
}

/* ---- what is shown
 * -------------------------------------------------------------------------- */

static bool
is_policy_blocker(const char *code)
{
    static const char *const codes[] = {"policy", "expired", "not_yet_valid",
                                        "unreadable_file"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What mtls-run would say: the program comes first, then the policy. */
static int
status_of(const struct doctor *doctor)
{
    int status = EXIT_SUCCESS;

    for (size_t i = 0; i < doctor->findings.count; i++) {
        const struct finding *finding = &doctor->findings.list[i];

        if (finding->severity != FINDINGS_BLOCKER) {
            continue;
        }
        if (!is_policy_blocker(finding->code)) {
            return EXIT_FAILURE;
        }
        status = POLICY_EXIT_CONFIG;
    }
    return doctor->policy_is_bad ? POLICY_EXIT_CONFIG : status;
}

static const char *
verdict_of(int status, bool is_process)
{
    switch (status) {
    case EXIT_SUCCESS:
        return is_process ? "is covered" : "can be covered";
    case POLICY_EXIT_CONFIG:
        return is_process ? "is loaded, but not all is well with its policy"
                          : "can be covered, but not under this policy";
    default:
        return is_process ? "is not covered" : "cannot be covered";
    }
}

static void
show_text(const struct doctor *doctor, const char *subject, const char *verdict)
{
    static const enum paint paints[] = {[FINDINGS_OK] = PAINT_GOOD,
                                        [FINDINGS_NOTE] = PAINT_GOOD,
                                        [FINDINGS_WARNING] = PAINT_WARN,
                                        [FINDINGS_BLOCKER] = PAINT_BAD};

    for (size_t i = 0; i < doctor->findings.count; i++) {
        const struct finding *finding = &doctor->findings.list[i];

        printf("%s%-8s%s %s [%s]\n", paint_on(stdout, paints[finding->severity]),
               findings_severity_name(finding->severity), paint_off(stdout),
               finding->text, finding->code);
        if (finding->remedy != NULL) {
            printf("         -> %s\n", finding->remedy);
        }
    }
    printf("=> %s %s\n", subject, verdict);
}

static void
show_json(const struct doctor *doctor, const char *subject, bool is_process, int status)
{
    struct json json;

    json_start(&json, stdout);
    json_text(&json, is_process ? "pid" : "name", subject);
    json_text(&json, "program", doctor->program);
    json_text(&json, "user", doctor->user.name);
    json_text(&json, "policy", doctor->policy_path);
    json_text(&json, "service", doctor->service);
    json_bool(&json, "covered", status == EXIT_SUCCESS);
    json_text(&json, "verdict", verdict_of(status, is_process));
    json_number(&json, "status", status);
    json_open_list(&json, "findings");
    for (size_t i = 0; i < doctor->findings.count; i++) {
        const struct finding *finding = &doctor->findings.list[i];

        json_open(&json, NULL);
        json_text(&json, "severity", findings_severity_name(finding->severity));
        json_text(&json, "code", finding->code);
        json_text(&json, "text", finding->text);
        json_text(&json, "remedy", finding->remedy);
        json_close(&json);
    }
    json_close(&json);
    json_end(&json);
}

/* ---- the visit
 * ------------------------------------------------------------------------------- */

static void
look_at_own_environment(struct doctor *doctor)
{
    const char *mode = getenv("MTLS_SHIM");

    if (mode != NULL && strcmp(mode, "off") == 0) {
        findings_add(&doctor->findings, FINDINGS_WARNING, "switched_off",
                     "unset MTLS_SHIM",
                     "MTLS_SHIM=off is in this environment: mtls-run would start it "
                     "untouched");
    }
}

static void
examine_program(struct doctor *doctor, const struct options *options)
{
    doctor_program(doctor, options->subject);
    look_at_own_environment(doctor);
    if (doctor->policy_path == NULL) {
        doctor->policy_path = usual_policy();
    }
    doctor_policy(doctor);
}

static void
examine_process(struct doctor *doctor, pid_t pid)
{
    if (!doctor_process(doctor, pid)) {
        return;
    }
    if (doctor->policy_is_elsewhere) {
        doctor->policy_path = NULL;
    } else if (doctor->policy_path == NULL) {
        doctor->policy_path = usual_policy();
    }
    doctor_policy(doctor);
    doctor_connections(doctor, pid);
}

int
ctl_doctor(int argc, char **argv)
{
    static struct doctor doctor; /* too large for a stack, and all zero */
    struct options options = {0};
    int status = parse_options(argc, argv, &options);
    bool is_process;

    if (status >= 0) {
        return status;
    }
    is_process = options.subject[0] != '\0' &&
                 options.subject[strspn(options.subject, "0123456789")] == '\0';
    doctor.policy_path = options.policy;
    doctor.service = options.service;
    doctor_user_own(&doctor.user);
    if (options.user != NULL && is_process) {
        return wrong("--user", "a process has its own");
    }
    if (options.user != NULL && !doctor_user_find(options.user, &doctor.user)) {
        return wrong(options.user, "no such user");
    }
    if (is_process) {
        examine_process(&doctor, (pid_t)strtol(options.subject, NULL, 10));
    } else {
        examine_program(&doctor, &options);
    }
    status = status_of(&doctor);
    if (options.json) {
        show_json(&doctor, options.subject, is_process, status);
    } else {
        show_text(&doctor, options.subject, verdict_of(status, is_process));
    }
    policy_free(doctor.policy);
    findings_done(&doctor.findings);
    return status;
}
