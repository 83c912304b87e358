/* Whether the shim can be loaded into the program that is to be started. */
#ifndef SHIM_TARGET_CHECK_H
#define SHIM_TARGET_CHECK_H

#include "shim/target/elf.h"
#include "shim/target/find.h"

/* Is told of each interpreter on the way from a script to a binary. */
struct target_visitor {
    void (*interpreter)(void *context, const char *path);
    void *context;
};

/*
 * Checks that the library can be loaded into the program, following the interpreters
 * of scripts: dynamic, for the same processor and C library, and not privileged
 * (the loader ignores LD_PRELOAD in setuid, setgid and capability programs).
 *
 *   path     in   from target_find_program()
 *   library  in   the library's headers
 *   loader   in   path of the loader of the library's C library
 *   visitor  in   NULL = nobody is told
 *   refusal  out  filled in on failure
 *
 * Returns  0, or -E... with refusal->status 126 or 127.
 */
int target_check(const char *path, const struct target_elf *library, const char *loader,
                 const struct target_visitor *visitor, struct target_refusal *refusal)
    __attribute__((warn_unused_result));

#endif
