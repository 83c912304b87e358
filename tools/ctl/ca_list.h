/* `mtlsctl ca list`. */
#ifndef TOOLS_CTL_CA_LIST_H
#define TOOLS_CTL_CA_LIST_H

#include "tools/ctl/ca_options.h"

/* Lists what was issued, as text or JSON; 0, or -E..., reported. */
int ca_list(const struct ca_options *options) __attribute__((warn_unused_result));

#endif
