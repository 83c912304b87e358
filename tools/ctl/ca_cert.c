#include "tools/ctl/ca_cert.h"

#include "tools/ctl/ca_der.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>

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

/* ---- encoding ---------------------------------------------------------------------- */

/* The first octets of a hash of the key: RFC 7093, section 2, method 1. */
static int
key_id_of(struct der_span spki, uint8_t key_id[CA_CERT_KEY_ID])
{
    uint8_t hash[WC_SHA256_DIGEST_SIZE];
    struct der_item item;
    int rc = ASN_PARSE_E;

    if (der_expect(&spki, CA_DER_SEQUENCE, &item)) {
        struct der_span list = item.value;

        if (der_expect(&list, CA_DER_SEQUENCE, &item) &&
            der_expect(&list, CA_DER_BITS, &item) && item.value.len > 1) {
            rc = wc_Sha256Hash(item.value.at + 1, (word32)item.value.len - 1, hash);
        }
    }
    if (rc != 0) {
        return failed("the key's identifier", rc);
    }
    memcpy(key_id, hash, CA_CERT_KEY_ID);
    return 0;
}

static void
put_key_id(struct ca_der *der, enum ca_extension_id id, const uint8_t *key_id)
{
    enum { TAG_AUTHORITY_KEY_ID = 0x80 };
    const char oid[] = {0x55, 0x1d, (char)id};
    size_t since = ca_der_len(der);

    if (id == CA_EXT_AUTHORITY_KEY_ID) {
        ca_der_element(der, TAG_AUTHORITY_KEY_ID, key_id, CA_CERT_KEY_ID);
        ca_der_wrap(der, CA_DER_SEQUENCE, since);
    } else {
        ca_der_element(der, CA_DER_OCTETS, key_id, CA_CERT_KEY_ID);
    }
    ca_der_wrap(der, CA_DER_OCTETS, since);
    ca_der_oid(der, oid, sizeof(oid));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
}

/* Who signs: a loaded CA, or the new root itself. */
struct signer {
    struct ca_key *key;
    struct der_span name;  /* the whole Name */
    const uint8_t *key_id; /* NULL: the certificate signs itself */
};

/* TBSCertificate, last element first. */
static void
put_certificate(struct ca_der *der, const struct ca_template *template,
                const struct signer *signer, const uint8_t *key_id, struct ca_made *made)
{
    static const uint8_t version_3 = 2;
    size_t since;

    if (signer->key_id != NULL) {
        put_key_id(der, CA_EXT_AUTHORITY_KEY_ID, signer->key_id);
    }
    put_key_id(der, CA_EXT_SUBJECT_KEY_ID, key_id);
    ca_der_raw(der, template->extensions.at, template->extensions.len);
    ca_der_wrap(der, CA_DER_SEQUENCE, 0);
    ca_der_wrap(der, CA_DER_CONTEXT_3, 0);
    ca_der_raw(der, template->spki.at, template->spki.len);
    ca_der_raw(der, template->subject.at, template->subject.len);
    since = ca_der_len(der);
    ca_der_moment(der, made->not_after);
    ca_der_moment(der, (int64_t)time(NULL) - CA_BACKDATE_S);
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    ca_der_raw(der, signer->name.at, signer->name.len);
    ca_der_algorithm(der, signer->key->signature);
    ca_der_integer(der, made->serial, sizeof(made->serial));
    since = ca_der_len(der);
    ca_der_integer(der, &version_3, 1);
    ca_der_wrap(der, CA_DER_CONTEXT_0, since);
    ca_der_wrap(der, CA_DER_SEQUENCE, 0);
}

/* Encodes, signs and turns into PEM; the DER stays for checking, its length returned. */
static int
make(const struct ca_template *template, const struct signer *signer, WC_RNG *rng,
     uint8_t buffer[CA_CERT_DER_MAX], struct ca_made *made)
{
    uint8_t key_id[CA_CERT_KEY_ID];
    struct ca_der der;
    int rc = random_serial(rng, made);

    if (rc == 0) {
        rc = key_id_of(template->spki, key_id);
    }
    if (rc != 0) {
        return rc;
    }
    ca_der_init(&der, buffer, CA_CERT_DER_MAX);
    put_certificate(&der, template, signer, key_id, made);
    if (der.overflow) {
        return ca_error(-ERANGE, "the certificate is too long, or --days too large");
    }
    memmove(buffer, buffer + der.start, ca_der_len(&der));
    rc = wc_SignCert_ex((int)ca_der_len(&der), signer->key->signature, buffer,
                        CA_CERT_DER_MAX, signer->key->type, &signer->key->u, rng);
    if (rc < 0) {
        return failed("signing the certificate", rc);
    }
    made->pem_len =
        wc_DerToPem(buffer, (word32)rc, (byte *)made->pem, sizeof(made->pem), CERT_TYPE);
    return made->pem_len > 0 ? rc : failed("the certificate's PEM", made->pem_len);
}

int
ca_cert_root(struct ca_key *key, const struct ca_template *template, WC_RNG *rng,
             struct ca_made *made)
{
    const struct signer signer = {key, template->subject, NULL};
    uint8_t der[CA_CERT_DER_MAX];
    int rc;

    made->not_after = template->not_after;
    rc = make(template, &signer, rng, der, made);
    return rc < 0 ? rc : 0;
}

/* ---- certificates of others -------------------------------------------------------- */

/* wolfSSL's word on a certificate that this CA has made, be it valid now or not. */
static int
check_signature(const struct ca_authority *authority, const uint8_t *der, size_t len)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    DecodedCert *decoded = malloc(sizeof(*decoded));
    int rc = MEMORY_E;

    if (manager != NULL && decoded != NULL) {
        wc_InitDecodedCert(decoded, der, (word32)len, NULL);
        rc = wolfSSL_CertManagerLoadCABuffer(manager, authority->der, authority->der_len,
                                             WOLFSSL_FILETYPE_ASN1);
        if (rc == WOLFSSL_SUCCESS) {
            rc = wc_ParseCert(decoded, CERT_TYPE, VERIFY_SKIP_DATE, manager);
        }
        wc_FreeDecodedCert(decoded);
    }
    free(decoded);
    wolfSSL_CertManagerFree(manager);
    return rc;
}

/* A CA whose key does not belong to its certificate must not pass unnoticed. */
static int
verify_made(const struct ca_authority *authority, const uint8_t *der, int len)
{
    int rc = check_signature(authority, der, (size_t)len);

    if (rc == ASN_NAME_INVALID_E) {
        return ca_error(-EPERM, "the name constraints of this CA do not allow these "
                                "names; ask for others, or use another CA");
    }
    if (rc != 0) {
        return ca_error(-EIO,
                        "the new certificate does not verify against ca.pem (%s): does "
                        "ca.key belong to it?",
                        wc_GetErrorString(rc));
    }
    return 0;
}

bool
ca_cert_is_ours(const struct ca_authority *authority, struct der_span der)
{
    return check_signature(authority, der.at, der.len) == 0;
}

int
ca_cert_make(struct ca_authority *authority, const struct ca_template *template,
             WC_RNG *rng, struct ca_made *made)
{
    const struct der_span own = {authority->der, (size_t)authority->der_len};
    struct ca_read parts;
    uint8_t der[CA_CERT_DER_MAX];
    int rc;

    if (!ca_read_certificate(own, &parts)) {
        return failed("ca.pem", ASN_PARSE_E);
    }
    const struct signer signer = {&authority->key, parts.subject, authority->key_id};

    made->not_after = template->not_after < authority->not_after ? template->not_after
                                                                 : authority->not_after;
    rc = make(template, &signer, rng, der, made);
    return rc < 0 ? rc : verify_made(authority, der, rc);
}

int
ca_cert_issue(struct ca_authority *authority, const struct ca_request *request,
              struct ca_key *key, WC_RNG *rng, struct ca_made *made)
{
    uint8_t spki[CA_KEY_SPKI_MAX];
    struct ca_template template = {.not_after = 0};
    int rc = ca_key_spki(key, spki);

    if (rc > 0) {
        rc = ca_template_make(request, (struct der_span){spki, (size_t)rc}, &template);
    }
    if (rc != 0) {
        return rc;
    }
    return authority != NULL ? ca_cert_make(authority, &template, rng, made)
                             : ca_cert_root(key, &template, rng, made);
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
        authority->path_len = decoded->pathLengthSet ? (int)decoded->pathLength : -1;
    }
    FreeDecodedCert(decoded);
    free(decoded);
    return rc;
}

/* A root goes without: whoever trusts it has it. */
static int
load_chain(const struct ca_store *store, struct ca_authority *authority)
{
    char path[PATH_MAX];

    if (access(ca_store_path(store, "chain.pem", path), F_OK) != 0) {
        authority->chain = strdup("");
        return authority->chain != NULL ? 0 : ca_error(-ENOMEM, "%s", strerror(ENOMEM));
    }
    return ca_store_read(store, "chain.pem", &authority->chain, &authority->chain_len);
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
        rc = load_chain(store, authority);
    }
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
        return ca_error(
            -EKEYEXPIRED,
            "%s/ca.pem: the CA's certificate has expired; renew it, or make a new CA",
            store->dir);
    }
    return 0;
}

void
ca_cert_done(struct ca_authority *authority)
{
    ca_key_done(&authority->key);
    free(authority->chain);
    authority->chain = NULL;
}
