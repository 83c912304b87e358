/*
 * Our own file, and which library a program is given that is started: one for another C
 * library needs the one that is made for that, and the loader of glibc goes on without
 * what it cannot load.
 */
#ifndef SHIM_INTERPOSE_LIBRARY_H
#define SHIM_INTERPOSE_LIBRARY_H

#include <stdbool.h>

#include "shim/target/check.h"

/* The path of our own file; NULL when it is not known. Lives as long as the process. */
const char *library_own(void);

/*
 * Whether one of the libraries can be loaded into a program.
 *
 *   program  in   from target_find_program()
 *   path     out  PATH_MAX bytes: of which; "" for our own
 *   refusal  out  filled in on failure
 *
 * Returns  0; -EIO when our own file cannot be read; else as target_check().
 * Safe     allocates nothing.
 */
int library_check(const char *program, char path[PATH_MAX],
                  struct target_refusal *refusal);

/* Whether a program that is not loadable is stopped by its own loader, or never gets to
 * us: then nobody has to look at it. False where it could run on without the library. */
bool library_is_alone(void);

#endif
