/*
 * One revocation list, taken apart.
 */
#ifndef CONFIG_CRL_LIST_H
#define CONFIG_CRL_LIST_H

#include "config/der.h"

struct crl_list {
    struct der_span signed_part; /* TBSCertList, with tag and length */
    struct der_span issuer;      /* the content of the Name's SEQUENCE */
    struct der_span revoked;     /* the entries */
    struct der_span algorithm;   /* AlgorithmIdentifier, with tag and length */
    struct der_span signature;
    int64_t this_update; /* seconds since the epoch */
    int64_t next_update;
    bool
        is_partial; /* some extension is critical: a delta list, or one of some reasons */
};

/*
 * Takes a list apart, without its entries.
 *
 *   list  out  points into the DER
 *
 * Returns  false when it is malformed.
 * Source   RFC 5280, section 5.1; the time of the next list is required, as there.
 */
bool crl_list_read(struct der_span der, struct crl_list *list);

/*
 * Looks at every entry, once and for all.
 *
 * Returns  false when one is malformed; sets is_partial for critical extensions.
 */
bool crl_list_check(struct crl_list *list);

/* Takes the next entry's serial number off the entries; false at the end. */
bool crl_list_next(struct der_span *revoked, struct der_span *serial, bool *is_partial);

#endif
