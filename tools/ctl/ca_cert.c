#include "tools/ctl/ca_cert.h"

#include "tools/ctl/ca_der.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int
ca_cert_text_check(const char *option, const char *text)
{
    if (text[0] == '\0' || strlen(text) > CA_CERT_TEXT_MAX) {
        return ca_error(-EINVAL, "%s '%s': must be 1 to %d bytes long", option, text,
                        CA_CERT_TEXT_MAX);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return ca_error(-EINVAL, "%s: control characters are not allowed", option);
        }
    }
    return 0;
}

static int
failed(const char *what, int rc)
{
    return ca_error(-EIO, "%s: %s", what, wc_GetErrorString(rc));
}

/* A positive number that nobody can guess, of always the same length. */
static int
random_serial(WC_RNG *rng, struct ca_made *made)
{
    int rc = wc_RNG_GenerateBlock(rng, made->serial, sizeof(made->serial));

    if (rc != 0) {
        return failed("the random number generator", rc);
    }
    made->serial[0] = (uint8_t)((made->serial[0] & 0x7f) | 0x40);
    for (size_t i = 0; i < sizeof(made->serial); i++) {
        static const char digits[] = "0123456789abcdef";

        made->serial_text[2 * i] = digits[made->serial[i] >> 4];
        made->serial_text[2 * i + 1] = digits[made->serial[i] & 15];
    }
    made->serial_text[2 * sizeof(made->serial)] = '\0';
    return 0;
}

/* What all certificates share. */
static int
start_cert(struct ca_key *key, const char *cn, int64_t not_after, WC_RNG *rng,
           struct ca_made *made, Cert **out)
{
    Cert *cert = wc_CertNew(NULL);
    int rc;

    *out = cert;
    if (cert == NULL) {
        ca_error(-ENOMEM, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    rc = random_serial(rng, made);
    if (rc != 0) {
        return rc;
    }
    memcpy(cert->serial, made->serial, sizeof(made->serial));
    cert->serialSz = (int)sizeof(made->serial);
    cert->beforeDateSz = (int)ca_der_time(time(NULL) - CA_BACKDATE_S, cert->beforeDate);
    cert->afterDateSz = (int)ca_der_time((time_t)not_after, cert->afterDate);
    if (cert->beforeDateSz == 0 || cert->afterDateSz == 0) {
        return ca_error(-ERANGE, "--days: the end of validity is too far away");
    }
    made->not_after = not_after;
    memccpy(cert->subject.commonName, cn, '\0', sizeof(cert->subject.commonName));
    cert->subject.commonNameEnc = CTC_UTF8;
    /* RFC 5280 has it critical in a CA's certificate; a leaf's may be. */
    cert->basicConstSet = 1;
    cert->basicConstCrit = 1;
    rc = wc_SetSubjectKeyIdFromPublicKey_ex(cert, key->type, &key->u);
    return rc == 0 ? 0 : failed("the subject key identifier", rc);
}

/* Encodes, signs and turns into PEM; the DER stays in der for checking. */
static int
finish_cert(Cert *cert, struct ca_key *subject_key, struct ca_key *signer, WC_RNG *rng,
            uint8_t der[CA_CERT_DER_MAX], struct ca_made *made)
{
    int len;

    cert->sigType = signer->signature;
    len = wc_MakeCert_ex(cert, der, CA_CERT_DER_MAX, subject_key->type, &subject_key->u,
                         rng);
    if (len < 0) {
        return failed("making the certificate", len);
    }
    len = wc_SignCert_ex(cert->bodySz, cert->sigType, der, CA_CERT_DER_MAX, signer->type,
                         &signer->u, rng);
    if (len < 0) {
        return failed("signing the certificate", len);
    }
    made->pem_len =
        wc_DerToPem(der, (word32)len, (byte *)made->pem, sizeof(made->pem), CERT_TYPE);
    if (made->pem_len <= 0) {
        return failed("the certificate's PEM", made->pem_len);
    }
    return len;
}

int
ca_cert_root(struct ca_key *key, const char *name, int64_t not_after, WC_RNG *rng,
             struct ca_made *made)
{
    uint8_t der[CA_CERT_DER_MAX];
    Cert *cert;
    int rc = start_cert(key, name, not_after, rng, made, &cert);

    if (rc == 0) {
        cert->selfSigned = 1;
        cert->isCA = 1;
        cert->pathLenSet = 1; /* 0: leaves only */
        cert->keyUsage = KEYUSE_KEY_CERT_SIGN | KEYUSE_CRL_SIGN;
        rc = finish_cert(cert, key, key, rng, der, made);
    }
    if (cert != NULL) {
        wc_CertFree(cert);
    }
    return rc < 0 ? rc : 0;
}

/* A CA whose key does not belong to its certificate must not pass unnoticed. */
static int
verify_leaf(const struct ca_authority *authority, const uint8_t *der, int len)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    int rc = WOLFSSL_FAILURE;

    if (manager != NULL) {
        rc = wolfSSL_CertManagerLoadCABuffer(manager, authority->der, authority->der_len,
                                             WOLFSSL_FILETYPE_ASN1);
    }
    if (rc == WOLFSSL_SUCCESS) {
        rc = wolfSSL_CertManagerVerifyBuffer(manager, der, len, WOLFSSL_FILETYPE_ASN1);
    }
    wolfSSL_CertManagerFree(manager);
    if (rc != WOLFSSL_SUCCESS) {
        return ca_error(-EIO,
                        "the new certificate does not verify against ca.pem (%s): does "
                        "ca.key belong to it?",
                        wc_GetErrorString(rc));
    }
    return 0;
}

int
ca_cert_leaf(struct ca_authority *authority, const struct ca_request *request,
             struct ca_key *key, WC_RNG *rng, struct ca_made *made)
{
    uint8_t der[CA_CERT_DER_MAX];
    int64_t not_after = request->not_after < authority->not_after ? request->not_after
                                                                  : authority->not_after;
    Cert *cert;
    int rc = start_cert(key, request->cn, not_after, rng, made, &cert);

    if (rc == 0) {
        if (request->ou != NULL) {
            memccpy(cert->subject.unit, request->ou, '\0', sizeof(cert->subject.unit));
            cert->subject.unitEnc = CTC_UTF8;
        }
        cert->selfSigned = 0;
        cert->keyUsage = KEYUSE_DIGITAL_SIG;
        cert->extKeyUsage = (byte)((request->server ? EXTKEYUSE_SERVER_AUTH : 0) |
                                   (request->client ? EXTKEYUSE_CLIENT_AUTH : 0));
        memcpy(cert->akid, authority->key_id, sizeof(authority->key_id));
        cert->akidSz = (int)sizeof(authority->key_id);
        rc = ca_san_encode(request->san, request->san_count, cert->altNames,
                           sizeof(cert->altNames));
        cert->altNamesSz = rc;
    }
    if (rc >= 0) {
        rc = wc_SetIssuerRaw(cert, authority->der, authority->der_len);
        rc = rc < 0 ? failed("the issuer's name", rc) : 0;
    }
    if (rc == 0) {
        rc = finish_cert(cert, key, &authority->key, rng, der, made);
    }
    if (rc > 0) {
        rc = verify_leaf(authority, der, rc);
    }
    if (cert != NULL) {
        wc_CertFree(cert);
    }
    return rc;
}

/* Takes from the CA's certificate what goes into those it issues. */
static int
parse_authority(struct ca_authority *authority)
{
    DecodedCert *decoded = calloc(1, sizeof(*decoded));
    const byte *date;
    byte format;
    struct tm tm;
    int len;
    int rc;

    if (decoded == NULL) {
        return ca_error(-ENOMEM, "%s", strerror(ENOMEM));
    }
    InitDecodedCert(decoded, authority->der, (word32)authority->der_len, NULL);
    rc = ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL);
    if (rc == 0) {
        rc = wc_GetDateInfo(decoded->afterDate, decoded->afterDateLen, &date, &format,
                            &len);
    }
    if (rc == 0) {
        rc = wc_GetDateAsCalendarTime(date, len, format, &tm);
    }
    if (rc != 0) {
        rc = failed("ca.pem", rc);
    } else if (!decoded->isCA || !decoded->extSubjKeyIdSet) {
        rc = ca_error(-EINVAL,
                      "ca.pem: is not a CA certificate with a subject key identifier");
    } else {
        authority->subject = decoded->subjectRaw;
        authority->subject_len = (size_t)decoded->subjectRawLen;
        memcpy(authority->key_id, decoded->extSubjKeyId, sizeof(authority->key_id));
        authority->not_after = timegm(&tm);
    }
    FreeDecodedCert(decoded);
    free(decoded);
    return rc;
}

int
ca_cert_load(const struct ca_store *store, struct ca_authority *authority)
{
    char *text;
    size_t len;
    int rc;

    memset(authority, 0, sizeof(*authority));
    rc = ca_store_read(store, "ca.pem", &text, &len);
    if (rc != 0) {
        return rc;
    }
    authority->der_len = wc_CertPemToDer((const byte *)text, (int)len, authority->der,
                                         sizeof(authority->der), CERT_TYPE);
    free(text);
    if (authority->der_len <= 0) {
        return failed("ca.pem", authority->der_len);
    }
    rc = parse_authority(authority);
    if (rc == 0) {
        rc = ca_store_read(store, "ca.key", &text, &len);
    }
    if (rc != 0) {
        return rc;
    }
    rc = ca_key_parse(text, len, &authority->key);
    explicit_bzero(text, len);
    free(text);
    if (rc != 0) {
        return ca_error(rc, "%s/ca.key: is not an unencrypted private key in PEM",
                        store->dir);
    }
    if (authority->not_after <= time(NULL)) {
        ca_key_done(&authority->key);
        return ca_error(-EKEYEXPIRED,
                        "%s/ca.pem: the CA's certificate has expired; make a new CA",
                        store->dir);
    }
    return 0;
}

void
ca_cert_done(struct ca_authority *authority)
{
    ca_key_done(&authority->key);
}
