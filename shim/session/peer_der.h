/*
 * The parts of a certificate that tell who its owner is, walked in place. wolfSSL judges
 * the certificate as a whole; but of a name it keeps one value of each kind, it knows no
 * RDN of several values, and of a certificate that it refuses it leaves little to log.
 */
#ifndef SHIM_SESSION_PEER_DER_H
#define SHIM_SESSION_PEER_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/der.h"

#define PEER_DER_NO_CHAR                                                                 \
    0x110000U /* added to a byte that is no character of its string */

enum peer_der_tag {
    PEER_DER_BOOLEAN = 0x01,
    PEER_DER_INTEGER = 0x02,
    PEER_DER_OCTET_STRING = 0x04,
    PEER_DER_OID = 0x06,
    PEER_DER_UTF8_STRING = 0x0c,
    PEER_DER_NUMERIC_STRING = 0x12,
    PEER_DER_PRINTABLE_STRING = 0x13,
    PEER_DER_T61_STRING = 0x14,
    PEER_DER_IA5_STRING = 0x16,
    PEER_DER_VISIBLE_STRING = 0x1a,
    PEER_DER_UNIVERSAL_STRING = 0x1c,
    PEER_DER_BMP_STRING = 0x1e,
    PEER_DER_SEQUENCE = 0x30,
    PEER_DER_SET = 0x31,
    PEER_DER_VERSION = 0xa0,    /* [0] of TBSCertificate */
    PEER_DER_EXTENSIONS = 0xa3, /* [3] of TBSCertificate */
    PEER_DER_SAN_EMAIL = 0x81,  /* GeneralName: [1] rfc822Name */
    PEER_DER_SAN_DNS = 0x82,
    PEER_DER_SAN_URI = 0x86,
    PEER_DER_SAN_IP = 0x87,
};

/* Contents, without tag and length; empty where absent. */
struct peer_parts {
    struct der_span serial;   /* the INTEGER's bytes */
    struct der_span issuer;   /* RDNs */
    struct der_span validity; /* two times, each with tag and length: from, to */
    struct der_span subject;  /* RDNs */
    struct der_span spki;     /* SubjectPublicKeyInfo, with tag and length */
    struct der_span san;      /* GeneralNames of the subjectAltName extension */
};

/*
 * Takes a certificate apart.
 *
 *   parts  out  point into the certificate; filled in as far as it makes sense
 *
 * Returns  false when it is malformed or has two subjectAltName extensions.
 * Source   RFC 5280 section 4.1.
 */
bool peer_der_certificate(struct der_span certificate, struct peer_parts *parts);

/* When a certificate is valid: both seconds included. False: nothing can be read. */
bool peer_der_validity(struct der_span certificate, int64_t *from_s, int64_t *to_s);

/*
 * Finds an extension by its object identifier, the content of the OID's DER.
 *
 *   value  out  what its OCTET STRING holds
 *
 * Returns  false when it is not there, or nothing can be read.
 */
bool peer_der_extension(struct der_span certificate, const void *oid, size_t oid_len,
                        struct der_span *value);

/*
 * Whether no extension is there twice, and there are no more than any CA would put: to
 * compare each with each must not become a stranger's means to keep us busy.
 *
 * Source   RFC 5280 section 4.2.
 */
bool peer_der_extensions_are_sound(struct der_span certificate);

/* An iPAddress as it is compared: a v4-mapped one (RFC 4291 section 2.5.5.2) as IPv4. */
struct der_span peer_der_address(struct der_span address);

/* One AttributeTypeAndValue out of an RDN. False: at the end or malformed. */
bool peer_der_attribute(struct der_span *rdn, struct der_span *oid,
                        struct der_item *value);

/* Whether a value is of a string type that peer_der_char() reads. */
bool peer_der_is_string(uint8_t tag);

/*
 * Reads the next character of a string.
 *
 *   at   in/out  offset into the string's value
 *   code out     its code point; PEER_DER_NO_CHAR + a byte where there is none
 *
 * Returns  false at the end.
 */
bool peer_der_char(const struct der_item *string, size_t *at, uint32_t *code);

/* Writes a code point as UTF-8; returns the 1 to 4 bytes that it takes. */
size_t peer_der_utf8(uint32_t code, char out[4]);

#endif
