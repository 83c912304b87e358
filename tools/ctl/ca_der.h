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

/*
 * Writes a moment as UTCTime before 2050 and as GeneralizedTime from then on.
 *
 * Returns  bytes written to out; 0 when the year has no four digits.
 * Source   RFC 5280, section 4.1.2.5
 */
size_t ca_der_time(time_t when, uint8_t out[CA_DER_TIME_LEN]);

#endif
