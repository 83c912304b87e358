/*
 * Whether what a certificate rests on is strong enough: its own key, and its issuer's
 * signature on it. Only what is known to be so is taken.
 */
#ifndef CONFIG_STRENGTH_H
#define CONFIG_STRENGTH_H

#include "config/der.h"

#define STRENGTH_WORDS_LEN 48

/*
 * Looks at the key: RSA of 2048 bits or more, a NIST curve of 256 bits or more, Ed25519,
 * Ed448.
 *
 *   certificate  in   DER
 *   words        out  what it is that is not taken: "an RSA key of 1024 bits"
 *
 * Returns  0; -EINVAL.
 * Source   NIST SP 800-57 part 1, table 2 (112 bits of security and more).
 */
int strength_key(struct der_span certificate, char words[STRENGTH_WORDS_LEN])
    __attribute__((warn_unused_result));

/*
 * Looks at the signature: ECDSA or RSA, PSS or not, with SHA-256, SHA-384 or SHA-512;
 * Ed25519, Ed448. That of a trust anchor is nothing that anybody relies on.
 *
 * Returns  0; -EINVAL, words being "a signature with SHA-1".
 * Source   RFC 8446 section 4.2.3; RFC 9155.
 */
int strength_signature(struct der_span certificate, char words[STRENGTH_WORDS_LEN])
    __attribute__((warn_unused_result));

#endif
