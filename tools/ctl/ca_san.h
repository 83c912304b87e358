/* Names that certificates are for, and names that a CA may issue them for. */
#ifndef TOOLS_CTL_CA_SAN_H
#define TOOLS_CTL_CA_SAN_H

#include "config/der.h"
#include "tools/ctl/ca_der.h"

#include <stddef.h>
#include <stdint.h>

enum ca_san_kind { CA_SAN_DNS, CA_SAN_IP, CA_SAN_URI };

struct ca_san {
    enum ca_san_kind kind;
    const char *text;
};

#define CA_MAX_SUBTREES 32

/* Name constraints: a domain, a net, the host of URIs. */
struct ca_subtrees {
    struct ca_san at[CA_MAX_SUBTREES];
    size_t count;
};

/* Whether an alternative name is well-formed: 0, or -EINVAL, reported. */
int ca_san_check(const struct ca_san *san) __attribute__((warn_unused_result));

/* Puts names that passed ca_san_check() as GeneralNames. */
void ca_san_put(struct ca_der *der, const struct ca_san *san, size_t count);

/*
 * Reads one name that a request asks for.
 *
 *   general_name  in   the element of a GeneralNames
 *   san           out  its text is for free()
 *
 * Returns  0; -EINVAL for a kind that is not issued, or a malformed one; -ENOMEM; all
 *          reported.
 */
int ca_san_read(const struct der_item *general_name, struct ca_san *san)
    __attribute__((warn_unused_result));

/*
 * Adds a name constraint.
 *
 *   option  in  for reports
 *   text    in  dns:DOMAIN, ip:ADDRESS/BITS or uri:HOST; must live on
 *
 * Returns  0, or -EINVAL, reported.
 */
int ca_san_add_subtree(struct ca_subtrees *subtrees, const char *option, const char *text)
    __attribute__((warn_unused_result));

/* Puts the content of GeneralSubtrees. Source: RFC 5280, section 4.2.1.10. */
void ca_san_put_subtrees(struct ca_der *der, const struct ca_subtrees *subtrees);

#endif
