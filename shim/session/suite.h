/*
 * The cipher suites that the shim speaks: all of TLS 1.3's AEADs and the ECDHE AEAD
 * suites of TLS 1.2.
 */
#ifndef SHIM_SESSION_SUITE_H
#define SHIM_SESSION_SUITE_H

#include <stdint.h>

#include "shim/record/record.h"

struct suite {
    uint16_t number;          /* IANA */
    const char *name;         /* IANA */
    const char *wolfssl_name; /* as wolfSSL_CTX_set_cipher_list() wants it */
    enum record_suite aead;
    uint8_t hash_len; /* bytes of the suite's hash */
};

/* NULL for a suite that is not spoken. */
const struct suite *suite_by_number(uint16_t number);
const struct suite *suite_by_name(const char *name);

/* In order of preference, ended by number 0. */
extern const struct suite suite_list[];

#endif
