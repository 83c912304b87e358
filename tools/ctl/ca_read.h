/* Certificates and requests, taken apart: what goes on into another certificate. */
#ifndef TOOLS_CTL_CA_READ_H
#define TOOLS_CTL_CA_READ_H

#include "config/der.h"

#include <stdbool.h>

/* Elements with tag and length, within the DER; empty where absent. */
struct ca_read {
    struct der_span serial; /* the INTEGER's content; empty in a request */
    struct der_span issuer; /* empty in a request */
    struct der_span validity;
    struct der_span subject;
    struct der_span spki;
    struct der_span extensions; /* content of the list of Extensions */
};

struct ca_times {
    int64_t not_before; /* seconds since the epoch */
    int64_t not_after;
};

struct ca_extension {
    struct der_span oid;
    struct der_span value; /* what the OCTET STRING holds */
    struct der_span whole;
    bool critical;
};

/* The last octet of extensions below 2.5.29, RFC 5280, section 4.2.1. */
enum ca_extension_id {
    CA_EXT_SUBJECT_KEY_ID = 14,
    CA_EXT_KEY_USAGE = 15,
    CA_EXT_SAN = 17,
    CA_EXT_BASIC_CONSTRAINTS = 19,
    CA_EXT_CRL_NUMBER = 20,
    CA_EXT_NAME_CONSTRAINTS = 30,
    CA_EXT_AUTHORITY_KEY_ID = 35,
    CA_EXT_PURPOSE = 37,
};

/* Takes a certificate apart; whether it is one. */
bool ca_read_certificate(struct der_span der, struct ca_read *parts);

/* The same for a request; its extensions are those that it asks for. Source: RFC 2986. */
bool ca_read_request(struct der_span der, struct ca_read *parts);

/* Reads a certificate's validity; whether it can be read. */
bool ca_read_times(const struct ca_read *parts, struct ca_times *times);

/* Takes the next extension off a list. False: at the end, or malformed. */
bool ca_read_extension(struct der_span *list, struct ca_extension *extension);

/* Whether an extension is the one of this number below 2.5.29. */
bool ca_read_is(const struct ca_extension *extension, enum ca_extension_id id);

/* Finds one extension; false when it is not there. */
bool ca_read_find(struct der_span list, enum ca_extension_id id,
                  struct ca_extension *extension);

/* The path length in an extension BasicConstraints of a CA; -1 = no limit. */
int ca_read_path_len(const struct ca_extension *extension);

#endif
