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

struct ca_key {
    int type;      /* ECC_TYPE, RSA_TYPE or ED25519_TYPE of wolfSSL; 0 = empty */
    int cert_type; /* the same in the form that wc_MakeCert_ex() wants */
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

/* Wipes the key; safe on a zeroed struct and twice. */
void ca_key_done(struct ca_key *key);

#endif
