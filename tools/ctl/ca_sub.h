/* `mtlsctl ca sub`: a CA below another one. */
#ifndef TOOLS_CTL_CA_SUB_H
#define TOOLS_CTL_CA_SUB_H

#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_options.h"

/* Makes an intermediate CA in a directory of its own; 0, or -E..., reported. */
int ca_sub(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));

#endif
