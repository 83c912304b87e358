/* What a certificate will say, but for serial number, issuer and signature. */
#ifndef TOOLS_CTL_CA_TEMPLATE_H
#define TOOLS_CTL_CA_TEMPLATE_H

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_der.h"
#include "tools/ctl/ca_read.h"
#include "tools/ctl/ca_san.h"

#include <stdbool.h>

#define CA_TEMPLATE_MAX 16384

struct ca_request {
    const char *cn;
    const char *ou;          /* NULL = none */
    struct der_span subject; /* a Name to be taken as it is; empty: cn and ou */
    struct ca_san san[CA_MAX_NAMES];
    size_t san_count;
    struct ca_subtrees permitted; /* name constraints, for a CA */
    struct ca_subtrees excluded;
    int64_t not_after;
    bool server;
    bool client;
    bool is_ca;
    int path_len; /* of a CA: how many CAs may be below it */
};

struct ca_template {
    uint8_t buffer[CA_TEMPLATE_MAX];
    struct der_span subject;    /* the Name */
    struct der_span spki;       /* the public key; the caller's */
    struct der_span extensions; /* without the two key identifiers */
    int64_t not_after;
};

/*
 * Makes a template from a request that was checked.
 *
 *   spki      in   SubjectPublicKeyInfo; must outlive the template
 *   template  out
 *
 * Returns  0; -E2BIG when it is all too long, reported.
 */
int ca_template_make(const struct ca_request *request, struct der_span spki,
                     struct ca_template *template) __attribute__((warn_unused_result));

/*
 * Makes a template of what another certificate says: the same subject and extensions,
 * whatever they are.
 *
 *   parts  in  of that certificate
 *
 * Returns  0; -EINVAL when it has no extensions that can be read, or too many; reported.
 */
int ca_template_copy(const struct ca_read *parts, struct der_span spki, int64_t not_after,
                     struct ca_template *template) __attribute__((warn_unused_result));

#endif
