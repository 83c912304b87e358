/* The library, once for each C library that a program may be linked with. */
#ifndef SHIM_TARGET_LIBRARY_H
#define SHIM_TARGET_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

#include "shim/target/elf.h"

#define TARGET_LIBRARY_NAME "libmtls_shim.so"

struct target_library {
    char path[PATH_MAX];   /* absolute; of a library that is a link, the link */
    struct target_elf elf; /* its loader is that of the C library that it is for */
};

/* The library for glibc, the one for musl. */
enum { TARGET_LIBRARIES = 2 };

/*
 * Where the library for another C library is, beside one: lib/ (or glibc/) and musl/ are
 * in one folder.
 *
 *   path     in   of the one library, with a slash in it
 *   sibling  out  of the other; "" when there is none
 */
void target_library_sibling(const char *path, char sibling[PATH_MAX]);

/* Reads the headers of library->path. Returns 0 or -E... */
int target_library_read(struct target_library *library)
    __attribute__((warn_unused_result));

/* Whether the path is that of the loader of musl. */
bool target_library_is_musl(const char *loader);

#endif
