/* `mtlsctl ca p12`: key, certificate and chain in one file. */
#ifndef TOOLS_CTL_CA_P12_H
#define TOOLS_CTL_CA_P12_H

#include "tools/ctl/ca_options.h"

/* Writes NAME.p12, encrypted with AES-256; 0, or -E..., reported. */
int ca_p12(const struct ca_options *options) __attribute__((warn_unused_result));

#endif
