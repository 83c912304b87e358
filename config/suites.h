/*
 * The cipher suites that a policy may name.
 */
#ifndef CONFIG_SUITES_H
#define CONFIG_SUITES_H

#include <stdint.h>

struct suites_entry {
    const char *name; /* IANA's */
    uint16_t version; /* the only TLS version that has it */
};

/* All of them; a NULL name ends the list.  The same set as shim/session/suite.c. */
extern const struct suites_entry suites_list[];

/* Returns  the suite of this name, NULL when the shim does not speak it. */
const struct suites_entry *suites_find(const char *name);

#endif
