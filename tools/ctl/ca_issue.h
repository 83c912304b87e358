/* `mtlsctl ca init` and `mtlsctl ca issue`. */
#ifndef TOOLS_CTL_CA_ISSUE_H
#define TOOLS_CTL_CA_ISSUE_H

#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_options.h"
#include "tools/ctl/ca_template.h"

/* Both: 0, or -E..., reported. */
int ca_issue_init(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));
int ca_issue(const struct ca_options *options, WC_RNG *rng)
    __attribute__((warn_unused_result));

/*
 * Turns the options into what a leaf certificate will say, but for its key; everything
 * is checked.  Without any alternative name it is for the NAME.
 *
 * Returns  0 or -EINVAL, reported.
 */
int ca_issue_request(const struct ca_options *options, struct ca_request *request)
    __attribute__((warn_unused_result));

#endif
