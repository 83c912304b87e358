/*
 * Globs: '*' stands for any run of characters, '?' for any one.
 */
#ifndef CONFIG_GLOB_H
#define CONFIG_GLOB_H

#include "config/policy.h"

/*
 * As policy_glob(), for names of hosts: case and a trailing dot do not count.
 *
 *   pattern  in  lower case, without a trailing dot
 *
 * Safe     async-signal-safe.
 */
bool glob_host(const char *pattern, const char *name);

#endif
