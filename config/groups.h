/*
 * The groups for the key exchange that a policy may name.
 */
#ifndef CONFIG_GROUPS_H
#define CONFIG_GROUPS_H

#include <stdint.h>

#define GROUPS_COUNT_MAX 8 /* how many a list can have: each stands there once */

struct groups_entry {
    const char *name;
    const char *other_name; /* wolfSSL's, where it differs; NULL */
    uint16_t number;        /* IANA's, in the registry of TLS supported groups */
};

/* All of them; a NULL name ends the list. */
extern const struct groups_entry groups_list[];

/* The names of those that are offered without a list; NULL-terminated. */
extern const char *const groups_usual[];

/* Returns  the group of this name, NULL when the shim does not speak it. */
const struct groups_entry *groups_find(const char *name);

/* The name of a group that wolfSSL calls so; the same text when it is not in the list. */
const char *groups_name(const char *other_name);

#endif
