#include "shim/target/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
target_refuse(struct target_refusal *refusal, int rc, const char *code,
              const char *format, ...)
{
    va_list args;

    refusal->status =
        rc == -ENOENT || rc == -ENOTDIR ? TARGET_EXIT_NOT_FOUND : TARGET_EXIT_REFUSED;
    refusal->code = code;
    va_start(args, format);
    vsnprintf(refusal->text, sizeof(refusal->text), format, args);
    va_end(args);
    return rc;
}

int
target_find_executable(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return -errno;
    }
    if (S_ISDIR(st.st_mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
        return -EACCES;
    }
    return 0;
}

static int
refuse_path(struct target_refusal *refusal, const char *path, int rc)
{
    switch (rc) {
    case -EISDIR:
        return target_refuse(refusal, rc, "not_a_program", "%s: is a directory", path);
    case -EACCES:
        return target_refuse(refusal, rc, "not_executable",
                             "%s: is not executable for this user", path);
    case -ENOENT:
        return target_refuse(refusal, rc, "not_found", "%s: no such program", path);
    default:
        return target_refuse(refusal, rc, "not_found", "%s: %s", path, strerror(-rc));
    }
}

/* Writes the next candidate of a search path; false when it does not fit. */
static bool
candidate(const char *dir, size_t len, const char *name, char path[PATH_MAX])
{
    /* An empty element means the current directory. */
    int n = len == 0 ? snprintf(path, PATH_MAX, "./%s", name)
                     : snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dir, name);

    return n > 0 && n < PATH_MAX;
}

int
target_find_program(const char *name, char path[PATH_MAX], struct target_refusal *refusal)
{
    const char *search = getenv("PATH");
    int rc = -ENOENT;

    if (strchr(name, '/') != NULL) {
        if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX) {
            return target_refuse(refusal, -ENAMETOOLONG, "not_found",
                                 "%.200s...: name too long", name);
        }
        rc = target_find_executable(path);
        return rc == 0 ? 0 : refuse_path(refusal, path, rc);
    }
    if (search == NULL) {
        search = "/bin:/usr/bin"; /* what glibc's execvp takes */
    }
    for (const char *dir = search; name[0] != '\0'; dir++) {
        size_t len = strcspn(dir, ":");

        if (candidate(dir, len, name, path)) {
            int got = target_find_executable(path);

            if (got == 0) {
                return 0;
            }
            if (got == -EACCES) {
                rc = got; /* remembered, but a later directory may do better */
            }
        }
        dir += len;
        if (*dir == '\0') {
            break;
        }
    }
    if (rc == -EACCES) {
        return target_refuse(refusal, rc, "not_executable",
                             "%s: found in PATH, but not executable for this user", name);
    }
    return target_refuse(refusal, rc, "not_found", "%s: no such program in PATH", name);
}
