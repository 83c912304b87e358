#include "tools/run/preload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define SEPARATORS " :" /* of LD_PRELOAD: ld.so(8) */

/* Leaves the last part alone: if it is a link, it is the library's lasting name. */
static bool
resolve_folder(const char *place, char path[PATH_MAX])
{
    char folder[PATH_MAX + 64];
    const char *name = strrchr(place, '/') + 1;
    size_t len;

    snprintf(folder, sizeof(folder), "%.*s", (int)(name - place), place);
    if (access(place, F_OK) != 0 || realpath(folder, path) == NULL) {
        return false;
    }
    len = strlen(path);
    if (len + 1 + strlen(name) >= PATH_MAX) {
        return false;
    }
    snprintf(path + len, PATH_MAX - len, "/%s", name);
    return true;
}

/* The folder that this program is in. Without /proc, as in a bare chroot, it is what exec
 * was called with. */
static int
own_folder(char folder[PATH_MAX])
{
    const char *called = (const char *)getauxval(AT_EXECFN);
    ssize_t len = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    int rc = len < 0 ? -errno : 0;
    char *slash;

    if (len < 0 && (called == NULL || realpath(called, folder) == NULL)) {
        return rc;
    }
    if (len >= 0) {
        folder[len] = '\0';
    }
    slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return 0;
}

int
run_preload_find(struct run_library *library, struct target_refusal *refusal)
{
    static const char *const places[] = {
        "glibc/" RUN_PRELOAD_LIBRARY, /* the folder that `make container` fills */
        "../lib/" RUN_PRELOAD_LIBRARY,
        "../lib/mtls-shim/" RUN_PRELOAD_LIBRARY,
    };
    char self[PATH_MAX];
    int rc = own_folder(self);

    refusal->status = TARGET_EXIT_OWN;
    refusal->code = "library";
    if (rc != 0) {
        snprintf(refusal->text, sizeof(refusal->text),
                 "cannot find my own place: /proc/self/exe: %s", strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char place[PATH_MAX + 64];

        snprintf(place, sizeof(place), "%s/%s", self, places[i]);
        if (resolve_folder(place, library->file.path)) {
            library->unreadable = target_library_read(&library->file);
            return 0;
        }
    }
    snprintf(
        refusal->text, sizeof(refusal->text),
        "%s is neither in glibc nor in ../lib nor in ../lib/mtls-shim, as seen from %s: "
        "is the installation complete?",
        RUN_PRELOAD_LIBRARY, self);
    return -ENOENT;
}

const char *
run_preload_version(const struct run_library *library)
{
    bool is_told = library->unreadable == 0 && library->file.elf.note[0] != '\0';

    return is_told ? library->file.elf.note : "unknown";
}

bool
run_preload_is_same(const struct run_library *library)
{
    static const char own[] = MTLS_SHIM_VERSION;
    const char *version = run_preload_version(library);

    return strncmp(version, own, strlen(own)) == 0 && version[strlen(own)] == ',';
}

int
run_preload_check(const char *program, struct run_library *library,
                  const struct target_visitor *visitor, struct target_refusal *refusal)
{
    static struct target_library libraries[TARGET_LIBRARIES];
    const struct target_library *chosen = NULL;
    size_t count = 1;
    int rc = library->unreadable;

    if (rc == 0 && !library->file.elf.has_loader) {
        rc = -ELIBBAD; /* it names the one that it was built for */
    }
    if (rc != 0) {
        target_refuse(refusal, rc, "library", "%s: %s", library->file.path,
                      strerror(-rc));
        refusal->status = TARGET_EXIT_OWN;
        return rc;
    }
    libraries[0] = library->file;
    target_library_sibling(library->file.path, libraries[1].path);
    if (libraries[1].path[0] != '\0' && target_library_read(&libraries[1]) == 0) {
        count = TARGET_LIBRARIES;
    }
    rc = target_check(program, libraries, count, visitor, &chosen, refusal);
    if (rc == 0) {
        library->file = *chosen;
    }
    return rc;
}

/* Whether an entry of LD_PRELOAD is this library, perhaps another copy of it. */
static bool
is_library(const char *entry, size_t len)
{
    const size_t name = strlen(RUN_PRELOAD_LIBRARY);

    return len >= name && memcmp(entry + len - name, RUN_PRELOAD_LIBRARY, name) == 0 &&
           (len == name || entry[len - name - 1] == '/');
}

int
run_preload_set(const char *library)
{
    const char *old = getenv("LD_PRELOAD");
    size_t used = strlen(library);
    char *value;
    int rc;

    if (strpbrk(library, SEPARATORS) != NULL) {
        return -EINVAL;
    }
    old = old != NULL ? old : "";
    value = malloc(used + strlen(old) + 2);
    if (value == NULL) {
        return -ENOMEM;
    }
    memcpy(value, library, used);
    for (old += strspn(old, SEPARATORS); *old != '\0'; old += strspn(old, SEPARATORS)) {
        size_t len = strcspn(old, SEPARATORS);

        if (!is_library(old, len)) {
            value[used++] = ':';
            memcpy(value + used, old, len);
            used += len;
        }
        old += len;
    }
    value[used] = '\0';
    rc = setenv("LD_PRELOAD", value, 1) == 0 ? 0 : -errno;
    free(value);
    return rc;
}
