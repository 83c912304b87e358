/*
 * What an identity's files hold: certificate chain, private key and trust anchors,
 * read once, checked, and kept in memory so that a program may drop its privileges.
 */
#ifndef CONFIG_MATERIAL_H
#define CONFIG_MATERIAL_H

#include "config/policy.h"
#include "config/stamp.h"

#define MATERIAL_SERIAL_LEN 68 /* 32 bytes in hex, the most wolfSSL reads, and a NUL */

struct material_blob {
    uint8_t *data; /* NULL when len is 0 */
    size_t len;    /* bytes */
};

struct material {
    struct material_blob chain;       /* PEM and a NUL, leaf first */
    struct material_blob key;         /* DER, decrypted (PKCS#8 or traditional), secret */
    struct material_blob crl;         /* DER, one or more revocation lists; crl.h */
    struct material_blob trust;       /* the same; one or more CA certificates */
    char serial[MATERIAL_SERIAL_LEN]; /* own certificate's serial, lower-case hex */
    int64_t not_after;                /* own certificate's end, seconds since the epoch */
};

/*
 * Loads and checks the files of one identity: readable; key not readable by group or
 * world; chain parses and is strong enough (strength.h); key belongs to the certificate;
 * certificate is valid now, and for the roles that the policy's rules give it;
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

/* The parts of it that are read and renewed by themselves. */
enum material_part {
    MATERIAL_OWN, /* certificate and private key, which belong together */
    MATERIAL_TRUST,
    MATERIAL_CRL,
    MATERIAL_PARTS,
};

/* The state of the files of one part, now; zeroed where it has none. */
struct stamp material_stamp(const struct policy_identity *identity,
                            enum material_part part);

/*
 * Loads one part anew, as material_load() does; revocation lists are looked at with the
 * chain and the trust that are there.
 *
 *   material  in/out  that part of it is replaced; untouched on failure
 *
 * Returns  0, or -EINVAL when any problem was reported.
 */
int material_load_part(const struct policy *policy,
                       const struct policy_identity *identity, enum material_part part,
                       struct policy_report *report, struct material *material);

/*
 * Copies all of it, the key too.
 *
 *   to  out  to be released with material_done()
 *
 * Returns  0; -ENOMEM.
 */
int material_copy(const struct material *from, struct material *to);

/* Whether a part holds the same, byte for byte. */
bool material_part_equal(const struct material *a, const struct material *b,
                         enum material_part part);

/* Wipes the key and frees everything; safe on a zeroed struct and twice. */
void material_done(struct material *material);

#endif
