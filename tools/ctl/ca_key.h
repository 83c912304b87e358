/* Private keys of the CA and of what it issues. */
#ifndef TOOLS_CTL_CA_KEY_H
#define TOOLS_CTL_CA_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#define CA_KEY_KINDS "p256, p384, ed25519, rsa2048 or rsa3072"
#define CA_KEY_PEM_MAX 8192
#define CA_KEY_DER_MAX 6144 /* RSA of 4096 bits and more, PKCS#8 */
#define CA_KEY_SPKI_MAX 2048

struct ca_key {
    int type;      /* ECC_TYPE, RSA_TYPE or ED25519_TYPE of wolfSSL; 0 = empty */
    int signature; /* CTC_... that this key signs with */
    union {
        ecc_key ecc;
        RsaKey rsa;
        ed25519_key ed25519;
    } u;
};

/* Whether CA_KEY_KINDS lists the name. */
bool ca_key_known(const char *kind);

/*
 * Makes a new key.
 *
 *   name  in      one of CA_KEY_KINDS
 *   rng   in/out  seeded by the system
 *   key   out     to be wiped with ca_key_done(), also on failure
 *
 * Returns  0; -EINVAL for another kind; -EIO when wolfCrypt fails (reported).
 */
int ca_key_make(const char *name, WC_RNG *rng, struct ca_key *key)
    __attribute__((warn_unused_result));

/* Reads a key from PEM (PKCS#8 or traditional); 0 or -EBADMSG. */
int ca_key_parse(const char *pem, size_t len, struct ca_key *key)
    __attribute__((warn_unused_result));

/*
 * Writes a key as PKCS#8 PEM.
 *
 *   pem  out  secret: the caller wipes it
 *
 * Returns  the PEM's length, or -EIO.
 */
int ca_key_pem(struct ca_key *key, char pem[CA_KEY_PEM_MAX])
    __attribute__((warn_unused_result));

/*
 * Writes the public key as SubjectPublicKeyInfo.
 *
 * Returns  its length, or -EIO, reported.
 */
int ca_key_spki(struct ca_key *key, uint8_t spki[CA_KEY_SPKI_MAX])
    __attribute__((warn_unused_result));

/*
 * Writes the key as DER in its traditional form, which wolfSSL makes PKCS#12 from.
 *
 *   der  out  secret: the caller wipes it
 *
 * Returns  its length; -ENOTSUP for Ed25519, which has no such form; -EIO; all reported.
 */
int ca_key_traditional(struct ca_key *key, uint8_t der[CA_KEY_DER_MAX])
    __attribute__((warn_unused_result));

/* Which of CA_KEY_KINDS makes a key like this one. */
const char *ca_key_kind(struct ca_key *key);

/* Wipes the key; safe on a zeroed struct and twice. */
void ca_key_done(struct ca_key *key);

#endif
