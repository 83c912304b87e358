/*
 * Certificates in files: what the policy has to know of them.
 */
#ifndef CONFIG_CERTS_H
#define CONFIG_CERTS_H

#include "config/file.h"
#include "config/material.h"
#include "config/problem.h"
#include "config/strength.h"

struct certs_one {
    const uint8_t *der;
    size_t der_len;
    int position; /* in its file, from 1 */
    int error;    /* wolfSSL's; 0, or what follows is not filled in */
    bool has_weak_key, has_weak_signature; /* strength.h; weak has the words */
    char weak[STRENGTH_WORDS_LEN];
    bool is_self_signed;     /* subject and issuer are the same */
    bool may_serve, may_ask; /* extended key usage: as a server, as a client */
    bool is_ca;
    int64_t not_before; /* seconds since the epoch */
    int64_t not_after;
    char serial[MATERIAL_SERIAL_LEN]; /* lower-case hex, no leading zeros */
};

/*
 * Calls visit for each certificate of a file, PEM (other blocks are skipped) or DER,
 * until one call does not return 0.
 *
 *   place  in  gets the problem with a file that holds no certificate, or a broken block
 *
 * Returns  the number of certificates; -EINVAL after a problem; what visit returned.
 */
int certs_each(const struct problem_place *place, const struct file *file,
               int (*visit)(void *context, const struct certs_one *cert), void *context);

/* Calls visit for one certificate; returns what it returned. */
int certs_visit(const uint8_t *der, size_t len, int position,
                int (*visit)(void *context, const struct certs_one *cert), void *context);

/*
 * Appends a certificate as PEM.
 *
 *   blob  in/out  grown with realloc(); a NUL that does not count follows
 *
 * Returns  0; -ENOMEM.
 */
int certs_append(struct material_blob *blob, const struct certs_one *cert);

/* Reads a DER time, with its tag and length.  Returns 0; -EINVAL. */
int certs_read_time(const uint8_t *encoded, size_t len, int64_t *when);

#define CERTS_TIME_LEN 32

/* Writes a time as "2026-11-24 22:41:49 UTC"; returns text. */
const char *certs_time(int64_t when, char text[CERTS_TIME_LEN]);

/* What one of wolfSSL's errors says about a certificate; else wolfSSL's own words. */
const char *certs_error(int rc);

#endif
