/* A small writer of DER, back to front, so that lengths are known when they are due. */
#ifndef TOOLS_CTL_CA_DER_H
#define TOOLS_CTL_CA_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CA_DER_TIME_LEN 17 /* tag, length and up to 15 characters */

struct ca_der {
    uint8_t *base;
    size_t start; /* what is written lies from here to the end of the buffer */
    size_t end;
    bool overflow; /* something did not fit: the content is worthless */
};

/* Starts an empty text at the end of a buffer of the caller's. */
void ca_der_init(struct ca_der *der, uint8_t *buffer, size_t len);

/* How much has been written; a later length minus this is what an element holds. */
size_t ca_der_len(const struct ca_der *der);

/* Puts bytes in front of what is there. */
void ca_der_raw(struct ca_der *der, const void *bytes, size_t len);

/* Puts tag and length in front of all that was written since the length was `since`. */
void ca_der_wrap(struct ca_der *der, uint8_t tag, size_t since);

/* Puts a whole element in front. */
void ca_der_element(struct ca_der *der, uint8_t tag, const void *bytes, size_t len);

enum ca_der_tag {
    CA_DER_BOOLEAN = 0x01,
    CA_DER_INTEGER = 0x02,
    CA_DER_BITS = 0x03,
    CA_DER_OCTETS = 0x04,
    CA_DER_OID = 0x06,
    CA_DER_UTF8 = 0x0c,
    CA_DER_SEQUENCE = 0x30,
    CA_DER_SET = 0x31,
    CA_DER_CONTEXT_0 = 0xa0,
    CA_DER_CONTEXT_1 = 0xa1,
    CA_DER_CONTEXT_3 = 0xa3,
};

/* Puts a whole INTEGER in front, without superfluous octets, from big-endian ones. */
void ca_der_integer(struct ca_der *der, const uint8_t *octets, size_t len);

/* Puts an OBJECT IDENTIFIER in front, from the octets of its content. */
void ca_der_oid(struct ca_der *der, const char *oid, size_t len);

/* Puts a moment in front; one that cannot be written is an overflow. */
void ca_der_moment(struct ca_der *der, int64_t when);

/* Puts the AlgorithmIdentifier of a CTC_... signature in front. */
void ca_der_algorithm(struct ca_der *der, int signature);

/*
 * Writes a moment as UTCTime before 2050 and as GeneralizedTime from then on.
 *
 * Returns  bytes written to out; 0 when the year has no four digits.
 * Source   RFC 5280, section 4.1.2.5
 */
size_t ca_der_time(time_t when, uint8_t out[CA_DER_TIME_LEN]);

#endif
