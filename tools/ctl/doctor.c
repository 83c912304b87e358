/* mtlsctl doctor: can this program be covered, is this process, and what to do if not. */
#include "tools/ctl/doctor.h"
#include "tools/ctl/ctl.h"

#include "tools/ctl/json.h"
#include "tools/ctl/options.h"
#include "tools/ctl/paint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct options_page page = {
    .command = "doctor",
    .usage = "usage: mtlsctl doctor PROGRAM|PID [-p POLICY] [-s SERVICE] [--user USER] "
             "[--json]\n",
    .about =
        "Says whether a program can be covered, or whether a process is, and what to do "
        "where\n"
        "it cannot or is not. Nothing is started, changed or sent.\n",
    .notes =
        "A program whose name is a number needs its folder: ./123.\n"
        "Exit status: 0 it can be covered, or is; 1 it cannot, or is not; 2 for a wrong\n"
        "command line; 78 for a bad policy, or one whose files its user cannot read.\n",
    .operand = "PROGRAM|PID",
    .operands = OPTIONS_ONE,
};

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

/* ---- what is shown -------------------------------------------------------------- */

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
verdict_of(const struct doctor *doctor, int status, bool is_process)
{
    if (is_process && doctor->program[0] == '\0') {
        return "could not be looked at";
    }
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
    json_text(&json, "verdict", verdict_of(doctor, status, is_process));
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

/* ---- the visit ------------------------------------------------------------------ */

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
examine_program(struct doctor *doctor, const char *program)
{
    doctor_program(doctor, program);
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
    const char *user = NULL;
    bool as_json = false;
    const struct options_row rows[] = {
        {"policy", 'p', "FILE", &doctor.policy_path, NULL,
         "the policy that it is to run under (default: the\n"
         "process's, $MTLS_SHIM_POLICY, else " POLICY_DEFAULT_PATH ",\n"
         "if there)"},
        {"service", 's', "NAME", &doctor.service, NULL, "its MTLS_SHIM_SERVICE"},
        {"user", 0, "USER", &user, NULL,
         "who a program will run as, name or number (default:\nyou)"},
        {"json", 0, NULL, NULL, &as_json, "write one JSON object"},
    };
    int status = options_read(&page, rows, OPTIONS_COUNT(rows), argc, argv);

    if (status >= 0) {
        return status;
    }
    const char *subject = argv[optind];
    bool is_process =
        subject[0] != '\0' && subject[strspn(subject, "0123456789")] == '\0';
    doctor_user_own(&doctor.user);
    if (user != NULL && is_process) {
        return options_wrong(&page, "--user", "a process has its own");
    }
    if (user != NULL && !doctor_user_find(user, &doctor.user)) {
        return options_wrong(&page, user, "no such user");
    }
    if (is_process) {
        examine_process(&doctor, (pid_t)strtol(subject, NULL, 10));
    } else {
        examine_program(&doctor, subject);
    }
    status = status_of(&doctor);
    if (as_json) {
        show_json(&doctor, subject, is_process, status);
    } else {
        show_text(&doctor, subject, verdict_of(&doctor, status, is_process));
    }
    policy_free(doctor.policy);
    findings_done(&doctor.findings);
    return status;
}
