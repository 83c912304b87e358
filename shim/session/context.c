#include "shim/session/context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/hash.h>

#include "config/problem.h"
#include "shim/session/admission.h"
#include "shim/session/exchange.h"
#include "shim/session/resume.h"
#include "shim/session/signing.h"
#include "shim/session/suite.h"

struct held {
    _Atomic unsigned refs;
    struct material material;
    struct stamp stamps[MATERIAL_PARTS]; /* from before it was read */
    struct path_anchors *anchors;        /* of the material; NULL without */
    bool has_trust_id;
    uint8_t trust_id[CONTEXT_TRUST_ID_LEN];
    int64_t warned_s;
};

struct context {
    _Atomic unsigned refs;
    const struct policy_identity *identity;
    struct held *held;
    pthread_mutex_t making;          /* held while one of these is made */
    WOLFSSL_CTX *_Atomic by_role[2]; /* client, server */
};

static bool
is_forbidden(const char *path)
{
    return path != NULL && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 &&
           (errno == EACCES || errno == EPERM);
}

static bool
is_lost(const struct policy_identity *identity)
{
    return is_forbidden(identity->certificate) || is_forbidden(identity->private_key) ||
           is_forbidden(identity->pkcs12) || is_forbidden(identity->passphrase_file) ||
           is_forbidden(identity->trust) || is_forbidden(identity->crl);
}

static struct held *
held_new(void)
{
    struct held *held = calloc(1, sizeof(*held));
    if (held != NULL) {
        atomic_init(&held->refs, 1);
    }
    return held;
}

/* Returns false without the memory for it. */
static bool
note_trust(struct held *held, const struct policy_identity *identity)
{
    const struct material_blob *trust = &held->material.trust;
    if (trust->len == 0) {
        return true;
    }
    held->has_trust_id =
        wc_Sha256Hash(trust->data, (word32)trust->len, held->trust_id) == 0;
    held->anchors = path_anchors_new(trust, identity->trust);
    return held->anchors != NULL;
}

static void
held_unref(struct held *held)
{
    if (atomic_fetch_sub(&held->refs, 1) == 1) {
        path_anchors_free(held->anchors);
        material_done(&held->material);
        free(held);
    }
}

/* Takes the reference to held over. */
static struct context *
context_new(const struct policy_identity *identity, struct held *held)
{
    struct context *context = held != NULL ? calloc(1, sizeof(*context)) : NULL;
    if (context != NULL) {
        atomic_init(&context->refs, 1);
        context->making = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        context->identity = identity;
        context->held = held;
    } else if (held != NULL) {
        held_unref(held);
    }
    return context;
}

struct context *
context_load(const struct policy *policy, const struct policy_identity *identity,
             bool may_be_lost, struct policy_report *report)
{
    struct context *context = context_new(identity, held_new());
    if (context == NULL) {
        problem_add(report, policy->path, identity->line, "%s", strerror(ENOMEM));
        return NULL;
    }
    for (enum material_part part = MATERIAL_OWN; part < MATERIAL_PARTS; part++) {
        context->held->stamps[part] = material_stamp(identity, part);
    }
    if ((!may_be_lost || !is_lost(identity)) &&
        material_load(policy, identity, report, &context->held->material) < 0) {
        context_unref(context);
        return NULL;
    }
    if (!note_trust(context->held, identity)) {
        problem_add(report, policy->path, identity->line, "%s", strerror(ENOMEM));
        context_unref(context);
        return NULL;
    }
    return context;
}

struct context *
context_make(const struct policy_identity *identity, struct material *material,
             const struct stamp stamps[MATERIAL_PARTS], const struct context *old,
             const bool replaced[MATERIAL_PARTS])
{
    struct context *context = context_new(identity, held_new());
    if (context == NULL) {
        material_done(material);
        return NULL;
    }
    context->held->material = *material;
    memset(material, 0, sizeof(*material));
    memcpy(context->held->stamps, stamps, sizeof(context->held->stamps));
    if (!note_trust(context->held, identity)) {
        context_unref(context);
        return NULL;
    }
    if (!replaced[MATERIAL_OWN]) {
        context->held->warned_s = old->held->warned_s;
    }
    return context;
}

static bool
names_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The material is a copy of the old one's. Loads the parts whose files are others. */
static int
load_others(const struct context *old, const struct policy *policy,
            const struct policy_identity *identity, struct policy_report *report,
            struct material *material, struct stamp stamps[MATERIAL_PARTS],
            bool replaced[MATERIAL_PARTS])
{
    replaced[MATERIAL_TRUST] = !names_same(old->identity->trust, identity->trust);
    replaced[MATERIAL_CRL] =
        replaced[MATERIAL_TRUST] || !names_same(old->identity->crl, identity->crl);
    int result = 0;
    for (enum material_part part = MATERIAL_TRUST; result == 0 && part < MATERIAL_PARTS;
         part++) {
        if (replaced[part]) {
            stamps[part] = material_stamp(identity, part);
            result = material_load_part(policy, identity, part, report, material);
        }
    }
    return result;
}

struct context *
context_renew(const struct context *old, const struct policy *policy,
              const struct policy_identity *identity, struct policy_report *report)
{
    struct material material;
    struct stamp stamps[MATERIAL_PARTS];
    bool replaced[MATERIAL_PARTS] = {false};
    struct context *context = NULL;
    memcpy(stamps, old->held->stamps, sizeof(stamps));
    if (!context_has_material(old) ||
        (names_same(old->identity->trust, identity->trust) &&
         names_same(old->identity->crl, identity->crl))) {
        atomic_fetch_add(&old->held->refs, 1);
        context = context_new(identity, old->held);
    } else if (material_copy(context_material(old), &material) == 0) {
        if (load_others(old, policy, identity, report, &material, stamps, replaced) < 0) {
            material_done(&material);
            return NULL;
        }
        context = context_make(identity, &material, stamps, old, replaced);
    }
    if (context == NULL) {
        problem_add(report, policy->path, identity->line, "%s", strerror(ENOMEM));
    }
    return context;
}

struct context *
context_ref(struct context *context)
{
    atomic_fetch_add(&context->refs, 1);
    return context;
}

void
context_unref(struct context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->refs, 1) != 1) {
        return;
    }
    wolfSSL_CTX_free(atomic_load(&context->by_role[0]));
    wolfSSL_CTX_free(atomic_load(&context->by_role[1]));
    held_unref(context->held);
    free(context);
}

static int
set_ciphers(WOLFSSL_CTX *ctx, const struct policy_identity *identity)
{
    char list[512] = "";
    size_t len = 0;
    for (const struct suite *suite = suite_list;
         identity->ciphers == NULL && suite->number != 0; suite++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
                                len > 0 ? ":" : "", suite->wolfssl_name);
    }
    for (const char *const *name = identity->ciphers; name != NULL && *name != NULL;
         name++) {
        const struct suite *suite = suite_by_name(*name);
        if (suite == NULL) {
            return -EINVAL;
        }
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
                                len > 0 ? ":" : "", suite->wolfssl_name);
        if (len >= sizeof(list)) {
            return -EINVAL;
        }
    }
    return wolfSSL_CTX_set_cipher_list(ctx, list) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

static WOLFSSL_METHOD *
method_for(const struct policy_identity *identity, bool is_server)
{
    if (identity->min_version == 0x0304) {
        return is_server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    }
    if (identity->max_version == 0x0303) {
        return is_server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    }
    return is_server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
}

/* It is not told whom we trust: path.h. */
static WOLFSSL_CTX *
make(const struct policy_identity *identity, const struct material *material,
     bool is_server)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method_for(identity, is_server));
    if (ctx == NULL) {
        return NULL;
    }
    if (wolfSSL_CTX_SetMinVersion(ctx, identity->min_version == 0x0304
                                           ? WOLFSSL_TLSV1_3
                                           : WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_certificate_chain_buffer(
            ctx, material->chain.data, (long)material->chain.len) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_buffer(ctx, material->key.data,
                                          (long)material->key.len,
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        set_ciphers(ctx, identity) < 0 || exchange_set(ctx, identity) < 0 ||
        signing_set(ctx, identity) < 0 ||
        admission_prepare(ctx, identity, is_server) < 0) {
        wolfSSL_CTX_free(ctx);
        return NULL;
    }
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
    (void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    resume_set_up(ctx, identity, is_server);
    return ctx;
}

const struct material *
context_material(const struct context *context)
{
    return &context->held->material;
}

struct path_anchors *
context_anchors(const struct context *context)
{
    return context->held->anchors;
}

bool
context_has_material(const struct context *context)
{
    return context_material(context)->chain.data != NULL;
}

WOLFSSL_CTX *
context_get(struct context *context, bool is_server)
{
    WOLFSSL_CTX *ctx = atomic_load(&context->by_role[is_server]);
    if (ctx != NULL || !context_has_material(context)) {
        return ctx;
    }
    pthread_mutex_lock(&context->making);
    ctx = atomic_load(&context->by_role[is_server]);
    if (ctx == NULL) {
        ctx = make(context->identity, context_material(context), is_server);
        atomic_store(&context->by_role[is_server], ctx);
    }
    pthread_mutex_unlock(&context->making);
    return ctx;
}

void
context_prepare(struct context *context, const struct context *old)
{
    for (int is_server = 0; is_server <= 1; is_server++) {
        if (atomic_load(&old->by_role[is_server]) != NULL) {
            (void)context_get(context, is_server != 0);
        }
    }
}

bool
context_trust_id(const struct context *context, uint8_t id[CONTEXT_TRUST_ID_LEN])
{
    memcpy(id, context->held->trust_id, CONTEXT_TRUST_ID_LEN);
    return context->held->has_trust_id;
}

uint64_t
context_trust_number(const struct context *context)
{
    uint64_t number = 0;
    memcpy(&number, context->held->trust_id, sizeof(number));
    return number;
}

const struct stamp *
context_stamp(const struct context *context, enum material_part part)
{
    return &context->held->stamps[part];
}

void
context_set_stamp(struct context *context, enum material_part part,
                  const struct stamp *stamp)
{
    context->held->stamps[part] = *stamp;
}

int64_t *
context_warned_s(struct context *context)
{
    return &context->held->warned_s;
}

const char *
context_serial(const struct context *context)
{
    return context_material(context)->serial;
}
