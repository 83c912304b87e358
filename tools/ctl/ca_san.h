/* Alternative names of certificates. */
#ifndef TOOLS_CTL_CA_SAN_H
#define TOOLS_CTL_CA_SAN_H

#include <stddef.h>
#include <stdint.h>

enum ca_san_kind { CA_SAN_DNS, CA_SAN_IP, CA_SAN_URI };

struct ca_san {
    enum ca_san_kind kind;
    const char *text;
};

/* Whether an alternative name is well-formed: 0, or -EINVAL, reported. */
int ca_san_check(const struct ca_san *san) __attribute__((warn_unused_result));

/*
 * Encodes names that passed ca_san_check() as GeneralNames.
 *
 * Returns  bytes at the start of out; -E2BIG when they do not fit, reported.
 */
int ca_san_encode(const struct ca_san *san, size_t count, uint8_t *out, size_t size)
    __attribute__((warn_unused_result));

#endif
