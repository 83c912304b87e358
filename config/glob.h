/*
 * Globs: '*' stands for any run of characters, '?' for any one.
 */
#ifndef CONFIG_GLOB_H
#define CONFIG_GLOB_H

#include "config/policy.h"

/*
 * As policy_glob(), but the case of the letters A to Z does not count.
 *
 * Safe     async-signal-safe.
 */
bool glob_any_case(const char *pattern, const char *text);

/*
 * The same for names of hosts, where a trailing dot does not count either.
 *
 *   pattern  in  without a trailing dot
 *
 * Safe     async-signal-safe.
 */
bool glob_host(const char *pattern, const char *name);

#endif
