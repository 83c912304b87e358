#include "shim/target/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The last folder of a path: its name, and how long what is before it is. */
static const char *
last_folder(const char *path, size_t *len, size_t *before)
{
    const char *end = strrchr(path, '/');
    const char *start = end;

    while (start > path && start[-1] != '/') {
        start--;
    }
    *len = (size_t)(end - start);
    *before = (size_t)(start - path);
    return start;
}

static bool
is(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

void
target_library_sibling(const char *path, char sibling[PATH_MAX])
{
    static const char *const of_glibc[] = {"musl", NULL};
    static const char *const of_musl[] = {"glibc", "lib", NULL};
    size_t len;
    size_t before;
    const char *folder = last_folder(path, &len, &before);
    const char *const *others = is(folder, len, "musl") ? of_musl : of_glibc;

    for (; *others != NULL; others++) {
        int n = snprintf(sibling, PATH_MAX, "%.*s%s%s", (int)before, path, *others,
                         strrchr(path, '/'));

        if (n < PATH_MAX && access(sibling, F_OK) == 0) {
            return;
        }
    }
    sibling[0] = '\0';
}

int
target_library_read(struct target_library *library)
{
    int fd = open(library->path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0) {
        return -errno;
    }
    rc = target_elf_read(fd, &library->elf);
    close(fd);
    return rc;
}

bool
target_library_is_musl(const char *loader)
{
    return strstr(loader, "/ld-musl-") != NULL;
}
