/*
 * What this process itself was started with.
 */
#ifndef SHIM_TARGET_OWN_H
#define SHIM_TARGET_OWN_H

#include <limits.h>
#include <stdbool.h>

/*
 * The path of the loader that the program names, from its headers in memory: there need
 * be no /proc.
 *
 *   loader  out  PATH_MAX bytes
 *
 * Returns  false: it names none, as where the loader itself was given the program to run.
 */
bool target_own_loader(char loader[PATH_MAX]);

#endif
