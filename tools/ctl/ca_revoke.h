/* `mtlsctl ca revoke` and `mtlsctl ca crl`. */
#ifndef TOOLS_CTL_CA_REVOKE_H
#define TOOLS_CTL_CA_REVOKE_H

#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_options.h"

/* Both: 0, or -E..., reported. */
int ca_revoke(const struct ca_options *options) __attribute__((warn_unused_result));
int ca_revoke_crl(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));

#endif
