#include "config/groups.h"

#include <stddef.h>
#include <string.h>

const struct groups_entry groups_list[] = {
#ifdef GROUPS_HAVE_HYBRID
    {"X25519MLKEM768", NULL, GROUPS_X25519MLKEM768},
#endif
    {"X25519", NULL, 29},
    {"P-256", "SECP256R1", 23},
    {"P-384", "SECP384R1", 24},
    {"P-521", "SECP521R1", 25},
    {NULL, NULL, 0},
};

/* The hybrid first: what is recorded today shall not be read by tomorrow's computers. */
const char *const groups_usual[] = {
#ifdef GROUPS_HAVE_HYBRID
    "X25519MLKEM768",
#endif
    "X25519",         "P-256", "P-384", NULL,
};

const struct groups_entry *
groups_find(const char *name)
{
    for (const struct groups_entry *group = groups_list; group->name != NULL; group++) {
        if (strcmp(group->name, name) == 0) {
            return group;
        }
    }
    return NULL;
}

const struct groups_entry *
groups_by_number(uint16_t number)
{
    for (const struct groups_entry *group = groups_list; group->name != NULL; group++) {
        if (group->number == number) {
            return group;
        }
    }
    return NULL;
}

const char *
groups_name(const char *other_name)
{
    for (const struct groups_entry *group = groups_list; group->name != NULL; group++) {
        if (group->other_name != NULL && strcmp(group->other_name, other_name) == 0) {
            return group->name;
        }
    }
    return other_name;
}
