#include "tools/ctl/peer.h"

#include "config/certs.h"
#include "config/crl.h"
#include "config/trust.h"
#include "shim/session/peer.h"
#include "shim/session/revocation.h"
#include "tools/ctl/ctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#define CERT_COUNT_MAX 10

/* What the file shows, the peer's own certificate first; points into the file. */
struct shown {
    struct certs_one certs[CERT_COUNT_MAX];
    int count;
};

static int
collect(void *context, const struct certs_one *cert)
{
    struct shown *shown = context;
    struct certs_one *kept = &shown->certs[shown->count];
    uint8_t *der;

    if (shown->count == CERT_COUNT_MAX) {
        return 0;
    }
    /* What PEM is decoded into is gone after this call. */
    der = malloc(cert->der_len);
    if (der == NULL) {
        return -ENOMEM;
    }
    memcpy(der, cert->der, cert->der_len);
    *kept = *cert;
    kept->der = der;
    shown->count++;
    return 0;
}

static void
shown_done(struct shown *shown)
{
    for (int i = 0; i < shown->count; i++) {
        free((void *)(uintptr_t)shown->certs[i].der);
    }
}

static void
report_file(void *context, const char *path, int line, const char *text)
{
    (void)path;
    (void)line;
    fprintf(context, "mtlsctl: explain: --peer: %s\n", text);
}

static int
read_shown(const char *path, struct shown *shown)
{
    struct policy_report report = {report_file, stderr, 0};
    const struct problem_place place = {&report, "", 0, path};
    struct file file;
    int rc = file_read(path, &file);

    if (rc != 0) {
        return problem_in(&place, "%s", file_error(rc));
    }
    rc = certs_each(&place, &file, collect, shown);
    file_done(&file);
    if (rc == 0) {
        return problem_in(&place, "holds no certificate");
    }
    return rc < 0 ? rc : 0;
}

/* ---- the chain --------------------------------------------------------------------- */

/* Returns 0 or wolfSSL's error; intermediate ones count when trust vouches for them. */
static int
verify_with(WOLFSSL_CERT_MANAGER *manager, const struct shown *shown)
{
    for (int i = shown->count - 1; i > 0; i--) {
        const struct certs_one *cert = &shown->certs[i];

        if (wolfSSL_CertManagerVerifyBuffer(manager, cert->der, (long)cert->der_len,
                                            WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS) {
            (void)wolfSSL_CertManagerLoadCABuffer(manager, cert->der, (long)cert->der_len,
                                                  WOLFSSL_FILETYPE_ASN1);
        }
    }
    int rc = wolfSSL_CertManagerVerifyBuffer(manager, shown->certs[0].der,
                                             (long)shown->certs[0].der_len,
                                             WOLFSSL_FILETYPE_ASN1);
    return rc == WOLFSSL_SUCCESS ? 0 : rc;
}

static int
verify_chain(const struct material_blob *trust, const struct shown *shown)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    int rc = MEMORY_E;

    if (manager != NULL &&
        wolfSSL_CertManagerLoadCABuffer(manager, trust->data, (long)trust->len,
                                        WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS) {
        rc = verify_with(manager, shown);
    }
    wolfSSL_CertManagerFree(manager);
    return rc;
}

/* ---- revocation ----------------------------------------------------------------------
 */

static int
add_to_chain(void *context, const struct certs_one *cert)
{
    return cert->error == 0 ? certs_append(context, cert) : 0;
}

/* Our own chain may hold the intermediate CAs that signed lists; the key is not read. */
static void
load_chain(const struct policy_identity *identity, struct material_blob *chain)
{
    struct policy_report silent = {problem_ignore, NULL, 0};
    const struct problem_place place = {&silent, "", 0, identity->certificate};
    struct file file;

    if (identity->certificate != NULL && file_read(identity->certificate, &file) == 0) {
        (void)certs_each(&place, &file, add_to_chain, chain);
        file_done(&file);
    }
}

static int
load_lists(const struct policy *policy, const struct policy_identity *identity,
           struct policy_report *report, struct material *material)
{
    const struct problem_place place = {report, policy->path, identity->crl_line,
                                        identity->crl};

    if (identity->crl == NULL) {
        return 0;
    }
    load_chain(identity, &material->chain);
    return crl_load(&place, material, &material->crl);
}

static int
check_revocation(const struct policy_identity *identity, const struct material *material,
                 const struct shown *shown, struct failure *failure)
{
    int rc = 0;

    for (int i = 0; rc == 0 && identity->crl != NULL && i < shown->count; i++) {
        const struct der_span cert = {shown->certs[i].der, shown->certs[i].der_len};

        rc = revocation_check(identity, &material->crl, cert, failure);
    }
    return rc;
}

/* ---- the verdict ------------------------------------------------------------------- */

/* The name that is verified: as the shim finds it. */
static const char *
reference_name(const struct policy_rule *rule, const struct policy_query *query,
               char literal[INET6_ADDRSTRLEN])
{
    const struct sockaddr *remote = query->remote;
    const void *bytes;

    if (rule->peer_name != NULL || query->dialled_name != NULL) {
        return rule->peer_name != NULL ? rule->peer_name : query->dialled_name;
    }
    if (remote == NULL || remote->sa_family == AF_UNSPEC) {
        return NULL;
    }
    bytes =
        remote->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)remote)
                  ->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)remote)->sin_addr;
    return inet_ntop(remote->sa_family, bytes, literal, INET6_ADDRSTRLEN);
}

/* The first entry of allow that names the peer; NULL without one. */
static const struct policy_peer *
allowed_by(const struct policy_rule *rule, const struct certs_one *leaf)
{
    for (size_t i = 0; i < rule->allow_count; i++) {
        struct policy_rule one = *rule;
        struct peer peer;
        struct failure failure;

        one.verify = POLICY_VERIFY_CHAIN;
        one.allow = &rule->allow[i];
        one.allow_count = 1;
        one.deny_count = 0;
        if (peer_judge(leaf->der, leaf->der_len, &one, NULL, &peer, &failure) == 0) {
            return &rule->allow[i];
        }
    }
    return NULL;
}

static void
print_let_in(const struct policy_rule *rule, const struct certs_one *leaf,
             const char *name)
{
    const struct policy_peer *entry = allowed_by(rule, leaf);

    printf("=> the peer is let in: trust vouches for it");
    if (rule->identity->crl != NULL) {
        printf(", crl has it not");
    }
    if (name != NULL) {
        printf(", it is for %s", name);
    }
    if (entry != NULL) {
        printf(", allow has it as %s:%s", policy_peer_kind_name(entry->kind),
               entry->text);
    }
    printf("%s\n", rule->deny_count > 0 ? ", deny has it not" : "");
}

static int
judge(const struct policy_rule *rule, const struct policy_query *query,
      const struct material *material, const struct shown *shown)
{
    const struct certs_one *leaf = &shown->certs[0];
    bool by_name =
        rule->direction == POLICY_OUTBOUND && rule->verify == POLICY_VERIFY_NAME;
    char literal[INET6_ADDRSTRLEN];
    const char *name = by_name ? reference_name(rule, query, literal) : NULL;
    struct peer peer;
    struct failure failure;
    struct failure why;
    int chain = verify_chain(&material->trust, shown);
    int revoked = check_revocation(rule->identity, material, shown, &why);
    int verdict = peer_judge(leaf->der, leaf->der_len, rule, name, &peer, &failure);

    printf("  peer        %s, serial %s\n", peer.subject, peer.serial);
    printf("  names       %s\n", peer.san[0] != '\0' ? peer.san : "none");
    printf("  issuer      %s\n", peer.issuer);
    if (chain != 0) {
        printf("=> the peer is refused: trust does not vouch for it: %s\n",
               certs_error(chain));
    }
    if (revoked != 0) {
        printf("=> the peer is refused: %s: %s\n", reason_code(why.reason), why.detail);
    }
    if (verdict != 0) {
        printf("=> the peer is refused: %s: %s\n", reason_code(failure.reason),
               failure.detail);
    }
    if (chain != 0 || revoked != 0 || verdict != 0) {
        return EXIT_FAILURE;
    }
    print_let_in(rule, leaf, name);
    return EXIT_SUCCESS;
}

static int
explain(const struct policy *policy, const struct policy_rule *rule,
        const struct policy_query *query, const struct shown *shown)
{
    struct policy_report report = {policy_report_to_file, stderr, 0};
    const struct problem_place place = {&report, policy->path, rule->identity->trust_line,
                                        rule->identity->trust};
    struct material material = {.not_after = 0};
    int status = POLICY_EXIT_CONFIG;

    if (trust_load(&place, &material.trust) == 0 &&
        load_lists(policy, rule->identity, &report, &material) == 0) {
        status = judge(rule, query, &material, shown);
    }
    material_done(&material);
    return status;
}

int
peer_explain(const struct policy *policy, const struct policy_rule *rule,
             const struct policy_query *query, const char *file)
{
    struct shown shown = {.count = 0};
    int status = CTL_EXIT_USAGE;

    if (wolfSSL_Init() == WOLFSSL_SUCCESS && read_shown(file, &shown) == 0) {
        if (rule->identity != NULL) {
            status = explain(policy, rule, query, &shown);
        } else {
            printf("=> no peer is asked for a certificate\n");
            status = EXIT_SUCCESS;
        }
    }
    shown_done(&shown);
    wolfSSL_Cleanup();
    return status;
}
