/* The library and the environment that a shimmed program is started with. */
#ifndef TOOLS_RUN_PRELOAD_H
#define TOOLS_RUN_PRELOAD_H

#include <stdbool.h>

#include "shim/target/check.h"
#include "shim/target/elf.h"
#include "shim/target/find.h"

#define RUN_PRELOAD_LIBRARY TARGET_LIBRARY_NAME

/* The library, and what its headers say. */
struct run_library {
    struct target_library file; /* its folder without links. Of a library that is a link,
                                   the link: it stays when the version behind it is
                                   replaced, and running programs go on to hand this path
                                   on. Headers are of use when unreadable is 0 */
    int unreadable;             /* -E... */
};

/*
 * Finds the library beside this program: glibc/, ../lib/ or ../lib/mtls-shim/ seen from
 * the directory of its own executable; and reads its headers.
 *
 *   library  out
 *   refusal  out  filled in on failure
 *
 * Returns  0, or -E... with refusal->status 125.
 */
int run_preload_find(struct run_library *library, struct target_refusal *refusal)
    __attribute__((warn_unused_result));

/* What the library says of itself: its version, and what is linked into it. "unknown" for
 * one that does not say. Lives as long as the library. */
const char *run_preload_version(const struct run_library *library);

/* Whether the library is of the same version as this program. */
bool run_preload_is_same(const struct run_library *library);

/*
 * Checks that the library can be loaded into a program, as mtls-run does before it starts
 * one; or the one beside it that is for another C library.
 *
 *   program  in   from target_find_program()
 *   library  i/o  from run_preload_find(); which of the two is to be loaded
 *   visitor  in   NULL = nobody is told of interpreters
 *   refusal  out  filled in on failure
 *
 * Returns  0, or -E... with refusal->status 125, 126 or 127.
 */
int run_preload_check(const char *program, struct run_library *library,
                      const struct target_visitor *visitor,
                      struct target_refusal *refusal) __attribute__((warn_unused_result));

/*
 * Puts the library first in LD_PRELOAD; what is there already stays, except other
 * entries for this library.
 *
 * Returns  0; -ENOMEM; -EINVAL when the path holds a space or a colon, which LD_PRELOAD
 *          cannot express.
 */
int run_preload_set(const char *library) __attribute__((warn_unused_result));

#endif
