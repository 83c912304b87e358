/* Certificate revocation lists. */
#ifndef TOOLS_CTL_CA_CRL_H
#define TOOLS_CTL_CA_CRL_H

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_index.h"

/*
 * Makes a signed X.509 v2 CRL of all that the index says is revoked; its number is
 * index->crl_number.
 *
 *   pem  out  for free()
 *
 * Returns  the PEM's length; -E..., reported.
 * Source   RFC 5280, section 5
 */
int ca_crl_make(struct ca_authority *authority, const struct ca_index *index,
                int64_t next_update, WC_RNG *rng, char **pem)
    __attribute__((warn_unused_result));

#endif
