#include "tools/ctl/ca_key.h"

#include "tools/ctl/ca.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

static const struct kind {
    const char *name;
    int type;
    int size; /* ECC: bytes; RSA: bits */
    int curve;
    int signature;
} kinds[] = {
    {"p256", ECC_TYPE, 32, ECC_SECP256R1, CTC_SHA256wECDSA},
    {"p384", ECC_TYPE, 48, ECC_SECP384R1, CTC_SHA384wECDSA},
    {"ed25519", ED25519_TYPE, ED25519_KEY_SIZE, 0, CTC_ED25519},
    {"rsa2048", RSA_TYPE, 2048, 0, CTC_SHA256wRSA},
    {"rsa3072", RSA_TYPE, 3072, 0, CTC_SHA256wRSA},
};

static const struct kind *
find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool
ca_key_known(const char *kind)
{
    return find_kind(kind) != NULL;
}

/* Prepares the empty wolfCrypt key of a type. */
static int
key_init(struct ca_key *key, int type, int signature)
{
    int rc;

    memset(key, 0, sizeof(*key));
    if (type == ECC_TYPE) {
        rc = wc_ecc_init(&key->u.ecc);
    } else if (type == RSA_TYPE) {
        rc = wc_InitRsaKey(&key->u.rsa, NULL);
    } else {
        rc = wc_ed25519_init(&key->u.ed25519);
    }
    if (rc == 0) {
        key->type = type;
        key->signature = signature;
    }
    return rc;
}

int
ca_key_make(const char *name, WC_RNG *rng, struct ca_key *key)
{
    const struct kind *kind = find_kind(name);
    int rc;

    memset(key, 0, sizeof(*key));
    if (kind == NULL) {
        return -EINVAL;
    }
    rc = key_init(key, kind->type, kind->signature);
    if (rc == 0 && kind->type == ECC_TYPE) {
        rc = wc_ecc_make_key_ex(rng, kind->size, &key->u.ecc, kind->curve);
    } else if (rc == 0 && kind->type == RSA_TYPE) {
        rc = wc_MakeRsaKey(&key->u.rsa, kind->size, WC_RSA_EXPONENT, rng);
    } else if (rc == 0) {
        rc = wc_ed25519_make_key(rng, kind->size, &key->u.ed25519);
    }
    if (rc != 0) {
        ca_key_done(key);
        return ca_error(-EIO, "cannot make a %s key: %s", name, wc_GetErrorString(rc));
    }
    return 0;
}

/* Tries one type; wolfCrypt tells by the DER whether it fits. */
static int
try_type(const uint8_t *der, word32 len, struct ca_key *key, const struct kind *kind)
{
    word32 at = 0;
    int rc = key_init(key, kind->type, kind->signature);

    if (rc == 0 && kind->type == ECC_TYPE) {
        rc = wc_EccPrivateKeyDecode(der, &at, &key->u.ecc, len);
        if (rc == 0) {
            /* Signing goes by the curve; the public half is needed for none of it. */
            rc = wc_ecc_make_pub(&key->u.ecc, NULL);
        }
        if (rc == 0 && wc_ecc_size(&key->u.ecc) > 32) {
            key->signature = CTC_SHA384wECDSA;
        }
    } else if (rc == 0 && kind->type == RSA_TYPE) {
        rc = wc_RsaPrivateKeyDecode(der, &at, &key->u.rsa, len);
    } else if (rc == 0) {
        rc = wc_Ed25519PrivateKeyDecode(der, &at, &key->u.ed25519, len);
        if (rc == 0 && !key->u.ed25519.pubKeySet) {
            uint8_t pub[ED25519_PUB_KEY_SIZE];

            /* PKCS#8 of version 1 has no public half, and signing needs it. */
            rc = wc_ed25519_make_public(&key->u.ed25519, pub, sizeof(pub));
            if (rc == 0) {
                rc = wc_ed25519_import_public(pub, sizeof(pub), &key->u.ed25519);
            }
        }
    }
    if (rc != 0) {
        ca_key_done(key);
    }
    return rc;
}

int
ca_key_parse(const char *pem, size_t len, struct ca_key *key)
{
    static const char *const order[] = {"p256", "ed25519", "rsa2048"};
    uint8_t der[CA_KEY_DER_MAX];
    int rc = -EBADMSG;
    int der_len =
        wc_KeyPemToDer((const unsigned char *)pem, (int)len, der, (int)sizeof(der), NULL);

    memset(key, 0, sizeof(*key));
    for (size_t i = 0; der_len > 0 && i < sizeof(order) / sizeof(order[0]); i++) {
        if (try_type(der, (word32)der_len, key, find_kind(order[i])) == 0) {
            rc = 0;
            break;
        }
    }
    explicit_bzero(der, sizeof(der));
    return rc;
}

/* The key as PKCS#8 DER; its length or wolfSSL's error. */
static int
key_der(struct ca_key *key, uint8_t der[CA_KEY_DER_MAX])
{
    uint8_t plain[CA_KEY_DER_MAX];
    word32 len = CA_KEY_DER_MAX;
    int rc;

    if (key->type == ED25519_TYPE) {
        return wc_Ed25519PrivateKeyToDer(&key->u.ed25519, der, len);
    }
    if (key->type == ECC_TYPE) {
        rc = wc_EccKeyToPKCS8(&key->u.ecc, der, &len);
        return rc < 0 ? rc : (int)len;
    }
    rc = wc_RsaKeyToDer(&key->u.rsa, plain, sizeof(plain));
    if (rc > 0) {
        rc = wc_CreatePKCS8Key(der, &len, plain, (word32)rc, RSAk, NULL, 0);
    }
    explicit_bzero(plain, sizeof(plain));
    return rc;
}

static int
cannot_write(int rc)
{
    return ca_error(-EIO, "cannot write a key: %s", wc_GetErrorString(rc));
}

int
ca_key_traditional(struct ca_key *key, uint8_t der[CA_KEY_DER_MAX])
{
    int rc;

    if (key->type == ED25519_TYPE) {
        return ca_error(-ENOTSUP, "an Ed25519 key cannot be written as PKCS#12 here; use "
                                  "NAME.pem and NAME.key, or another --key");
    }
    rc = key->type == ECC_TYPE ? wc_EccKeyToDer(&key->u.ecc, der, CA_KEY_DER_MAX)
                               : wc_RsaKeyToDer(&key->u.rsa, der, CA_KEY_DER_MAX);
    return rc > 0 ? rc : cannot_write(rc);
}

int
ca_key_pem(struct ca_key *key, char pem[CA_KEY_PEM_MAX])
{
    uint8_t der[CA_KEY_DER_MAX];
    int rc = key_der(key, der);

    if (rc > 0) {
        rc = wc_DerToPem(der, (word32)rc, (byte *)pem, CA_KEY_PEM_MAX,
                         PKCS8_PRIVATEKEY_TYPE);
    }
    explicit_bzero(der, sizeof(der));
    return rc > 0 ? rc : cannot_write(rc);
}

int
ca_key_spki(struct ca_key *key, uint8_t spki[CA_KEY_SPKI_MAX])
{
    int rc;

    if (key->type == ECC_TYPE) {
        rc = wc_EccPublicKeyToDer(&key->u.ecc, spki, CA_KEY_SPKI_MAX, 1);
    } else if (key->type == RSA_TYPE) {
        rc = wc_RsaKeyToPublicDer(&key->u.rsa, spki, CA_KEY_SPKI_MAX);
    } else {
        rc = wc_Ed25519PublicKeyToDer(&key->u.ed25519, spki, CA_KEY_SPKI_MAX, 1);
    }
    return rc > 0 ? rc : cannot_write(rc);
}

const char *
ca_key_kind(struct ca_key *key)
{
    if (key->type == ED25519_TYPE) {
        return "ed25519";
    }
    if (key->type == ECC_TYPE) {
        return wc_ecc_size(&key->u.ecc) > 32 ? "p384" : "p256";
    }
    /* A larger one than we make is not replaced by a small one. */
    return wc_RsaEncryptSize(&key->u.rsa) > 2048 / 8 ? "rsa3072" : "rsa2048";
}

void
ca_key_done(struct ca_key *key)
{
    if (key->type == ECC_TYPE) {
        wc_ecc_free(&key->u.ecc);
    } else if (key->type == RSA_TYPE) {
        wc_FreeRsaKey(&key->u.rsa);
    } else if (key->type == ED25519_TYPE) {
        wc_ed25519_free(&key->u.ed25519);
    }
    explicit_bzero(key, sizeof(*key));
}
