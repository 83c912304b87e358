/*
 * The groups for the key exchange that a policy may name.
 */
#ifndef CONFIG_GROUPS_H
#define CONFIG_GROUPS_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <stdint.h>

#include <wolfssl/version.h>

/* A hybrid with the post-quantum ML-KEM-768, which is as new as this in wolfSSL. */
#if defined(WOLFSSL_HAVE_MLKEM) && LIBWOLFSSL_VERSION_HEX >= 0x05008000
#define GROUPS_HAVE_HYBRID
#endif
#define GROUPS_X25519MLKEM768 0x11ec

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

/* The same by IANA's number. */
const struct groups_entry *groups_by_number(uint16_t number);

/* The name of a group that wolfSSL calls so; the same text when it is not in the list. */
const char *groups_name(const char *other_name);

#endif
