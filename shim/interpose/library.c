#include "shim/interpose/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/interpose/real.h"
#include "shim/target/own.h"

const char *
library_own(void)
{
    Dl_info info;
    return dladdr(&real, &info) != 0 ? info.dli_fname : NULL;
}

/* The loader that this process was started with, which counts rather than the one that
 * the library was built for: there may be several. */
static bool
read_own(struct target_library *own)
{
    struct target_library self = {.path = "/proc/self/exe"};
    const char *path = library_own();
    if (path == NULL || snprintf(own->path, PATH_MAX, "%s", path) >= PATH_MAX ||
        target_library_read(own) != 0) {
        return false;
    }
    return target_own_loader(own->elf.loader) ||
           (target_library_read(&self) == 0 &&
            memcpy(own->elf.loader, self.elf.loader, PATH_MAX) != NULL);
}

int
library_check(const char *program, char path[PATH_MAX], struct target_refusal *refusal)
{
    struct target_library libraries[TARGET_LIBRARIES];
    const struct target_library *chosen = NULL;
    size_t count = 1;
    path[0] = '\0';
    if (!read_own(&libraries[0])) {
        return target_refuse(refusal, -EIO, "library",
                             "the library's own file cannot be read");
    }
    target_library_sibling(libraries[0].path, libraries[1].path);
    if (libraries[1].path[0] != '\0' && target_library_read(&libraries[1]) == 0) {
        count = TARGET_LIBRARIES;
    }
    int result = target_check(program, libraries, count, NULL, &chosen, refusal);
    if (result == 0 && chosen != &libraries[0]) {
        memcpy(path, chosen->path, PATH_MAX);
    }
    return result;
}

/* Its loader stops a program of musl that was given glibc's, and not the other way. */
bool
library_is_alone(void)
{
    char sibling[PATH_MAX];
    const char *own = library_own();
    if (own == NULL || target_library_is_musl(MTLS_SHIM_LOADER)) {
        return false;
    }
    target_library_sibling(own, sibling);
    return sibling[0] == '\0';
}
