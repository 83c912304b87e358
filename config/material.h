/*
 * What an identity's files hold: certificate chain, private key and trust anchors,
 * read once, checked, and kept in memory so that a program may drop its privileges.
 */
#ifndef CONFIG_MATERIAL_H
#define CONFIG_MATERIAL_H

#include "config/policy.h"

#define MATERIAL_SERIAL_LEN 68 /* 32 bytes in hex, the most wolfSSL reads, and a NUL */

struct material_blob {
    uint8_t *data; /* NULL when len is 0 */
    size_t len;    /* bytes */
};

struct material {
    struct material_blob chain;       /* PEM, leaf first */
    struct material_blob key;         /* DER, decrypted (PKCS#8 or traditional), secret */
    struct material_blob crl;         /* DER, one or more revocation lists; crl.h */
    struct material_blob trust;       /* PEM, one or more CA certificates */
    char serial[MATERIAL_SERIAL_LEN]; /* own certificate's serial, lower-case hex */
    int64_t not_after;                /* own certificate's end, seconds since the epoch */
};

/*
 * Loads and checks the files of one identity: readable; key not readable by group or
 * world; chain parses; key belongs to the certificate; certificate is valid now;
 * trust has at least one CA certificate; revocation lists are signed by CAs that trust
 * vouches for.
 *
 *   policy, identity  in   whose files, and the path and line named in problems
 *   report            in   gets every problem
 *   material          out  to be released with material_done(), also on failure
 *
 * Returns  0, or -EINVAL when any problem was reported.
 * Safe     allocates; not for signal handlers.
 */
int material_load(const struct policy *policy, const struct policy_identity *identity,
                  struct policy_report *report, struct material *material);

/* Wipes the key and frees everything; safe on a zeroed struct and twice. */
void material_done(struct material *material);

#endif
