/*
 * Names of hosts as policies write them.
 */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "config/arena.h"

#include <stdbool.h>

#define HOST_LEN_MAX 253 /* RFC 1035, section 2.3.4, in the form with dots */

/*
 * Checks the form of a name and copies it in lower case, without a trailing dot.
 *
 *   text, len  in  letters, digits, '-' and '_' in labels, with dots between them
 *   globs      in  whether '*' and '?' may stand in it too
 *
 * Returns  the copy, from the arena; NULL when this is no name, or memory is short.
 */
char *host_copy(struct arena *arena, const char *text, size_t len, bool globs);

#endif
