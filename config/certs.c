#include "config/certs.h"

#include "config/pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#define X509_VERSION_3 2 /* as it is encoded: RFC 5280, section 4.1 */

const char *
certs_error(int rc)
{
    static const struct {
        int error;
        const char *words;
    } known[] = {
        {ASN_VERSION_E, "not of X.509 version 3"},
        {ASN_BEFORE_DATE_E, "not valid yet"},
        {ASN_AFTER_DATE_E, "expired"},
        {ASN_NO_SIGNER_E, "the certificate of its issuer is missing"},
        {ASN_SELF_SIGNED_E, "it has signed itself"},
        {ASN_SIG_CONFIRM_E,
         "the signature is not its issuer's: it was changed, or a CA of "
         "the same name was made anew with another key"},
        {ASN_SIG_OID_E, "its signature is of another kind than it says"},
        {ASN_SIG_HASH_E, "its signature has a hash that is not supported"},
        {ASN_SIG_KEY_E, "its key is of a kind that is not supported"},
        {ASN_UNKNOWN_OID_E,
         "it has a key or a signature of a kind that is not supported"},
        {ASN_CRIT_EXT_E, "it has a critical extension that is not supported"},
        {ASN_NAME_INVALID_E, "its names are outside of what a CA above it may vouch for"},
        {ASN_PATHLEN_SIZE_E, "its path length is too large"},
        {ASN_PATHLEN_INV_E, "there are more CAs below a CA than its path length allows"},
        {KEYUSAGE_E, "its key usage does not allow this"},
        {EXTKEYUSAGE_E, "its extended key usage does not allow this"},
        {ASN_PARSE_E, "malformed"},
        {MEMORY_E, "no memory"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].error == rc) {
            return known[i].words;
        }
    }
    return wc_GetErrorString(rc);
}

const char *
certs_time(int64_t when, char text[CERTS_TIME_LEN])
{
    time_t seconds = (time_t)when;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, CERTS_TIME_LEN, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        memcpy(text, "?", 2);
    }
    return text;
}

int
certs_read_time(const uint8_t *encoded, size_t len, int64_t *when)
{
    const byte *date;
    byte format;
    int date_len;
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    if (len > INT32_MAX ||
        wc_GetDateInfo(encoded, (int)len, &date, &format, &date_len) != 0 ||
        wc_GetDateAsCalendarTime(date, date_len, format, &tm) != 0) {
        return -EINVAL;
    }
    *when = timegm(&tm);
    return 0;
}

static void
read_serial(const DecodedCert *decoded, char text[MATERIAL_SERIAL_LEN])
{
    static const char digits[] = "0123456789abcdef";
    size_t count = (size_t)decoded->serialSz * 2;
    size_t len = 0;

    for (size_t i = 0; i < count && len < MATERIAL_SERIAL_LEN - 1; i++) {
        unsigned octet = decoded->serial[i / 2];
        unsigned digit = i % 2 == 0 ? octet >> 4 : octet & 0xf;

        if (digit != 0 || len > 0 || i + 1 == count) {
            text[len++] = digits[digit];
        }
    }
    text[len] = '\0';
}

static void
read_usage(const DecodedCert *decoded, struct certs_one *cert)
{
    const struct der_span whole = {cert->der, cert->der_len};
    bool has_purpose = decoded->extExtKeyUsageSet;
    byte purposes = decoded->extExtKeyUsage;

    cert->is_self_signed = decoded->selfSigned;
    cert->may_serve =
        !has_purpose || (purposes & (EXTKEYUSE_SERVER_AUTH | EXTKEYUSE_ANY)) != 0;
    cert->may_ask =
        !has_purpose || (purposes & (EXTKEYUSE_CLIENT_AUTH | EXTKEYUSE_ANY)) != 0;
    cert->has_weak_signature = strength_signature(whole, cert->weak) < 0;
    cert->has_weak_key = strength_key(whole, cert->weak) < 0;
}

static int
read_times(const DecodedCert *decoded, struct certs_one *cert)
{
    int rc = certs_read_time(decoded->beforeDate, (size_t)decoded->beforeDateLen,
                             &cert->not_before);

    if (rc == 0) {
        rc = certs_read_time(decoded->afterDate, (size_t)decoded->afterDateLen,
                             &cert->not_after);
    }
    return rc == 0 ? 0 : ASN_DATE_SZ_E;
}

static void
read_one(const uint8_t *der, size_t len, struct certs_one *cert)
{
    DecodedCert *decoded = malloc(sizeof(*decoded));

    cert->der = der;
    cert->der_len = len;
    if (decoded == NULL) {
        cert->error = MEMORY_E;
        return;
    }
    wc_InitDecodedCert(decoded, der, (word32)len, NULL);
    cert->error = wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL);
    /* RFC 8446, section 4.4.2.2, and RFC 5246, section 7.4.2; wolfSSL refuses version 1
     * only where it has extensions all the same. */
    if (cert->error == 0 && decoded->version != X509_VERSION_3) {
        cert->error = ASN_VERSION_E;
    }
    if (cert->error == 0) {
        cert->is_ca = decoded->isCA;
        read_serial(decoded, cert->serial);
        read_usage(decoded, cert);
        cert->error = read_times(decoded, cert);
    }
    wc_FreeDecodedCert(decoded);
    free(decoded);
}

int
certs_visit(const uint8_t *der, size_t len, int position,
            int (*visit)(void *context, const struct certs_one *cert), void *context)
{
    struct certs_one cert = {.position = position};

    read_one(der, len, &cert);
    return visit(context, &cert);
}

static int
each_pem(const struct problem_place *place, const char *text,
         int (*visit)(void *context, const struct certs_one *cert), void *context)
{
    struct pem_block block;
    int count = 0;
    int found;
    int rc = 0;

    while (rc == 0 && (found = pem_next(&text, &block)) > 0) {
        if (strcmp(block.label, "CERTIFICATE") == 0 ||
            strcmp(block.label, "X509 CERTIFICATE") == 0) {
            rc = block.der != NULL
                     ? certs_visit(block.der, block.len, ++count, visit, context)
                     : problem_in(place, "a broken PEM block");
        }
        pem_done(&block);
    }
    if (rc == 0 && found == -EBADMSG) {
        rc = problem_in(place, "a broken PEM block after certificate %d", count);
    } else if (rc == 0 && found < 0) {
        rc = found;
    }
    return rc != 0 ? rc : count;
}

int
certs_each(const struct problem_place *place, const struct file *file,
           int (*visit)(void *context, const struct certs_one *cert), void *context)
{
    const char *text = (const char *)file->data;
    int rc;

    if (pem_is(text)) {
        return each_pem(place, text, visit, context);
    }
    if (file->len == 0 || file->data[0] != (ASN_SEQUENCE | ASN_CONSTRUCTED)) {
        return problem_in(place, "holds no certificate, neither PEM nor DER");
    }
    rc = certs_visit(file->data, file->len, 1, visit, context);
    return rc != 0 ? rc : 1;
}

int
certs_append(struct material_blob *blob, const struct certs_one *cert)
{
    /* Base64 with newlines, and room for the two marks. */
    size_t room = cert->der_len / 3 * 4 + cert->der_len / 48 + 256;
    uint8_t *grown = realloc(blob->data, blob->len + room + 1);
    int len;

    if (grown == NULL) {
        return -ENOMEM;
    }
    blob->data = grown;
    len = wc_DerToPem(cert->der, (word32)cert->der_len, grown + blob->len, (word32)room,
                      CERT_TYPE);
    if (len <= 0) {
        return -ENOMEM;
    }
    blob->len += (size_t)len;
    grown[blob->len] = '\0';
    return 0;
}
