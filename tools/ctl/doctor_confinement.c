/* mtlsctl doctor: what a process is confined by, and what that means for the library. */
#include "tools/ctl/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void
path_of(pid_t pid, const char *name, char path[64])
{
    snprintf(path, 64, "/proc/%d/%s", (int)pid, name);
}

/* ---- what the kernel says of it ------------------------------------------------- */

struct status {
    int threads;
    int seccomp;
    int no_new_privs;
};

static void
read_status(pid_t pid, struct status *status)
{
    char path[64];
    char *line = NULL;
    size_t size = 0;
    FILE *file;

    memset(status, 0, sizeof(*status));
    path_of(pid, "status", path);
    file = fopen(path, "re");
    while (file != NULL && getline(&line, &size, file) > 0) {
        (void)sscanf(line, "Seccomp: %d", &status->seccomp);
        (void)sscanf(line, "Threads: %d", &status->threads);
        (void)sscanf(line, "NoNewPrivs: %d", &status->no_new_privs);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

/* no_new_privs is why such a program could get the library at all. */
static void
look_at_privileges(struct doctor *doctor, pid_t pid)
{
    char path[64];
    struct stat st;

    path_of(pid, "exe", path);
    if (stat(path, &st) == 0 && ((st.st_mode & (S_ISUID | S_ISGID)) != 0 ||
                                 getxattr(path, "security.capability", NULL, 0) > 0)) {
        findings_add(&doctor->findings, FINDINGS_NOTE, "no_new_privs",
                     "keep it so (NoNewPrivileges= of its unit): started without, it "
                     "would not have the library",
                     "its file is setuid, setgid or has capabilities, which "
                     "no_new_privs makes void");
    }
}

/* ---- AppArmor ------------------------------------------------------------------- */

static void
look_at_apparmor(struct doctor *doctor, pid_t pid)
{
    static const char *const places[] = {"attr/apparmor/current", "attr/current"};
    char profile[256] = "";

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && profile[0] == '\0';
         i++) {
        char path[64];
        FILE *file;

        path_of(pid, places[i], path);
        file = fopen(path, "re");
        if (file != NULL && fgets(profile, sizeof(profile), file) == NULL) {
            profile[0] = '\0';
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    profile[strcspn(profile, "\n")] = '\0';
    /* "NAME (MODE)": what else has attr/current, SELinux, writes no mode. */
    if (strstr(profile, " (") != NULL && strstr(profile, "(unconfined)") == NULL) {
        findings_add(&doctor->findings, FINDINGS_NOTE, "apparmor",
                     "give the profile abstractions/mtls-shim and the policy's files; "
                     "what it starts by Px, Cx or Ux loses the library: px, cx, ux",
                     "AppArmor's profile holds for it, and for what the library does in "
                     "it: %s",
                     profile);
    }
}

/* ---- namespaces ----------------------------------------------------------------- */

static bool
same_namespace(pid_t pid, const char *name)
{
    char theirs[64];
    char ours[64];
    struct stat a;
    struct stat b;

    path_of(pid, name, theirs);
    snprintf(ours, sizeof(ours), "/proc/self/%s", name);
    return stat(theirs, &a) != 0 || stat(ours, &b) != 0 ||
           (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static void
look_at_namespaces(struct doctor *doctor, pid_t pid)
{
    if (!same_namespace(pid, "root") || !same_namespace(pid, "ns/mnt")) {
        doctor->policy_is_elsewhere = true;
        findings_add(
            &doctor->findings, FINDINGS_NOTE, "other_root",
            "ask within: nsenter -t PID -a mtlsctl doctor ..., or in the container",
            "it has another root directory, as in a container: its policy and its "
            "files are not looked at");
    }
    if (!same_namespace(pid, "ns/net")) {
        findings_add(&doctor->findings, FINDINGS_NOTE, "other_network",
                     "probe it from within: nsenter -t PID -n mtlsctl probe ...",
                     "it is in another network namespace: the addresses in rules, and "
                     "below, are those that it sees there");
    }
}

/* " (redis-server)" where ps has another name for it than that of its file: a link, a
 * script, or what it calls itself. */
static void
name_beside(const struct doctor *doctor, pid_t pid, char text[32])
{
    const char *slash = strrchr(doctor->program, '/');
    const char *file = slash != NULL ? slash + 1 : doctor->program;
    char path[64];
    char comm[16] = ""; /* as long as the kernel keeps it: proc(5) */
    FILE *in;

    path_of(pid, "comm", path);
    in = fopen(path, "re");
    if (in != NULL) {
        (void)!fgets(comm, sizeof(comm), in);
        fclose(in);
    }
    comm[strcspn(comm, "\n")] = '\0';
    text[0] = '\0';
    if (comm[0] != '\0' && strncmp(comm, file, sizeof(comm) - 1) != 0) {
        snprintf(text, 32, " (%s)", comm);
    }
}

void
doctor_confinement(struct doctor *doctor, pid_t pid)
{
    struct status status;
    char beside[32];

    read_status(pid, &status);
    name_beside(doctor, pid, beside);
    findings_add(&doctor->findings, FINDINGS_OK, "process", NULL,
                 "it is %s%s, of user %s, with threads: %d", doctor->program, beside,
                 doctor->user.name, status.threads);
    if (status.seccomp != 0) {
        findings_add(
            &doctor->findings, FINDINGS_NOTE, "seccomp",
            "if connections fail: permit memfd_create, mmap, clone, futex, "
            "getrandom, sendmsg, recvmsg, openat and poll",
            "a seccomp filter holds for it, and for what the library does in it");
    }
    if (status.no_new_privs != 0) {
        look_at_privileges(doctor, pid);
    }
    look_at_apparmor(doctor, pid);
    look_at_namespaces(doctor, pid);
}
