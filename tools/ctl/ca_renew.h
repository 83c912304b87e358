/* `mtlsctl ca renew`: the same certificate for longer. */
#ifndef TOOLS_CTL_CA_RENEW_H
#define TOOLS_CTL_CA_RENEW_H

#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_options.h"

/* Renews a certificate, with a new key or the one that it has; 0, or -E..., reported. */
int ca_renew(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));

#endif
