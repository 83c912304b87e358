/*
 * Revocation lists: whether the CA that issued a certificate has taken it back.
 */
#ifndef CONFIG_CRL_H
#define CONFIG_CRL_H

#include "config/der.h"
#include "config/material.h"
#include "config/problem.h"

enum crl_status {
    CRL_GOOD,    /* a list that is in date does not have it, and none has */
    CRL_REVOKED, /* one has it, whether it is in date or not */
    CRL_EXPIRED, /* all of the issuer's lists are out of date */
    CRL_UNKNOWN, /* there is no list of the issuer */
};

/*
 * Reads and verifies revocation lists.  Each must be signed by a CA of trust, or by an
 * intermediate one below it whose certificate is in our own chain or in PEM beside the
 * lists.  A list may be out of date, but not from the future, and not a partial one.
 *
 *   place     in   the file or directory (*.crl and *.pem in it); gets problems
 *   material  in   chain and trust
 *   out       out  the lists; on the heap, also on failure
 *
 * Returns  0; -EINVAL after a problem, also when there is no list.
 * Source   RFC 5280, section 5.
 */
int crl_load(const struct problem_place *place, const struct material *material,
             struct material_blob *out);

/*
 * Looks a certificate up.
 *
 *   crl     in  what crl_load() made
 *   issuer  in  the content of the Name's SEQUENCE
 *   serial  in  the INTEGER's bytes
 *   now     in  seconds since the epoch
 *
 * Safe     allocates nothing; threads.
 */
enum crl_status crl_look_up(const struct material_blob *crl, struct der_span issuer,
                            struct der_span serial, int64_t now);

/* When the next list that is in date goes out of date, in seconds since the epoch; that
 * is the first second of it.  INT64_MAX: none does. */
int64_t crl_next_change(const struct material_blob *crl, int64_t now);

#endif
