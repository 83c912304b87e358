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
    bool is_server, is_client; /* what rules have the identity be */
};

/* ---- the certificate --------------------------------------------------------------- */

static int
check_dates(const struct problem_place *place, const struct certs_one *leaf)
{
    int64_t now = time(NULL);
    char text[CERTS_TIME_LEN];

    if (leaf->not_after < now) {
        return problem_because(place, POLICY_CAUSE_EXPIRED,
                               "the certificate has expired: it was valid until %s",
                               certs_time(leaf->not_after, text));
    }
    if (leaf->not_before > now) {
        return problem_because(place, POLICY_CAUSE_EARLY,
                               "the certificate is not yet valid: it begins at %s",
                               certs_time(leaf->not_before, text));
    }
    return 0;
}

/* What peers that are as strict as we are would refuse. */
static int
check_strength(const struct loading *loading, const struct certs_one *cert)
{
    bool counts = cert->position == 1 || !cert->is_self_signed;

    if (!cert->has_weak_key && (!cert->has_weak_signature || !counts)) {
        return 0;
    }
    return problem_in(&loading->certificate, "certificate %d has %s, which is too weak",
                      cert->position, cert->weak);
}

static int
check_purpose(const struct loading *loading, const struct certs_one *leaf)
{
    if (loading->is_server && !leaf->may_serve) {
        return problem_in(&loading->certificate,
                          "the extended key usage does not allow server "
                          "authentication, and an inbound rule has this identity");
    }
    if (loading->is_client && !leaf->may_ask) {
        return problem_in(&loading->certificate,
                          "the extended key usage does not allow client "
                          "authentication, and an outbound rule has this identity");
    }
    return 0;
}

static int
check_leaf(const struct loading *loading, const struct certs_one *leaf)
{
    int dates = check_dates(&loading->certificate, leaf);
    int purpose = check_purpose(loading, leaf);

    return dates == 0 && purpose == 0 ? 0 : -EINVAL;
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
    int strength = check_strength(loading, cert);

    if (cert->position == 1) {
        int rc = check_leaf(loading, cert);

        if (rc != 0) {
            return rc;
        }
        memcpy(material->serial, cert->serial, sizeof(material->serial));
        material->not_after = cert->not_after;
    }
    return strength != 0 ? strength : certs_append(&material->chain, cert);
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
load_part(struct loading *loading, enum material_part part)
{
    struct material *material = loading->material;

    switch (part) {
    case MATERIAL_OWN: {
        int own = loading->is_pkcs12 ? load_pkcs12(loading) : load_files(loading);

        return own == 0 ? check_pair(loading) : own;
    }
    case MATERIAL_TRUST:
        return trust_load(&loading->trust, &material->trust);
    case MATERIAL_CRL:
        return loading->crl.file != NULL
                   ? crl_load(&loading->crl, material, &material->crl)
                   : 0;
    case MATERIAL_PARTS:
        break;
    }
    return -EINVAL;
}

static int
load(struct loading *loading)
{
    int own = load_part(loading, MATERIAL_OWN);
    int trust = load_part(loading, MATERIAL_TRUST);

    return own == 0 && trust == 0 ? load_part(loading, MATERIAL_CRL) : -EINVAL;
}

/* Which ends of connections the rules have an identity be at. */
static void
find_roles(const struct policy *policy, const struct policy_identity *identity,
           struct loading *loading)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        if (rule->identity == identity) {
            loading->is_server |= rule->direction == POLICY_INBOUND;
            loading->is_client |= rule->direction == POLICY_OUTBOUND;
        }
    }
}

static struct loading
make_loading(const struct policy *policy, const struct policy_identity *identity,
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

    if (loading.is_pkcs12) {
        loading.certificate.line = loading.key.line = identity->pkcs12_line;
        loading.certificate.file = loading.key.file = identity->pkcs12;
    }
    find_roles(policy, identity, &loading);
    return loading;
}

static int
start_wolfssl(const struct policy *policy, struct policy_report *report)
{
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
        problem_add(report, policy->path, 0, "wolfSSL does not start");
        return -EINVAL;
    }
    return 0;
}

int
material_load(const struct policy *policy, const struct policy_identity *identity,
              struct policy_report *report, struct material *material)
{
    struct loading loading = make_loading(policy, identity, report, material);
    int rc;

    memset(material, 0, sizeof(*material));
    rc = start_wolfssl(policy, report);
    if (rc == 0) {
        rc = load(&loading);
        wolfSSL_Cleanup();
    }
    if (rc != 0) {
        material_done(material);
    }
    return rc;
}

/* ---- parts ------------------------------------------------------------------------- */

struct stamp
material_stamp(const struct policy_identity *identity, enum material_part part)
{
    struct stamp stamp = {0};

    switch (part) {
    case MATERIAL_OWN:
        stamp_add(&stamp, identity->certificate);
        stamp_add(&stamp, identity->private_key);
        stamp_add(&stamp, identity->pkcs12);
        stamp_add(&stamp, identity->passphrase_file);
        break;
    case MATERIAL_TRUST:
        stamp_add_folder(&stamp, identity->trust, FOLDER_CERTIFICATES);
        break;
    case MATERIAL_CRL:
        stamp_add_folder(&stamp, identity->crl, FOLDER_LISTS);
        break;
    case MATERIAL_PARTS:
        break;
    }
    return stamp;
}

/* Exchanges one part of the two. */
static void
swap_part(struct material *a, struct material *b, enum material_part part)
{
    struct material whole_a = *a;

    switch (part) {
    case MATERIAL_OWN:
        a->chain = b->chain;
        a->key = b->key;
        a->not_after = b->not_after;
        memcpy(a->serial, b->serial, sizeof(a->serial));
        b->chain = whole_a.chain;
        b->key = whole_a.key;
        break;
    case MATERIAL_TRUST:
        a->trust = b->trust;
        b->trust = whole_a.trust;
        break;
    case MATERIAL_CRL:
        a->crl = b->crl;
        b->crl = whole_a.crl;
        break;
    case MATERIAL_PARTS:
        break;
    }
}

int
material_load_part(const struct policy *policy, const struct policy_identity *identity,
                   enum material_part part, struct policy_report *report,
                   struct material *material)
{
    struct material fresh = {0};
    struct loading loading = make_loading(policy, identity, report, &fresh);
    int rc;

    if (part == MATERIAL_CRL) {
        fresh.chain = material->chain;
        fresh.trust = material->trust;
    }
    rc = start_wolfssl(policy, report);
    if (rc == 0) {
        rc = load_part(&loading, part);
        wolfSSL_Cleanup();
    }
    if (part == MATERIAL_CRL) {
        memset(&fresh.chain, 0, sizeof(fresh.chain));
        memset(&fresh.trust, 0, sizeof(fresh.trust));
    }
    if (rc == 0) {
        swap_part(material, &fresh, part);
    }
    material_done(&fresh);
    return rc;
}

static int
blob_copy(const struct material_blob *from, struct material_blob *to)
{
    if (from->len > 0) {
        to->data = malloc(from->len);
        if (to->data == NULL) {
            return -ENOMEM;
        }
        memcpy(to->data, from->data, from->len);
        to->len = from->len;
    }
    return 0;
}

int
material_copy(const struct material *from, struct material *to)
{
    memset(to, 0, sizeof(*to));
    memcpy(to->serial, from->serial, sizeof(to->serial));
    to->not_after = from->not_after;
    if (blob_copy(&from->chain, &to->chain) != 0 ||
        blob_copy(&from->key, &to->key) != 0 ||
        blob_copy(&from->trust, &to->trust) != 0 ||
        blob_copy(&from->crl, &to->crl) != 0) {
        material_done(to);
        return -ENOMEM;
    }
    return 0;
}

static bool
blob_equal(const struct material_blob *a, const struct material_blob *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

bool
material_part_equal(const struct material *a, const struct material *b,
                    enum material_part part)
{
    return part == MATERIAL_OWN
               ? blob_equal(&a->chain, &b->chain) && blob_equal(&a->key, &b->key)
           : part == MATERIAL_TRUST ? blob_equal(&a->trust, &b->trust)
                                    : blob_equal(&a->crl, &b->crl);
}

/* ---- the end of it ----------------------------------------------------------------- */

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
