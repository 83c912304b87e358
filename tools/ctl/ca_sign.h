/* `mtlsctl ca sign`: a certificate for a key that stays with its owner. */
#ifndef TOOLS_CTL_CA_SIGN_H
#define TOOLS_CTL_CA_SIGN_H

#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_options.h"

/*
 * Shows what a request (PKCS#10) asks for and what it gets, and signs it.
 *
 * Returns  0, or -E..., reported.
 */
int ca_sign(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));

#endif
