/* mtlsctl doctor: the policy, seen from the program that is to run under it. */
#include "tools/ctl/doctor.h"

#include "config/condition.h"
#include "config/material.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

static void
add_problem(void *context, const struct policy_problem *problem)
{
    static const struct {
        const char *code;
        const char *remedy;
    } causes[] = {
        [POLICY_CAUSE_OTHER] = {"policy", "mend it; mtlsctl check shows the same"},
        [POLICY_CAUSE_EXPIRED] = {"expired", "renew the certificate (mtlsctl ca renew), "
                                             "or set the clock right"},
        [POLICY_CAUSE_EARLY] = {"not_yet_valid",
                                "is the clock of this machine right? If so, wait, or "
                                "have it issued anew"},
    };
    struct doctor *doctor = context;
    char line[16] = "";

    if (problem->line > 0) {
        snprintf(line, sizeof(line), ":%d", problem->line);
    }
    doctor->policy_is_bad = true;
    findings_add(&doctor->findings, FINDINGS_BLOCKER, causes[problem->cause].code,
                 causes[problem->cause].remedy, "%s%s: %s", problem->path, line,
                 problem->text);
}

/* ---- files ---------------------------------------------------------------------- */

enum need { NEED_READ, NEED_WRITE_FILE, NEED_WRITE_FOLDER };

struct wanted_file {
    const char *path;
    const char *what;
    enum need need;
    enum findings_severity severity; /* when it is not so */
};

enum look {
    LOOK_OURS,     /* this process itself may read it, too */
    LOOK_NOT_OURS, /* it may not */
    LOOK_MISSING,  /* it is not there: of files that are read, whoever loads them tells */
};

static void
say_missing(struct doctor *doctor, const struct wanted_file *file, const char *where,
            int rc)
{
    if (file->need == NEED_READ) {
        return;
    }
    findings_add(&doctor->findings, file->severity, "missing_file",
                 file->need == NEED_WRITE_FOLDER
                     ? "make it, with mode 1770 and the group of all whose programs are "
                       "counted; tmpfiles.d makes /run/mtls-shim so"
                     : "make its folder",
                 "%s %s: %s", file->what, where, strerror(-rc));
}

static enum look
look_at_file(struct doctor *doctor, const struct wanted_file *file)
{
    const char *verb = file->need == NEED_READ ? "read" : "write to";
    int want = file->need == NEED_READ         ? 4 /* as the bits of a mode */
               : file->need == NEED_WRITE_FILE ? 2
                                               : 3;
    char where[PATH_MAX];
    char folder[PATH_MAX];
    struct doctor_user self;
    int rc = doctor_user_may(&doctor->user, file->path, want, where);
    char *slash;

    if (rc == -ENOENT && file->need == NEED_WRITE_FILE) {
        /* It is made then. */
        snprintf(folder, sizeof(folder), "%s", file->path);
        slash = strrchr(folder, '/');
        if (slash != NULL && slash != folder) {
            *slash = '\0';
        }
        rc = doctor_user_may(&doctor->user, folder, 3, where);
    }
    if (rc == -EACCES) {
        findings_add(&doctor->findings, file->severity,
                     file->need == NEED_READ ? "unreadable_file" : "unwritable",
                     file->need == NEED_READ
                         ? "give it to the user: chown, or an ACL (setfacl -m u:USER:r); "
                           "folders on the way need x"
                         : "give the user the right to write there, or set another place",
                     "%s cannot %s %s %s%s%s%s", doctor->user.name, verb, file->what,
                     file->path, strcmp(where, file->path) != 0 ? " (" : "",
                     strcmp(where, file->path) != 0 ? where : "",
                     strcmp(where, file->path) != 0 ? ")" : "");
    } else if (rc != 0) {
        say_missing(doctor, file, where, rc);
        return LOOK_MISSING;
    }
    doctor_user_own(&self);
    return doctor_user_may(&self, file->path, want, where) != -EACCES ? LOOK_OURS
                                                                      : LOOK_NOT_OURS;
}

/* Returns whether all of them can be looked into here. */
static bool
look_at_identity(struct doctor *doctor, const struct policy_identity *identity)
{
    const struct wanted_file files[] = {
        {identity->certificate, "the certificate", NEED_READ, FINDINGS_BLOCKER},
        {identity->private_key, "the private key", NEED_READ, FINDINGS_BLOCKER},
        {identity->pkcs12, "the PKCS#12 file", NEED_READ, FINDINGS_BLOCKER},
        {identity->passphrase_file, "the passphrase", NEED_READ, FINDINGS_BLOCKER},
        {identity->trust, "trust", NEED_READ, FINDINGS_BLOCKER},
        {identity->crl, "crl", NEED_READ, FINDINGS_BLOCKER},
    };
    size_t blockers = findings_count(&doctor->findings, FINDINGS_BLOCKER);
    bool ours = true;
    bool missing = false;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].path != NULL) {
            enum look look = look_at_file(doctor, &files[i]);

            ours = ours && look != LOOK_NOT_OURS;
            missing = missing || look == LOOK_MISSING;
        }
    }
    if (!missing && findings_count(&doctor->findings, FINDINGS_BLOCKER) == blockers) {
        findings_add(&doctor->findings, FINDINGS_OK, "readable_files", NULL,
                     "%s can read the files of [identity %s]", doctor->user.name,
                     identity->name);
    }
    return ours;
}

static void
load_identity(struct doctor *doctor, const struct policy_identity *identity)
{
    struct policy_report report = {add_problem, doctor, 0};
    struct material material;
    char until[32] = "?";
    struct tm tm;
    time_t end;

    memset(&material, 0, sizeof(material));
    if (material_load(doctor->policy, identity, &report, &material) == 0) {
        int64_t left_ms = (material.not_after - (int64_t)time(NULL)) * 1000;
        bool ends_soon = left_ms < doctor->policy->expiry_warning_ms;

        end = (time_t)material.not_after;
        if (gmtime_r(&end, &tm) != NULL) {
            strftime(until, sizeof(until), "%Y-%m-%d %H:%M UTC", &tm);
        }
        findings_add(&doctor->findings, ends_soon ? FINDINGS_WARNING : FINDINGS_OK,
                     ends_soon ? "expires_soon" : "identity",
                     ends_soon ? "renew it; running programs notice" : NULL,
                     "[identity %s] is in order, valid until %s", identity->name, until);
    }
    material_done(&material);
}

/* ---- rules ---------------------------------------------------------------------- */

static void
describe_rule(const struct policy_rule *rule, char *text, size_t size)
{
    snprintf(text, size, "[%s %s]",
             rule->direction == POLICY_INBOUND ? "inbound" : "outbound", rule->name);
}

static bool
may_match(const struct policy_rule *rule, const struct condition_facts *facts,
          enum condition_kind * not )
{
    static const enum condition_kind kinds[] = {CONDITION_SERVICE, CONDITION_PROGRAM,
                                                CONDITION_USER};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!condition_holds(rule->conditions, kinds[i], facts)) {
            *not = kinds[i];
            return false;
        }
    }
    return true;
}

/* Whether it says nothing of addresses: whoever comes to it stays. */
static bool
takes_all(const struct policy_rule *rule)
{
    const struct conditions *conditions = rule->conditions;

    return conditions->remote_count == 0 && conditions->local_count == 0;
}

static void
say_mode(struct doctor *doctor, const struct policy_rule *rule, const char *name)
{
    switch (rule->mode) {
    case POLICY_MODE_MTLS:
        findings_add(&doctor->findings, FINDINGS_OK, "rule_applies", NULL,
                     "%s can apply to it: mode = mtls", name);
        break;
    case POLICY_MODE_PERMISSIVE:
    case POLICY_MODE_OBSERVE:
        findings_add(&doctor->findings, FINDINGS_NOTE, "rule_lets_plaintext",
                     "when the report shows no plaintext any more: mode = mtls",
                     "%s can apply to it: mode = %s lets plaintext through", name,
                     policy_mode_name(rule->mode));
        break;
    default:
        findings_add(&doctor->findings, FINDINGS_NOTE, "rule_applies", NULL,
                     "%s can apply to it: mode = %s", name, policy_mode_name(rule->mode));
    }
}

/* Returns how many rules that protect can apply. */
static size_t
look_at_rules(struct doctor *doctor, const struct condition_facts *facts,
              enum policy_direction direction)
{
    static const char *const kinds[] = {[CONDITION_SERVICE] = "service",
                                        [CONDITION_PROGRAM] = "program",
                                        [CONDITION_USER] = "user"};
    const struct policy_rule *all = NULL;
    size_t protecting = 0;

    for (size_t i = 0; i < doctor->policy->rule_count; i++) {
        const struct policy_rule *rule = &doctor->policy->rules[i];
        enum condition_kind not = CONDITION_COUNT;
        char name[160];

        if (rule->direction != direction) {
            continue;
        }
        describe_rule(rule, name, sizeof(name));
        if (!may_match(rule, facts, &not )) {
            findings_add(&doctor->findings, FINDINGS_NOTE, "rule_never", NULL,
                         "%s never applies to it: %s is another", name, kinds[not ]);
        } else if (all != NULL) {
            findings_add(&doctor->findings, FINDINGS_WARNING, "rule_shadowed",
                         "put it before the other one",
                         "%s never applies to it: an earlier rule, '%s', takes all", name,
                         all->name);
        } else {
            say_mode(doctor, rule, name);
            protecting +=
                rule->mode == POLICY_MODE_MTLS || rule->mode == POLICY_MODE_PERMISSIVE;
            all = takes_all(rule) ? rule : NULL;
        }
    }
    return protecting;
}

static void
look_at_conditions(struct doctor *doctor)
{
    const struct policy *policy = doctor->policy;
    char uid[24];
    struct policy_query query = {.service = doctor->service,
                                 .program = doctor->program,
                                 .user = doctor->user.name,
                                 .uid = uid};
    struct condition_facts facts;
    size_t protecting;

    snprintf(uid, sizeof(uid), "%u", (unsigned)doctor->user.uid);
    condition_facts(&query, &facts);
    protecting = look_at_rules(doctor, &facts, POLICY_INBOUND) +
                 look_at_rules(doctor, &facts, POLICY_OUTBOUND);
    findings_add(&doctor->findings, protecting == 0 ? FINDINGS_WARNING : FINDINGS_OK,
                 protecting == 0 ? "no_rule" : "defaults",
                 protecting == 0 ? "is -s SERVICE as in the policy? Write a rule for it "
                                   "with mode = mtls"
                                 : NULL,
                 "%sdefault_inbound = %s, default_outbound = %s",
                 protecting == 0 ? "no rule with mutual TLS can apply to it; " : "",
                 policy_mode_name(policy->default_inbound.mode),
                 policy_mode_name(policy->default_outbound.mode));
}

/* ---- places to write ------------------------------------------------------------ */

static void
look_at_places(struct doctor *doctor)
{
    const struct policy *policy = doctor->policy;
    const struct wanted_file files[] = {
        {policy->log == POLICY_LOG_FILE ? policy->log_path : NULL, "the log",
         NEED_WRITE_FILE, FINDINGS_WARNING},
        {policy->metrics_dir, "metrics_dir", NEED_WRITE_FOLDER, FINDINGS_WARNING},
    };
    size_t warnings = findings_count(&doctor->findings, FINDINGS_WARNING);
    bool any = false;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].path != NULL) {
            (void)look_at_file(doctor, &files[i]);
            any = true;
        }
    }
    if (any && findings_count(&doctor->findings, FINDINGS_WARNING) == warnings) {
        findings_add(&doctor->findings, FINDINGS_OK, "writable", NULL,
                     "%s can write the log and metrics that the policy asks for",
                     doctor->user.name);
    }
}

/* ---- the clock ------------------------------------------------------------------ */

static void
look_at_clock(struct doctor *doctor)
{
    struct timex state = {.modes = 0};

    if (adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) != 0) {
        findings_add(
            &doctor->findings, FINDINGS_NOTE, "clock",
            "let chrony, systemd-timesyncd or the host keep it: certificates are "
            "judged by it",
            "the kernel does not know its clock to be synchronised");
    } else {
        findings_add(&doctor->findings, FINDINGS_OK, "clock", NULL,
                     "the clock is synchronised");
    }
}

void
doctor_policy(struct doctor *doctor)
{
    struct policy_report report = {add_problem, doctor, 0};
    const struct wanted_file policy_file = {doctor->policy_path, "the policy", NEED_READ,
                                            FINDINGS_BLOCKER};
    size_t blockers;

    look_at_clock(doctor);
    if (doctor->policy_path == NULL) {
        return;
    }
    blockers = findings_count(&doctor->findings, FINDINGS_BLOCKER);
    if (look_at_file(doctor, &policy_file) != LOOK_NOT_OURS ||
        findings_count(&doctor->findings, FINDINGS_BLOCKER) == blockers) {
        doctor->policy = policy_load(doctor->policy_path, &report);
    }
    if (doctor->policy == NULL) {
        doctor->policy_is_bad = true;
        return;
    }
    for (size_t i = 0; i < doctor->policy->identity_count; i++) {
        const struct policy_identity *identity = &doctor->policy->identities[i];

        if (look_at_identity(doctor, identity)) {
            load_identity(doctor, identity);
        } else {
            findings_add(&doctor->findings, FINDINGS_NOTE, "not_looked_at",
                         "ask as root or as that user",
                         "what is in the files of [identity %s] cannot be read here",
                         identity->name);
        }
    }
    look_at_conditions(doctor);
    look_at_places(doctor);
}
