/* mtlsctl doctor: a process, as /proc shows it. */
#include "tools/ctl/doctor.h"

#include "tools/run/preload.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_AGAIN "start it again under mtls-run, or with LD_PRELOAD in its unit"

static void
path_of(pid_t pid, const char *name, char path[64])
{
    snprintf(path, 64, "/proc/%d/%s", (int)pid, name);
}

/* ---- its environment, as it was at its start ------------------------------------ */

struct environment {
    char *text; /* NAME=VALUE and a NUL each */
    size_t len;
};

static bool
read_environment(pid_t pid, struct environment *environment)
{
    char path[64];
    FILE *file;
    size_t size = 0;
    ssize_t len = -1;

    memset(environment, 0, sizeof(*environment));
    path_of(pid, "environ", path);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    /* It holds no byte 255, if it is text; then more is not looked at. */
    len = getdelim(&environment->text, &size, 0xff, file);
    environment->len = len > 0 ? (size_t)len : 0;
    fclose(file);
    return true;
}

static const char *
environment_get(const struct environment *environment, const char *name)
{
    size_t name_len = strlen(name);

    for (size_t at = 0; at < environment->len; at += strlen(environment->text + at) + 1) {
        if (strncmp(environment->text + at, name, name_len) == 0 &&
            environment->text[at + name_len] == '=') {
            return environment->text + at + name_len + 1;
        }
    }
    return NULL;
}

static void
take_settings(struct doctor *doctor, const struct environment *environment)
{
    const char *policy = environment_get(environment, "MTLS_SHIM_POLICY");
    const char *service = environment_get(environment, "MTLS_SHIM_SERVICE");

    if (doctor->policy_path == NULL && policy != NULL && policy[0] == '/') {
        snprintf(doctor->policy_room, sizeof(doctor->policy_room), "%s", policy);
        doctor->policy_path = doctor->policy_room;
    }
    if (doctor->service == NULL && service != NULL) {
        snprintf(doctor->service_room, sizeof(doctor->service_room), "%s", service);
        doctor->service = doctor->service_room;
    }
}

/* ---- what is mapped ------------------------------------------------------------- */

enum mapped { MAPPED_NOT, MAPPED_LIBRARY, MAPPED_REPLACED, MAPPED_UNKNOWN };

/* What the library that a process has says of itself, also when its file is gone. */
static void
read_version(pid_t pid, const char *range, char version[TARGET_NOTE_MAX])
{
    struct target_library library;

    snprintf(library.path, sizeof(library.path), "/proc/%d/map_files/%s", (int)pid,
             range);
    version[0] = '\0';
    if (target_library_read(&library) == 0) {
        memcpy(version, library.elf.note, TARGET_NOTE_MAX);
    }
}

static enum mapped
find_library(pid_t pid, char library[PATH_MAX], char version[TARGET_NOTE_MAX])
{
    enum mapped mapped = MAPPED_NOT;
    char path[64];
    char *line = NULL;
    size_t size = 0;
    FILE *file;

    path_of(pid, "maps", path);
    file = fopen(path, "re");
    if (file == NULL) {
        return MAPPED_UNKNOWN;
    }
    while (mapped == MAPPED_NOT && getline(&line, &size, file) > 0) {
        char *name = strchr(line, '/');
        char *found = strstr(line, "/" RUN_PRELOAD_LIBRARY);

        if (name != NULL && found != NULL) {
            mapped =
                strstr(found, " (deleted)") != NULL ? MAPPED_REPLACED : MAPPED_LIBRARY;
            found[strlen("/" RUN_PRELOAD_LIBRARY)] = '\0';
            snprintf(library, PATH_MAX, "%s", name);
            line[strcspn(line, " ")] = '\0';
            read_version(pid, line, version);
        }
    }
    free(line);
    fclose(file);
    return mapped;
}

/* The kernel's word that the loader was not to trust the environment. */
static bool
was_started_securely(pid_t pid)
{
    char path[64];
    ElfW(auxv_t) entry;
    bool secure = false;
    FILE *file;

    path_of(pid, "auxv", path);
    file = fopen(path, "re");
    while (file != NULL && fread(&entry, sizeof(entry), 1, file) == 1) {
        secure = secure || (entry.a_type == AT_SECURE && entry.a_un.a_val != 0);
    }
    if (file != NULL) {
        fclose(file);
    }
    return secure;
}

static void
say_not_loaded(struct doctor *doctor, pid_t pid, const struct environment *environment)
{
    const char *preload = environment_get(environment, "LD_PRELOAD");

    if (was_started_securely(pid)) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "secure_execution",
                     "start it as the user that it runs as, without setuid, setgid or "
                     "file capabilities; under AppArmor by px, cx or ux, not Px, Cx, Ux",
                     "it is not covered: its start changed who it is, and the loader "
                     "ignored LD_PRELOAD");
    } else if (preload != NULL && strstr(preload, RUN_PRELOAD_LIBRARY) != NULL) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "not_loaded",
                     "see below whether it can be covered at all; LD_DEBUG=libs shows "
                     "what the loader does",
                     "it is not covered: LD_PRELOAD names the library, and it is not "
                     "loaded");
    } else {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "not_loaded", START_AGAIN,
                     "it is not covered: the library is not loaded, and LD_PRELOAD does "
                     "not name it%s",
                     environment_get(environment, "MTLS_SHIM_POLICY") != NULL
                         ? " any more, though MTLS_SHIM_POLICY is set: somebody on the "
                           "way has removed it"
                         : "");
    }
}

static void
say_loaded(struct doctor *doctor, const struct environment *environment,
           const char *library)
{
    const char *mode = environment_get(environment, "MTLS_SHIM");

    if (mode != NULL && strcmp(mode, "off") == 0) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "switched_off",
                     "take MTLS_SHIM=off out of its environment, and start it again",
                     "it is not covered: it was started with MTLS_SHIM=off");
        return;
    }
    findings_add(&doctor->findings, FINDINGS_OK, "loaded", NULL, "it is covered by %s",
                 library);
}

/* Whether it has the library that it would get today. */
static void
say_version(struct doctor *doctor, enum mapped mapped, const char *version)
{
    struct run_library installed;
    struct target_refusal refusal;

    if (version[0] != '\0' && run_preload_find(&installed, &refusal) == 0 &&
        strcmp(version, run_preload_version(&installed)) != 0) {
        findings_add(&doctor->findings, FINDINGS_WARNING, "other_version",
                     "start it again when it suits: what was mended since is not in it",
                     "its library is %s; installed is %s", version,
                     run_preload_version(&installed));
    } else if (mapped == MAPPED_REPLACED) {
        findings_add(
            &doctor->findings, FINDINGS_NOTE, "library_replaced",
            "start it again when it suits",
            "the library's file has been replaced since: the process has the old "
            "one");
    }
}

static bool
find_program(struct doctor *doctor, pid_t pid)
{
    static const char deleted[] = " (deleted)";
    char path[64];
    ssize_t len;

    if (access("/proc/self", F_OK) != 0) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "no_proc",
                     "mount it (mount -t proc proc /proc), or ask from outside, where "
                     "it is",
                     "/proc is not mounted here: nothing can be said of processes");
        return false;
    }
    path_of(pid, "exe", path);
    len = readlink(path, doctor->program, sizeof(doctor->program) - 1);
    if (len < 0) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER,
                     errno == ENOENT ? "not_found" : "unreadable",
                     errno == ENOENT ? "name a process that runs; kernel threads are none"
                                     : "ask as root or as that user",
                     "process %d: %s", (int)pid, strerror(errno));
        return false;
    }
    doctor->program[len] = '\0';
    if ((size_t)len > sizeof(deleted) - 1 &&
        strcmp(doctor->program + len - (sizeof(deleted) - 1), deleted) == 0) {
        doctor->program[(size_t)len - (sizeof(deleted) - 1)] = '\0';
        findings_add(&doctor->findings, FINDINGS_NOTE, "program_replaced",
                     "start it again when it suits",
                     "its program's file has been replaced or removed since");
    }
    return true;
}

bool
doctor_process(struct doctor *doctor, pid_t pid)
{
    struct environment environment;
    char library[PATH_MAX] = "";
    char version[TARGET_NOTE_MAX] = "";
    enum mapped mapped;

    if (!find_program(doctor, pid)) {
        return false;
    }
    mapped = find_library(pid, library, version);
    if (!doctor_user_of(pid, &doctor->user) || mapped == MAPPED_UNKNOWN ||
        !read_environment(pid, &environment)) {
        findings_add(&doctor->findings, FINDINGS_BLOCKER, "unreadable",
                     "ask as root or as that user", "process %d cannot be looked at: %s",
                     (int)pid, strerror(errno));
        return false;
    }
    take_settings(doctor, &environment);
    doctor_confinement(doctor, pid);
    if (mapped == MAPPED_NOT) {
        say_not_loaded(doctor, pid, &environment);
        if (!doctor->policy_is_elsewhere) {
            doctor_program(doctor, doctor->program);
        }
    } else {
        say_loaded(doctor, &environment, library);
        say_version(doctor, mapped, version);
        doctor_calls(doctor, doctor->program);
    }
    free(environment.text);
    return true;
}
