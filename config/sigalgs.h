/*
 * The signature algorithms of handshakes that a policy may name.
 */
#ifndef CONFIG_SIGALGS_H
#define CONFIG_SIGALGS_H

#include <stdint.h>

#define SIGALGS_COUNT_MAX 16 /* how many a list can have: each stands there once */

struct sigalgs_entry {
    const char *name; /* IANA's, in the registry of TLS SignatureScheme */
    uint16_t number;
};

/* All of them, the best first; a NULL name ends the list. */
extern const struct sigalgs_entry sigalgs_list[];

/* NULL when the shim does not speak it. */
const struct sigalgs_entry *sigalgs_find(const char *name);
const struct sigalgs_entry *sigalgs_find_number(uint16_t number);

#endif
