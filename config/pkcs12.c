#include "config/pkcs12.h"

#include "config/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/pkcs12.h>
#include <wolfssl/wolfcrypt/types.h>

#define CHAIN_LEN_MAX 9 /* wolfSSL's MAX_CHAIN_DEPTH */

/* What is in the file; as wolfSSL hands it out. */
struct bags {
    byte *key;
    word32 key_len;
    byte *cert; /* the key's own */
    word32 cert_len;
    WC_DerCertList *others;
};

static void
bags_done(struct bags *bags)
{
    if (bags->key != NULL) {
        wc_ForceZero(bags->key, bags->key_len);
        XFREE(bags->key, NULL, DYNAMIC_TYPE_PUBLIC_KEY);
    }
    XFREE(bags->cert, NULL, DYNAMIC_TYPE_PKCS);
    wc_FreeCertList(bags->others, NULL);
}

/* ---- the chain --------------------------------------------------------------------- */

struct names {
    byte subject[KEYID_SIZE];
    byte issuer[KEYID_SIZE];
};

static bool
read_names(const uint8_t *der, size_t len, struct names *names)
{
    DecodedCert *decoded = malloc(sizeof(*decoded));
    bool is_good;

    if (decoded == NULL) {
        return false;
    }
    wc_InitDecodedCert(decoded, der, (word32)len, NULL);
    is_good = wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL) == 0;
    memcpy(names->subject, decoded->subjectHash, sizeof(names->subject));
    memcpy(names->issuer, decoded->issuerHash, sizeof(names->issuer));
    wc_FreeDecodedCert(decoded);
    free(decoded);
    return is_good;
}

/* The one that signed it, by name; NULL when it is not there, or signed itself. */
static const WC_DerCertList *
find_issuer(const WC_DerCertList *others, const struct names *of, struct names *names)
{
    if (memcmp(of->issuer, of->subject, sizeof(of->issuer)) == 0) {
        return NULL;
    }
    for (; others != NULL; others = others->next) {
        if (read_names(others->buffer, others->bufferSz, names) &&
            memcmp(names->subject, of->issuer, sizeof(of->issuer)) == 0 &&
            memcmp(names->subject, names->issuer, sizeof(of->issuer)) != 0) {
            return others;
        }
    }
    return NULL;
}

static int
visit_chain(const struct bags *bags,
            int (*visit)(void *context, const struct certs_one *cert), void *context)
{
    const WC_DerCertList *next;
    struct names names = {{0}, {0}};
    struct names names_of_next;
    int position = 1;
    int rc = certs_visit(bags->cert, bags->cert_len, position, visit, context);

    if (rc != 0 || !read_names(bags->cert, bags->cert_len, &names)) {
        return rc;
    }
    /* Names may go in a circle. */
    while (rc == 0 && position < CHAIN_LEN_MAX &&
           (next = find_issuer(bags->others, &names, &names_of_next)) != NULL) {
        rc = certs_visit(next->buffer, next->bufferSz, ++position, visit, context);
        names = names_of_next;
    }
    return rc;
}

/* ---- the file ---------------------------------------------------------------------- */

static int
explain(const struct problem_place *place, const struct problem_place *passphrase, int rc)
{
    if (rc != MAC_CMP_FAILED_E) {
        return problem_in(place,
                          "cannot be decrypted (%s): want AES, as in openssl pkcs12 "
                          "-export -keypbe AES-256-CBC -certpbe AES-256-CBC",
                          wc_GetErrorString(rc));
    }
    if (passphrase->file == NULL) {
        return problem_in(place, "has a passphrase, and there is no passphrase_file");
    }
    return problem_in(place, "cannot be decrypted: a wrong passphrase in %s",
                      passphrase->file);
}

static int
decrypt(const struct problem_place *place, const struct problem_place *passphrase,
        const struct file *file, const char *text, struct bags *bags)
{
    WC_PKCS12 *pkcs12 = wc_PKCS12_new();
    int rc;

    if (pkcs12 == NULL) {
        return problem_in(place, "%s", strerror(ENOMEM));
    }
    if (wc_d2i_PKCS12(file->data, (word32)file->len, pkcs12) < 0) {
        rc = problem_in(place, "is no PKCS#12 file");
    } else {
        rc = wc_PKCS12_parse_ex(pkcs12, text, &bags->key, &bags->key_len, &bags->cert,
                                &bags->cert_len, &bags->others, 1);
        rc = rc != 0 ? explain(place, passphrase, rc) : 0;
    }
    wc_PKCS12_free(pkcs12);
    return rc;
}

static int
check_whole(const struct problem_place *place, const struct bags *bags)
{
    if (bags->key == NULL) {
        return problem_in(place, "holds no private key");
    }
    if (bags->cert == NULL) {
        return problem_in(place, bags->others == NULL
                                     ? "holds no certificate"
                                     : "holds no certificate of its private key");
    }
    return 0;
}

static int
take_key(const struct problem_place *place, const struct bags *bags,
         struct material_blob *key)
{
    if (bags->key_len == 0) {
        return problem_in(place, "holds an empty private key");
    }
    key->data = malloc(bags->key_len);
    if (key->data == NULL) {
        return problem_in(place, "%s", strerror(ENOMEM));
    }
    memcpy(key->data, bags->key, bags->key_len);
    key->len = bags->key_len;
    return 0;
}

int
pkcs12_load(const struct problem_place *place, const struct problem_place *passphrase,
            int (*visit)(void *context, const struct certs_one *cert), void *context,
            struct material_blob *key)
{
    struct bags bags = {.key = NULL};
    struct file file;
    struct file text = {.data = NULL};
    int rc = secret_read(place, &file);

    if (rc != 0) {
        return rc;
    }
    if (passphrase->file != NULL) {
        rc = secret_read_line(passphrase, &text);
    }
    if (rc == 0) {
        rc = decrypt(place, passphrase, &file, text.data != NULL ? (char *)text.data : "",
                     &bags);
    }
    file_done(&text);
    file_done(&file);
    if (rc == 0) {
        rc = check_whole(place, &bags);
    }
    if (rc == 0) {
        rc = visit_chain(&bags, visit, context);
    }
    if (rc == 0) {
        rc = take_key(place, &bags, key);
    }
    bags_done(&bags);
    return rc;
}
