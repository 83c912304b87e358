#include "shim/target/check.h"

#include "shim/target/script.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_SCRIPTS 4 /* as many as the kernel follows */

/* What one step of the way from PROGRAM to a binary looks at. */
struct step {
    const char *path;
    const char *role; /* "" or "its interpreter " */
    const struct target_library *libraries;
    size_t count;
    const struct target_library *chosen; /* for the first binary; NULL before that */
    struct target_refusal *refusal;
    const char *program; /* what the user named: begins each message */
};

static int
deny(const struct step *step, int rc, const char *code, const char *text,
     const char *more)
{
    bool self = step->role[0] == '\0';

    return target_refuse(step->refusal, rc, code, "%s: %s%s%s%s%s", step->program,
                         step->role, self ? "" : step->path, self ? "" : " ", text, more);
}

/* Programs that change who runs them: the loader drops LD_PRELOAD, so they would run in
 * plaintext.  To whom it is already that changes nothing: root may run what is setuid to
 * root (exim's daemon). */
static int
check_privileges(const struct step *step, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return deny(step, -errno, "unreadable", "cannot be examined: ", strerror(errno));
    }
    if ((st.st_mode & S_ISUID) != 0 &&
        (st.st_uid != getuid() || st.st_uid != geteuid())) {
        return deny(step, -EPERM, "setuid",
                    "is setuid: the loader ignores LD_PRELOAD there", "");
    }
    if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 &&
        (st.st_gid != getgid() || st.st_gid != getegid())) {
        return deny(step, -EPERM, "setgid",
                    "is setgid: the loader ignores LD_PRELOAD there", "");
    }
    if (fgetxattr(fd, "security.capability", NULL, 0) > 0) {
        return deny(step, -EPERM, "capabilities",
                    "has file capabilities: the loader ignores LD_PRELOAD there", "");
    }
    return 0;
}

/* The same file, by whatever name: distributions link /lib64 and /usr/lib64. */
static bool
same_file(const char *a, const char *b)
{
    struct stat sa;
    struct stat sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* The library for the C library that the program is linked with; NULL: there is none. */
static const struct target_library *
library_for(const struct step *step, const struct target_elf *elf)
{
    for (size_t i = 0; i < step->count; i++) {
        /* The loader of another glibc could fail to load the library, and goes on then.
         */
        if (same_file(elf->loader, step->libraries[i].elf.loader)) {
            return &step->libraries[i];
        }
    }
    return NULL;
}

static int
check_elf(struct step *step, int fd, const struct target_elf *elf)
{
    const struct target_library *library;

    if (!target_elf_same_machine(elf, &step->libraries[0].elf)) {
        return deny(step, -ENOEXEC, "other_machine",
                    "is for another kind of processor (or word size) than "
                    "libmtls_shim.so",
                    "");
    }
    if (!elf->has_loader) {
        return deny(step, -ENOEXEC, "static",
                    "is statically linked: a library cannot be preloaded into it", "");
    }
    if (access(elf->loader, F_OK) != 0) {
        return deny(step, -ENOEXEC, "no_loader",
                    "needs a loader that is not there: ", elf->loader);
    }
    library = library_for(step, elf);
    if (library == NULL) {
        return deny(step, -ENOEXEC, "other_libc",
                    target_library_is_musl(elf->loader)
                        ? "uses another C library (musl) than libmtls_shim.so: "
                        : "uses another C library than libmtls_shim.so: ",
                    elf->loader);
    }
    if (step->chosen == NULL) {
        step->chosen = library;
    }
    if (elf->is_go) {
        return deny(step, -ENOEXEC, "go",
                    "was made by Go's compiler: it makes system calls without libc, so "
                    "its connections would be in plaintext",
                    "");
    }
    return check_privileges(step, fd);
}

/*
 * Looks at one file.  Returns 0 when it is a binary that passed, 1 when it is a script
 * (script filled in), -E... when it is refused.
 */
static int
check_file(struct step *step, struct target_script *script)
{
    char head[TARGET_SCRIPT_LINE];
    struct target_elf elf;
    ssize_t len;
    int rc;
    int fd = open(step->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return deny(step, -EACCES, "unreadable",
                    "cannot be read, so it cannot be checked: ", strerror(errno));
    }
    rc = target_elf_read(fd, &elf);
    if (rc == 0) {
        rc = check_elf(step, fd, &elf);
    } else if (rc == -ENOEXEC) {
        len = pread(fd, head, sizeof(head), 0);
        if (len > 0 && target_script_parse(head, (size_t)len, script) == 0) {
            rc = 1;
        } else if (len >= 0 && memchr(head, '\0', (size_t)len) == NULL) {
            /* execvp hands a text file without "#!" to the shell. */
            memset(script, 0, sizeof(*script));
            memccpy(script->interpreter, "/bin/sh", '\0', sizeof(script->interpreter));
            rc = 1;
        } else {
            rc = deny(step, -ENOEXEC, "not_a_program",
                      "is neither an ELF program nor a script", "");
        }
    } else {
        rc = deny(step, rc, "damaged", "has damaged ELF headers", "");
    }
    close(fd);
    return rc;
}

/* Checks the program that "#!/usr/bin/env NAME" starts; env itself was checked. */
static int
resolve_env(const struct step *step, const char *argument, char path[PATH_MAX])
{
    char name[TARGET_SCRIPT_LINE];
    char found_path[PATH_MAX];
    struct target_refusal found;

    target_script_env(argument, name);
    if (name[0] == '\0') {
        return deny(step, -ENOEXEC, "no_interpreter",
                    "names no program that could be checked: #! env ", argument);
    }
    /* Not into path, where the step's own is: the refusal names it. */
    if (target_find_program(name, found_path, &found) != 0) {
        return deny(step, -ENOEXEC, "no_interpreter", "does not find: ", found.text);
    }
    memcpy(path, found_path, PATH_MAX);
    return 0;
}

/* Moves on to the script's interpreter: writes its path, after checking it is there. */
static int
next_interpreter(const struct step *step, const struct target_script *script,
                 char path[PATH_MAX])
{
    int rc;

    snprintf(path, PATH_MAX, "%s", script->interpreter);
    rc = target_find_executable(path);
    if (rc != 0) {
        return target_refuse(step->refusal, -ENOEXEC, "no_interpreter",
                             "%s: its interpreter %s: %s", step->program, path,
                             strerror(-rc));
    }
    return 0;
}

int
target_check(const char *path, const struct target_library *libraries, size_t count,
             const struct target_visitor *visitor, const struct target_library **chosen,
             struct target_refusal *refusal)
{
    struct target_script script;
    char current[PATH_MAX];
    char env_argument[TARGET_SCRIPT_LINE] = "";
    struct step step = {current, "", libraries, count, NULL, refusal, path};
    int scripts = 0;

    snprintf(current, sizeof(current), "%s", path);
    for (;;) {
        const char *base;
        int rc = check_file(&step, &script);

        if (rc == 0 && env_argument[0] != '\0') {
            rc = resolve_env(&step, env_argument, current);
            env_argument[0] = '\0';
        } else if (rc == 1) {
            if (scripts++ == MAX_SCRIPTS) {
                return deny(&step, -ELOOP, "too_many_scripts",
                            "is one script too many in a row", "");
            }
            rc = next_interpreter(&step, &script, current);
            base = strrchr(current, '/');
            if (strcmp(base != NULL ? base + 1 : current, "env") == 0) {
                memcpy(env_argument, script.argument, sizeof(env_argument));
            }
        } else {
            *chosen = step.chosen;
            return rc;
        }
        if (rc != 0) {
            return rc;
        }
        step.role = "its interpreter ";
        if (visitor != NULL) {
            visitor->interpreter(visitor->context, current);
        }
    }
}
