#include "shim/session/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

#include "config/certs.h"
#include "config/pem.h"
#include "config/strength.h"
#include "shim/session/constraints.h"
#include "shim/session/path_memo.h"
#include "shim/session/path_words.h"
#include "shim/session/peer_der.h"

/* Certificates of one CA may be shown in any number and order: a bound on what a peer can
 * have us try. */
enum { PATHS_MAX = 16, STEPS_MAX = 128 };

struct anchor {
    struct der_span whole;
    struct der_span subject;
};

struct path_anchors {
    size_t count;
    struct anchor *at;
    char *from;            /* file or folder; NULL: not known */
    struct path_memo memo; /* the one thing in here that changes */
};

/* A search. The path begins with the peer's certificate. */
struct search {
    struct path_anchors *anchors;
    const struct chain *chain;
    bool is_server;
    bool dates_do_not_matter;
    struct failure *failure;
    struct chain_path path;
    int paths_left, steps_left;
    struct peer_parts parts[CHAIN_COUNT_MAX];
    bool is_readable[CHAIN_COUNT_MAX];
};

/* ---- anchors ---------------------------------------------------------------------- */

static int
add_anchor(struct path_anchors *anchors, const struct pem_block *block)
{
    struct peer_parts parts;
    struct anchor *grown =
        realloc(anchors->at, (anchors->count + 1) * sizeof(*anchors->at));
    uint8_t *der = malloc(block->len);
    if (grown != NULL) {
        anchors->at = grown;
    }
    if (grown == NULL || der == NULL) {
        free(der);
        return -ENOMEM;
    }
    memcpy(der, block->der, block->len);
    if (!peer_der_certificate((struct der_span){der, block->len}, &parts)) {
        free(der);
        return 0; /* nobody is below it */
    }
    anchors->at[anchors->count++] = (struct anchor){{der, block->len}, parts.subject};
    return 0;
}

static int
add_all(struct path_anchors *anchors, const char *text)
{
    struct pem_block block;
    int found;
    int result = 0;
    while (result == 0 && (found = pem_next(&text, &block)) > 0) {
        result = block.der != NULL ? add_anchor(anchors, &block) : 0;
        pem_done(&block);
    }
    return result == 0 ? found : result;
}

struct path_anchors *
path_anchors_new(const struct material_blob *trust, const char *from)
{
    struct path_anchors *anchors = calloc(1, sizeof(*anchors));
    char *text = calloc(1, trust->len + 1);
    if (text != NULL && trust->len > 0) {
        memcpy(text, trust->data, trust->len);
    }
    if (anchors == NULL || text == NULL || add_all(anchors, text) < 0 ||
        anchors->count == 0) {
        path_anchors_free(anchors);
        anchors = NULL;
    } else if (from != NULL) {
        anchors->from = strdup(from); /* for words only: they do without */
    }
    free(text);
    return anchors;
}

void
path_anchors_free(struct path_anchors *anchors)
{
    if (anchors == NULL) {
        return;
    }
    for (size_t i = 0; i < anchors->count; i++) {
        free((void *)(uintptr_t)anchors->at[i].whole.at);
    }
    free(anchors->at);
    free(anchors->from);
    free(anchors);
}

/* ---- one path --------------------------------------------------------------------- */

static struct path_place
place_of(const struct search *search, int i)
{
    const struct chain_path *path = &search->path;
    return (struct path_place){
        .certificate = chain_at(search->chain, i),
        .is_own = i == 0,
        .is_below_anchor = path->at[path->count - 1] == i,
    };
}

static int
refuse(const struct search *search, int i, enum reason reason, const char *words)
{
    const struct path_place place = place_of(search, i);
    path_words_refuse(&place, reason, words, search->failure);
    return -EPROTO;
}

static int
refuse_error(const struct search *search, int i, int error)
{
    const struct path_place place = place_of(search, i);
    path_words_explain(&place, error, search->failure);
    return -EPROTO;
}

static int
check_strength(const struct search *search, int i)
{
    char words[STRENGTH_WORDS_LEN];
    struct der_span certificate = chain_at(search->chain, i);
    if (strength_key(certificate, words) < 0 ||
        strength_signature(certificate, words) < 0) {
        return refuse(search, i, REASON_WEAK_CERTIFICATE, words);
    }
    return 0;
}

/* RFC 5280 has extended key usage concern the certificate alone that has it. As others do
 * (OpenSSL, Go, Windows) we take that of a CA for a limit on what it may vouch for. */
static int
check_ca(const struct search *search, int i, const DecodedCert *cert)
{
    byte purpose = search->is_server ? EXTKEYUSE_CLIENT_AUTH : EXTKEYUSE_SERVER_AUTH;
    if (cert->version != 2 || !cert->isCA) {
        return refuse(search, i, REASON_BAD_CERTIFICATE, "it is no CA's");
    }
    if (cert->extKeyUsageSet && (cert->extKeyUsage & KEYUSE_KEY_CERT_SIGN) == 0) {
        return refuse(search, i, REASON_BAD_CERTIFICATE, "it may not sign certificates");
    }
    if (cert->extExtKeyUsageSet &&
        (cert->extExtKeyUsage & (purpose | EXTKEYUSE_ANY)) == 0) {
        return refuse(search, i, REASON_WRONG_USAGE,
                      search->is_server ? "it may not vouch for clients"
                                        : "it may not vouch for servers");
    }
    return 0;
}

/* What is to be seen in the certificate itself. */
static int
check_alone(const struct search *search, int i)
{
    struct der_span certificate = chain_at(search->chain, i);
    DecodedCert cert;
    int result = check_strength(search, i);
    if (result < 0) {
        return result;
    }
    if (!peer_der_extensions_are_sound(certificate)) {
        return refuse(search, i, REASON_BAD_CERTIFICATE,
                      "an extension is there twice, or there are too many");
    }
    wc_InitDecodedCert(&cert, certificate.at, (word32)certificate.len, NULL);
    int error = wc_ParseCert(&cert, CERT_TYPE, NO_VERIFY, NULL);
    if (error != 0) {
        result = refuse_error(search, i, error);
    } else if (i > 0) {
        result = check_ca(search, i, &cert);
    } else if (cert.version != 2) { /* RFC 8446 section 4.4.2.2 */
        result = refuse(search, i, REASON_BAD_CERTIFICATE, "it is not of version 3");
    }
    wc_FreeDecodedCert(&cert);
    return result;
}

/* All that is below a CA has to be within its name constraints. */
static int
check_constraints(const struct search *search, struct der_span ca, int from)
{
    for (int i = from; i >= 0; i--) {
        int at = search->path.at[i];
        if (!constraints_allow(ca, chain_at(search->chain, at))) {
            return refuse(search, at, REASON_BAD_CERTIFICATE,
                          "its names are outside of what a CA above it may vouch for");
        }
    }
    return 0;
}

static int
load(const struct search *search, WOLFSSL_CERT_MANAGER *manager,
     struct der_span certificate)
{
    word32 flags = search->dates_do_not_matter ? WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY
                                               : WOLFSSL_LOAD_FLAG_NONE;
    int got = wolfSSL_CertManagerLoadCABuffer_ex(
        manager, certificate.at, (long)certificate.len, WOLFSSL_FILETYPE_ASN1, 0, flags);
    return got == WOLFSSL_SUCCESS ? 0 : got;
}

/* Returns WOLFSSL_SUCCESS, or wolfSSL's error. */
static int
verify_one(const struct search *search, WOLFSSL_CERT_MANAGER *manager,
           struct der_span certificate)
{
    DecodedCert cert;
    if (!search->dates_do_not_matter) {
        return wolfSSL_CertManagerVerifyBuffer(
            manager, certificate.at, (long)certificate.len, WOLFSSL_FILETYPE_ASN1);
    }
    wc_InitDecodedCert(&cert, certificate.at, (word32)certificate.len, NULL);
    int error = wc_ParseCert(&cert, CERT_TYPE, VERIFY_SKIP_DATE, manager);
    wc_FreeDecodedCert(&cert);
    return error == 0 ? WOLFSSL_SUCCESS : error;
}

static int
check_signature(const struct search *search, WOLFSSL_CERT_MANAGER *manager, int i)
{
    struct der_span certificate = chain_at(search->chain, i);
    int got = verify_one(search, manager, certificate);
    if (got == WOLFSSL_SUCCESS && i > 0) {
        got = load(search, manager, certificate); /* where path lengths are looked at */
        got = got == 0 ? WOLFSSL_SUCCESS : got;
    }
    return got == WOLFSSL_SUCCESS ? 0 : refuse_error(search, i, got);
}

/* From the anchor down to the peer's certificate. */
static int
verify_with(const struct search *search, WOLFSSL_CERT_MANAGER *manager,
            struct der_span anchor)
{
    int result = load(search, manager, anchor);
    if (result != 0) {
        failure_set(search->failure, REASON_SHIM_ERROR, "a certificate in trust: %s",
                    certs_error(result));
        return -EPROTO;
    }
    result = check_constraints(search, anchor, search->path.count - 1);
    for (int at = search->path.count - 1; result == 0 && at >= 0; at--) {
        int i = search->path.at[at];
        result = check_alone(search, i);
        if (result == 0) {
            result = check_signature(search, manager, i);
        }
        if (result == 0 && at > 0) {
            result = check_constraints(search, chain_at(search->chain, i), at - 1);
        }
    }
    return result;
}

/* Of the path that was found, for when the same chain is shown again. */
static void
keep(const struct search *search, struct der_span anchor)
{
    int64_t first;
    int64_t last;
    bool is_known = peer_der_validity(anchor, &first, &last);
    for (int at = 0; is_known && at < search->path.count; at++) {
        int64_t from;
        int64_t to;
        is_known =
            peer_der_validity(chain_at(search->chain, search->path.at[at]), &from, &to);
        if (is_known) {
            first = from > first ? from : first;
            last = to < last ? to : last;
        }
    }
    if (is_known) {
        path_memo_keep(&search->anchors->memo, chain_id(search->chain), search->is_server,
                       &search->path, first, last);
    }
}

static int
verify(const struct search *search, struct der_span anchor)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    if (manager == NULL) {
        failure_set(search->failure, REASON_SHIM_ERROR, "no memory");
        return -EPROTO;
    }
    int result = verify_with(search, manager, anchor);
    wolfSSL_CertManagerFree(manager);
    return result;
}

/* ---- the search ------------------------------------------------------------------- */

static bool
is_on_path(const struct search *search, int i)
{
    for (int at = 0; at < search->path.count; at++) {
        if (search->path.at[at] == i) {
            return true;
        }
    }
    return false;
}

static bool
is_issued_by(const struct search *search, int i, struct der_span subject)
{
    const struct peer_parts *parts = &search->parts[i];
    return der_is(parts->issuer, subject.at, subject.len);
}

/* An intermediate CA may be an anchor: what is to be known of it counts, if it is shown.
 */
static void
end_path(struct search *search, struct der_span anchor)
{
    for (int i = 1; i < chain_count(search->chain); i++) {
        struct der_span certificate = chain_at(search->chain, i);
        if (!is_on_path(search, i) && der_is(certificate, anchor.at, anchor.len)) {
            search->path.at[search->path.count++] = (uint8_t)i;
            return;
        }
    }
}

/* The first path that holds ends the search; the failure is the first one's that did not:
 * where the anchor's key is another one of the same name, a later path says more. */
static int
try_anchors(struct search *search, int last)
{
    for (size_t i = 0; i < search->anchors->count; i++) {
        const struct anchor *anchor = &search->anchors->at[i];
        if (!is_issued_by(search, last, anchor->subject) || search->paths_left-- <= 0) {
            continue;
        }
        struct failure failure = {.reason = REASON_NONE};
        struct search attempt = *search;
        attempt.failure = &failure;
        if (verify(&attempt, anchor->whole) == 0) {
            end_path(search, anchor->whole);
            if (!search->dates_do_not_matter) {
                keep(search, anchor->whole);
            }
            return 0;
        }
        if (search->failure->reason == REASON_NONE ||
            search->failure->reason == REASON_UNKNOWN_CA) {
            *search->failure = failure;
        }
    }
    return -EPROTO;
}

/* Goes on from the last certificate of the path. Not deeper than CHAIN_COUNT_MAX. */
static int
go_on(struct search *search) /* NOLINT(misc-no-recursion) */
{
    int last = search->path.at[search->path.count - 1];
    if (search->steps_left-- <= 0) {
        return -EPROTO;
    }
    if (try_anchors(search, last) == 0) {
        return 0;
    }
    for (int i = 1; i < chain_count(search->chain); i++) {
        if (search->is_readable[i] && !is_on_path(search, i) &&
            is_issued_by(search, last, search->parts[i].subject)) {
            int count = search->path.count;
            search->path.at[search->path.count++] = (uint8_t)i;
            if (go_on(search) == 0) {
                return 0;
            }
            search->path.count = count;
        }
    }
    return -EPROTO;
}

static int
check(struct path_anchors *anchors, const struct chain *chain, bool is_server,
      bool dates_do_not_matter, struct chain_path *path, struct failure *failure)
{
    struct failure found = {.reason = REASON_NONE};
    struct search search = {
        .anchors = anchors,
        .chain = chain,
        .is_server = is_server,
        .dates_do_not_matter = dates_do_not_matter,
        .failure = &found,
        .path = {.count = 1},
        .paths_left = PATHS_MAX,
        .steps_left = STEPS_MAX,
    };
    for (int i = 0; i < chain_count(chain); i++) {
        search.is_readable[i] =
            peer_der_certificate(chain_at(chain, i), &search.parts[i]);
    }
    if (!search.is_readable[0]) {
        failure_set(failure, REASON_BAD_CERTIFICATE,
                    "the peer's certificate is malformed");
        return -EPROTO;
    }
    int result = go_on(&search);
    if (result < 0 && found.reason == REASON_NONE) {
        path_words_no_anchor(chain, anchors->from, &found);
    }
    if (result < 0) {
        *failure = found;
    } else {
        *path = search.path;
    }
    return result;
}

int
path_check(struct path_anchors *anchors, const struct chain *chain, bool is_server,
           struct chain_path *path, struct failure *failure)
{
    if (path_memo_has(&anchors->memo, chain_id(chain), is_server, time(NULL), path)) {
        return 0;
    }
    return check(anchors, chain, is_server, false, path, failure);
}

int
path_check_but_dates(struct path_anchors *anchors, const struct chain *chain,
                     bool is_server, struct chain_path *path, struct failure *failure)
{
    return check(anchors, chain, is_server, true, path, failure);
}
