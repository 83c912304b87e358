/* Whether the shim can be loaded into the program that is to be started. */
#ifndef SHIM_TARGET_CHECK_H
#define SHIM_TARGET_CHECK_H

#include <stddef.h>

#include "shim/target/elf.h"
#include "shim/target/find.h"
#include "shim/target/library.h"

/* Is told of each interpreter on the way from a script to a binary. */
struct target_visitor {
    void (*interpreter)(void *context, const char *path);
    void *context;
};

/*
 * Checks that one of the libraries can be loaded into the program, following the
 * interpreters of scripts: dynamic, for the same processor and C library, and not
 * privileged (the loader ignores LD_PRELOAD in setuid, setgid and capability programs).
 *
 *   path       in   from target_find_program()
 *   libraries  in   count of them, at least one; elf.loader is that of its C library
 *   visitor    in   NULL = nobody is told
 *   chosen     out  the one for what is started first: of a script, the interpreter
 *   refusal    out  filled in on failure
 *
 * Returns  0, or -E... with refusal->status 126 or 127.
 */
int target_check(const char *path, const struct target_library *libraries, size_t count,
                 const struct target_visitor *visitor,
                 const struct target_library **chosen, struct target_refusal *refusal)
    __attribute__((warn_unused_result));

#endif
