/* mtlsctl doctor: a program, before it is started. */
#include "tools/ctl/doctor.h"

#include "tools/run/preload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What to do about each refusal of mtls-run. */
static const struct {
    const char *code;
    const char *remedy;
} remedies[] = {
    {"static", "use a dynamically linked build of it, or a TLS proxy beside it"},
    {"go", "let it speak TLS itself (crypto/tls), or put a TLS proxy beside it"},
    {"setuid",
     "start it as the user that it belongs to, or take the bit away: chmod u-s, and let "
     "the service manager choose the user"},
    {"setgid",
     "take the bit away: chmod g-s, and let the service manager give the group"},
    {"capabilities",
     "take them away (setcap -r) and give them by the service manager instead: "
     "AmbientCapabilities= of systemd, or capsh --addamb"},
    {"other_machine", "use the library's build for this kind of processor"},
    {"other_libc",
     "build mtls-shim for this C library, or use a build of the program for "
     "the system's"},
    {"no_loader", "install the C library that it was built for; without it the program "
                  "does not run at all"},
    {"no_interpreter", "install the interpreter, or put it into PATH"},
    {"unreadable",
     "ask as a user who may read it: what cannot be checked is not started"},
    {"not_executable", "chmod +x, or ask as a user who may run it"},
    {"not_a_program", "name a program or a script"},
    {"not_found", "name a program, by its path or as in PATH"},
    {"damaged", "install it anew"},
    {"too_many_scripts", "name the program that the scripts start in the end"},
    {"library", "install mtls-shim whole: make install"},
};

static const char *
remedy_for(const char *code)
{
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (strcmp(remedies[i].code, code) == 0) {
            return remedies[i].remedy;
        }
    }
    return NULL;
}

static void
add_refusal(struct doctor *doctor, const struct target_refusal *refusal)
{
    findings_add(&doctor->findings, FINDINGS_BLOCKER, refusal->code,
                 remedy_for(refusal->code), "%s", refusal->text);
}

static void
remember_interpreter(void *context, const char *path)
{
    struct doctor *doctor = context;

    findings_add(&doctor->findings, FINDINGS_NOTE, "script",
                 "what a script starts in turn inherits the library; let the doctor see "
                 "those programs, too",
                 "it is a script: what is run is %s", path);
    snprintf(doctor->program, sizeof(doctor->program), "%s", path);
}

/* mtls-run asks for whoever starts it; here it may be for another user. */
static void
look_at_mode(struct doctor *doctor)
{
    struct stat st;
    bool user_changes;
    bool group_changes;

    if (stat(doctor->program, &st) != 0 || (st.st_mode & (S_ISUID | S_ISGID)) == 0) {
        return;
    }
    user_changes = (st.st_mode & S_ISUID) != 0 && st.st_uid != doctor->user.uid;
    group_changes = (st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 &&
                    st.st_gid != doctor->user.groups[0];
    if (user_changes || group_changes) {
        const char *code = user_changes ? "setuid" : "setgid";

        findings_add(&doctor->findings, FINDINGS_BLOCKER, code, remedy_for(code),
                     "for user %s it is %s: the loader ignores LD_PRELOAD there",
                     doctor->user.name, code);
    } else {
        findings_add(&doctor->findings, FINDINGS_WARNING, "setuid_for_others",
                     "start it as that user only",
                     "it is set%s: started by any other user, it would not have the "
                     "library",
                     (st.st_mode & S_ISUID) != 0 ? "uid" : "gid");
    }
}

/* Programs whose children start with an environment of their own. */
static void
look_at_name(struct doctor *doctor)
{
    static const char *const starters[] = {
        "sudo",    "su",         "doas",        "runuser",     "pkexec",
        "login",   "cron",       "crond",       "anacron",     "atd",
        "sshd",    "systemd",    "init",        "inetd",       "xinetd",
        "dockerd", "containerd", "dbus-daemon", "supervisord", "runsvdir",
    };
    const char *slash = strrchr(doctor->program, '/');
    const char *name = slash != NULL ? slash + 1 : doctor->program;

    for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++) {
        if (strcmp(name, starters[i]) == 0) {
            findings_add(&doctor->findings, FINDINGS_NOTE, "starts_others",
                         "put mtls-run into the command line of what it starts (a unit, "
                         "a crontab), not before this program",
                         "%s starts others with an environment of its own making: "
                         "LD_PRELOAD does not come through from outside",
                         name);
        }
    }
}

void
doctor_program(struct doctor *doctor, const char *name)
{
    const struct target_visitor visitor = {remember_interpreter, doctor};
    struct target_refusal refusal;
    char program[PATH_MAX];
    struct run_library library;

    if (target_find_program(name, program, &refusal) != 0 ||
        run_preload_find(&library, &refusal) != 0) {
        add_refusal(doctor, &refusal);
        return;
    }
    snprintf(doctor->program, sizeof(doctor->program), "%s", program);
    if (run_preload_check(program, &library, &visitor, &refusal) != 0) {
        add_refusal(doctor, &refusal);
        return;
    }
    findings_add(&doctor->findings, FINDINGS_OK, "loadable", NULL,
                 "mtls-run would start it: the library can be loaded into %s",
                 doctor->program);
    look_at_mode(doctor);
    /* The kernel follows links before rules with "program" are looked at. */
    if (realpath(doctor->program, program) != NULL) {
        memcpy(doctor->program, program, sizeof(doctor->program));
    }
    look_at_name(doctor);
    doctor_calls(doctor, doctor->program);
}
