#include "config/material.h"

#include "config/certs.h"
#include "config/crl.h"
#include "config/file.h"
#include "config/pkcs12.h"
#include "config/problem.h"
#include "config/secret.h"
#include "config/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

/* What the loading of one identity goes on; a place for each file that it has. */
struct loading {
    struct problem_place certificate;
    struct problem_place key;
    struct problem_place passphrase;
    struct problem_place trust;
    struct problem_place crl; /* its file is NULL without one */
    bool is_pkcs12;           /* certificate and key are the same file */
    struct material *material;
};

/* ---- the certificate --------------------------------------------------------------- */

static int
check_dates(const struct problem_place *place, const struct certs_one *leaf)
{
    int64_t now = time(NULL);
    char text[CERTS_TIME_LEN];

    if (leaf->not_after < now) {
        return problem_in(place, "the certificate has expired: it was valid until %s",
                          certs_time(leaf->not_after, text));
    }
    if (leaf->not_before > now) {
        return problem_in(place, "the certificate is not yet valid: it begins at %s",
                          certs_time(leaf->not_before, text));
    }
    return 0;
}

static int
add_to_chain(void *context, const struct certs_one *cert)
{
    struct loading *loading = context;
    struct material *material = loading->material;

    if (cert->error != 0) {
        return problem_in(&loading->certificate, "certificate %d cannot be read: %s",
                          cert->position, certs_error(cert->error));
    }
    if (cert->position == 1) {
        int rc = check_dates(&loading->certificate, cert);

        if (rc != 0) {
            return rc;
        }
        memcpy(material->serial, cert->serial, sizeof(material->serial));
        material->not_after = cert->not_after;
    }
    return certs_append(&material->chain, cert);
}

static int
load_chain(struct loading *loading)
{
    const struct problem_place *place = &loading->certificate;
    struct file file;
    int rc = file_read(place->file, &file);

    if (rc != 0) {
        return problem_in(place, "%s", file_error(rc));
    }
    rc = certs_each(place, &file, add_to_chain, loading);
    file_done(&file);
    if (rc == 0) {
        return problem_in(place, "holds no certificate");
    }
    if (rc == -ENOMEM) {
        return problem_in(place, "%s", strerror(ENOMEM));
    }
    return rc < 0 ? rc : 0;
}

/* ---- certificate and key together -------------------------------------------------- */

static int
check_with(WOLFSSL_CTX *ctx, const struct loading *loading)
{
    const struct material *material = loading->material;
    int rc = wolfSSL_CTX_use_certificate_chain_buffer(ctx, material->chain.data,
                                                      (long)material->chain.len);

    if (rc != WOLFSSL_SUCCESS) {
        return problem_in(&loading->certificate, "cannot be used: %s", certs_error(rc));
    }
    rc = wolfSSL_CTX_use_PrivateKey_buffer(
        ctx, material->key.data, (long)material->key.len, WOLFSSL_FILETYPE_ASN1);
    if (rc != WOLFSSL_SUCCESS) {
        return problem_in(&loading->key, "no private key of a kind that can be used: %s",
                          certs_error(rc));
    }
    if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS) {
        return problem_in(&loading->key, "does not belong to the certificate %s",
                          loading->certificate.file);
    }
    return 0;
}

/* As a handshake will use them: what wolfSSL refuses then is to be refused now. */
static int
check_pair(const struct loading *loading)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    int rc;

    if (ctx == NULL) {
        return problem_in(&loading->certificate, "%s", strerror(ENOMEM));
    }
    rc = check_with(ctx, loading);
    wolfSSL_CTX_free(ctx);
    return rc;
}

/* ---- all of it --------------------------------------------------------------------- */

static int
load_files(struct loading *loading)
{
    int chain = load_chain(loading);
    int key = secret_load(&loading->key, &loading->passphrase, &loading->material->key);

    return chain == 0 && key == 0 ? 0 : -EINVAL;
}

static int
load_pkcs12(struct loading *loading)
{
    int rc = pkcs12_load(&loading->certificate, &loading->passphrase, add_to_chain,
                         loading, &loading->material->key);

    if (rc == -ENOMEM) {
        return problem_in(&loading->certificate, "%s", strerror(ENOMEM));
    }
    return rc;
}

static int
load(struct loading *loading)
{
    int own = loading->is_pkcs12 ? load_pkcs12(loading) : load_files(loading);
    int trust = trust_load(&loading->trust, &loading->material->trust);
    int pair = own == 0 ? check_pair(loading) : 0;
    int crl = own == 0 && trust == 0 && loading->crl.file != NULL
                  ? crl_load(&loading->crl, loading->material, &loading->material->crl)
                  : 0;

    return own == 0 && trust == 0 && pair == 0 && crl == 0 ? 0 : -EINVAL;
}

int
material_load(const struct policy *policy, const struct policy_identity *identity,
              struct policy_report *report, struct material *material)
{
    struct loading loading = {
        .certificate = {report, policy->path, identity->certificate_line,
                        identity->certificate},
        .key = {report, policy->path, identity->private_key_line, identity->private_key},
        .passphrase = {report, policy->path, identity->passphrase_file_line,
                       identity->passphrase_file},
        .trust = {report, policy->path, identity->trust_line, identity->trust},
        .crl = {report, policy->path, identity->crl_line, identity->crl},
        .is_pkcs12 = identity->pkcs12 != NULL,
        .material = material,
    };
    int rc;

    if (loading.is_pkcs12) {
        loading.certificate.line = loading.key.line = identity->pkcs12_line;
        loading.certificate.file = loading.key.file = identity->pkcs12;
    }
    memset(material, 0, sizeof(*material));
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
        problem_add(report, policy->path, 0, "wolfSSL does not start");
        return -EINVAL;
    }
    rc = load(&loading);
    wolfSSL_Cleanup();
    if (rc != 0) {
        material_done(material);
    }
    return rc;
}

static void
blob_done(struct material_blob *blob)
{
    if (blob->data != NULL) {
        free(blob->data);
    }
    memset(blob, 0, sizeof(*blob));
}

void
material_done(struct material *material)
{
    if (material->key.data != NULL) {
        wc_ForceZero(material->key.data, material->key.len);
    }
    blob_done(&material->chain);
    blob_done(&material->key);
    blob_done(&material->trust);
    blob_done(&material->crl);
    memset(material, 0, sizeof(*material));
}
