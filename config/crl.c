#include "config/crl.h"

#include "config/certs.h"
#include "config/crl_list.h"
#include "config/folder.h"
#include "config/pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

#define PASS_COUNT 3 /* as deep as intermediate CAs may be stacked in any order */

struct loading {
    struct problem_place place; /* of the file being read */
    WOLFSSL_CERT_MANAGER *manager;
    struct material_blob cas; /* DER, one behind the other: who may sign */
    struct material_blob *out;
    size_t trust_len; /* so much of it is trust itself */
    int count;        /* lists */
};

/* What a certificate is known by. */
struct names {
    struct der_span serial;
    struct der_span issuer;
    struct der_span subject;
};

/* ---- certificates of CAs ----------------------------------------------------------- */

static int
append(struct material_blob *blob, const uint8_t *der, size_t len)
{
    uint8_t *grown = realloc(blob->data, blob->len + len);

    if (grown == NULL) {
        return -ENOMEM;
    }
    memcpy(grown + blob->len, der, len);
    blob->data = grown;
    blob->len += len;
    return 0;
}

/* RFC 5280, section 4.1; wolfSSL has already read it whole. */
static bool
read_names(struct der_span certificate, struct names *names)
{
    enum { INTEGER = 0x02, SEQUENCE = 0x30, VERSION = 0xa0 };
    struct der_item outer;
    struct der_item inner;
    struct der_item item[5];

    if (!der_expect(&certificate, SEQUENCE, &outer) ||
        !der_expect(&outer.value, SEQUENCE, &inner)) {
        return false;
    }
    (void)der_expect(&inner.value, VERSION, &item[0]);
    for (size_t i = 0; i < sizeof(item) / sizeof(item[0]); i++) {
        if (!der_expect(&inner.value, i == 0 ? INTEGER : SEQUENCE, &item[i])) {
            return false;
        }
    }
    names->serial = item[0].value; /* then the algorithm, the issuer, the validity */
    names->issuer = item[2].value;
    names->subject = item[4].value;
    return true;
}

static bool
is_known(const struct loading *loading, const struct certs_one *cert)
{
    struct der_span rest = {loading->cas.data, loading->cas.len};
    struct der_item item;

    while (der_next(&rest, &item)) {
        if (der_is(item.whole, cert->der, cert->der_len)) {
            return true;
        }
    }
    return false;
}

static int
add_anchor(void *context, const struct certs_one *cert)
{
    struct loading *loading = context;

    (void)wolfSSL_CertManagerLoadCABuffer(loading->manager, cert->der,
                                          (long)cert->der_len, WOLFSSL_FILETYPE_ASN1);
    return append(&loading->cas, cert->der, cert->der_len);
}

/* An intermediate CA counts when what is trusted so far vouches for it. */
static int
add_intermediate(void *context, const struct certs_one *cert)
{
    struct loading *loading = context;

    if (cert->error != 0 || !cert->is_ca || is_known(loading, cert) ||
        wolfSSL_CertManagerVerifyBuffer(loading->manager, cert->der, (long)cert->der_len,
                                        WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        return 0;
    }
    return add_anchor(context, cert);
}

static int
each_of_blob(struct loading *loading, const struct material_blob *pem,
             int (*visit)(void *context, const struct certs_one *cert))
{
    struct file file;
    int rc;

    if (pem->len == 0) {
        return 0;
    }
    file = (struct file){.data = calloc(1, pem->len + 1), .len = pem->len};
    if (file.data == NULL) {
        return -ENOMEM;
    }
    memcpy(file.data, pem->data, pem->len);
    rc = certs_each(&loading->place, &file, visit, loading);
    file_done(&file);
    return rc < 0 ? rc : 0;
}

static int
add_certificates(void *context, const char *path)
{
    struct loading *loading = context;
    struct file file;
    int rc = 0;

    if (file_read(path, &file) != 0) {
        return 0; /* told when the lists are read */
    }
    if (pem_is((const char *)file.data)) {
        struct policy_report silent = {problem_ignore, NULL, 0};
        const struct problem_place place = {&silent, "", 0, path};

        rc = certs_each(&place, &file, add_intermediate, loading);
    }
    file_done(&file);
    return rc == -ENOMEM ? rc : 0;
}

static int
add_cas(struct loading *loading, const struct material *material)
{
    int rc = each_of_blob(loading, &material->trust, add_anchor);

    loading->trust_len = loading->cas.len;
    for (int pass = 0; rc == 0 && pass < PASS_COUNT; pass++) {
        rc = each_of_blob(loading, &material->chain, add_intermediate);
        if (rc == 0) {
            rc = folder_each(&loading->place, FOLDER_LISTS, add_certificates, loading);
        }
    }
    return rc;
}

/* ---- lists ------------------------------------------------------------------------- */

static bool
is_signature(const struct crl_list *list, word32 algorithm, const DecodedCert *ca)
{
    SignatureCtx context;
    bool is_good;

    if (ca->extKeyUsageSet && (ca->extKeyUsage & KEYUSE_CRL_SIGN) == 0) {
        return false;
    }
    InitSignatureCtx(&context, NULL, INVALID_DEVID);
    is_good =
        ConfirmSignature(&context, list->signed_part.at, (word32)list->signed_part.len,
                         ca->publicKey, ca->pubKeySize, ca->keyOID, list->signature.at,
                         (word32)list->signature.len, algorithm, NULL, 0, NULL) == 0;
    FreeSignatureCtx(&context);
    return is_good;
}

static bool
is_signed_by(const struct crl_list *list, struct der_span ca)
{
    DecodedCert *decoded = malloc(sizeof(*decoded));
    word32 algorithm;
    word32 at = 0;
    bool is_good;

    if (decoded == NULL) {
        return false;
    }
    wc_InitDecodedCert(decoded, ca.at, (word32)ca.len, NULL);
    is_good = wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL) == 0 &&
              GetAlgoId(list->algorithm.at, &at, &algorithm, oidSigType,
                        (word32)list->algorithm.len) >= 0 &&
              is_signature(list, algorithm, decoded);
    wc_FreeDecodedCert(decoded);
    free(decoded);
    return is_good;
}

/* A CA may have had several keys: any of them will do. */
static int
check_signature(const struct loading *loading, const struct crl_list *list)
{
    struct der_span rest = {loading->cas.data, loading->cas.len};
    struct der_item item;
    struct names names;
    bool has_ca = false;

    while (der_next(&rest, &item)) {
        if (!read_names(item.whole, &names) ||
            !der_is(names.subject, list->issuer.at, list->issuer.len)) {
            continue;
        }
        if (is_signed_by(list, item.whole)) {
            return 0;
        }
        has_ca = true;
    }
    return problem_in(&loading->place,
                      has_ca ? "a list that was not signed by the CA that it names"
                             : "a list by a CA that is neither in trust nor, vouched for "
                               "by it, beside the list");
}

static int
check_list(const struct loading *loading, const uint8_t *der, size_t len)
{
    char text[CERTS_TIME_LEN];
    struct crl_list list;

    if (!crl_list_read((struct der_span){der, len}, &list) || !crl_list_check(&list)) {
        return problem_in(&loading->place, "a revocation list that cannot be read");
    }
    if (list.is_partial) {
        return problem_in(&loading->place,
                          "a list with a critical extension: delta lists and lists of "
                          "some certificates only are not supported");
    }
    if (list.this_update > time(NULL)) {
        return problem_in(&loading->place, "a list from the future: it begins at %s",
                          certs_time(list.this_update, text));
    }
    return check_signature(loading, &list);
}

static int
add_list(struct loading *loading, const uint8_t *der, size_t len)
{
    int rc = check_list(loading, der, len);

    if (rc == 0) {
        loading->count++;
        rc = append(loading->out, der, len);
    }
    return rc;
}

static int
add_pem_lists(struct loading *loading, const char *text)
{
    struct pem_block block;
    int found;
    int rc = 0;

    while (rc == 0 && (found = pem_next(&text, &block)) > 0) {
        if (strcmp(block.label, "X509 CRL") == 0) {
            rc = block.der != NULL ? add_list(loading, block.der, block.len)
                                   : problem_in(&loading->place, "a broken PEM block");
        }
        pem_done(&block);
    }
    if (rc == 0 && found == -EBADMSG) {
        return problem_in(&loading->place, "a broken PEM block");
    }
    return rc == 0 && found < 0 ? found : rc;
}

static int
add_lists(void *context, const char *path)
{
    struct loading *loading = context;
    const char *whole = loading->place.file;
    struct file file;
    int rc = file_read(path, &file);

    loading->place.file = path;
    if (rc != 0) {
        rc = problem_in(&loading->place, "%s", file_error(rc));
    } else if (pem_is((const char *)file.data)) {
        rc = add_pem_lists(loading, (const char *)file.data);
    } else {
        rc = add_list(loading, file.data, file.len);
    }
    file_done(&file);
    loading->place.file = whole;
    return rc;
}

/* Whoever a list takes back may not be trusted through the back door. */
static int
check_trust(const struct loading *loading)
{
    struct der_span rest = {loading->cas.data, loading->trust_len};
    struct der_item item;
    struct names names;

    while (der_next(&rest, &item)) {
        if (read_names(item.whole, &names) &&
            crl_look_up(loading->out, names.issuer, names.serial, time(NULL)) ==
                CRL_REVOKED) {
            return problem_in(&loading->place, "revokes a certificate that is in trust");
        }
    }
    return 0;
}

static int
load(struct loading *loading, const struct material *material)
{
    int rc = add_cas(loading, material);

    if (rc == 0) {
        rc = folder_each(&loading->place, FOLDER_LISTS, add_lists, loading);
    }
    if (rc == 0 && loading->count == 0) {
        rc = problem_in(&loading->place, "holds no revocation list");
    }
    return rc == 0 ? check_trust(loading) : rc;
}

int
crl_load(const struct problem_place *place, const struct material *material,
         struct material_blob *out)
{
    struct loading loading = {
        .place = *place, .manager = wolfSSL_CertManagerNew(), .out = out};
    int rc = loading.manager != NULL ? load(&loading, material) : -ENOMEM;

    if (rc == -ENOMEM) {
        rc = problem_in(place, "%s", strerror(ENOMEM));
    }
    wolfSSL_CertManagerFree(loading.manager);
    free(loading.cas.data);
    return rc;
}

/* ---- looking up -------------------------------------------------------------------- */

static struct der_span
without_zeros(struct der_span number)
{
    while (number.len > 1 && number.at[0] == 0) {
        number.at++;
        number.len--;
    }
    return number;
}

static bool
is_revoked(struct der_span revoked, struct der_span serial)
{
    struct der_span one;

    while (crl_list_next(&revoked, &one, NULL)) {
        one = without_zeros(one);
        if (der_is(one, serial.at, serial.len)) {
            return true;
        }
    }
    return false;
}

enum crl_status
crl_look_up(const struct material_blob *crl, struct der_span issuer,
            struct der_span serial, int64_t now)
{
    struct der_span rest = {crl->data, crl->len};
    enum crl_status status = CRL_UNKNOWN;
    struct der_item item;
    struct crl_list list;

    serial = without_zeros(serial);
    while (der_next(&rest, &item)) {
        if (!crl_list_read(item.whole, &list) ||
            !der_is(list.issuer, issuer.at, issuer.len)) {
            continue;
        }
        if (is_revoked(list.revoked, serial)) {
            return CRL_REVOKED;
        }
        if (list.next_update >= now) {
            status = CRL_GOOD;
        } else if (status == CRL_UNKNOWN) {
            status = CRL_EXPIRED;
        }
    }
    return status;
}

int64_t
crl_next_change(const struct material_blob *crl, int64_t now)
{
    struct der_span rest = {crl->data, crl->len};
    int64_t next = INT64_MAX;
    struct der_item item;
    struct crl_list list;

    while (der_next(&rest, &item)) {
        if (crl_list_read(item.whole, &list) && list.next_update >= now &&
            list.next_update < next - 1) {
            next = list.next_update + 1;
        }
    }
    return next;
}
