#include "shim/session/handshake_state.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "shim/session/judge.h"
#include "shim/session/refusal.h"

/* What the peer has sent, as wolfSSL keeps it. */
static struct chain *
take_chain(const WOLFSSL_X509_STORE_CTX *store)
{
    struct der_span certificates[CHAIN_COUNT_MAX];
    int count = store->totalCerts < CHAIN_COUNT_MAX ? store->totalCerts : CHAIN_COUNT_MAX;
    for (int i = 0; i < count; i++) {
        certificates[i] =
            (struct der_span){store->certs[i].buffer, store->certs[i].length};
    }
    return store->totalCerts == count ? chain_intern(certificates, count) : NULL;
}

/* Asked once, of whichever certificate wolfSSL comes with first: all of them are here. */
static void
judge(struct handshake *handshake, const WOLFSSL_X509_STORE_CTX *store)
{
    struct session *session = handshake->session;
    handshake->asked = true;
    handshake->chain = take_chain(store);
    if (handshake->chain == NULL) {
        peer_describe(store->certs[0].buffer, store->certs[0].length, &session->peer);
        failure_set(&handshake->failure, REASON_BAD_CERTIFICATE,
                    "the peer sent too many certificates, or there is no memory");
        handshake->judged = -EPROTO;
    } else {
        handshake->judged =
            judge_chain(session, &handshake->ruling, &handshake->chain,
                        &handshake->admission.path, &session->peer, &handshake->failure);
    }
    if (handshake->judged < 0) {
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        refusal_alert(handshake->failure.reason));
    }
}

/* What has to be fetched is asked for while the handshake goes on, and who is known by
 * now to be refused gets the alert before our last word. In TLS 1.2 a server staples
 * later than it shows its certificate. */
static void
admit_early(struct handshake *handshake)
{
    if (!handshake->session->is_server &&
        wolfSSL_version(handshake->ssl) != TLS1_3_VERSION) {
        return;
    }
    int result = admission_judge(&handshake->admission, handshake->chain, false,
                                 &handshake->failure);
    handshake->judged = result == -EAGAIN ? 0 : result;
    if (handshake->judged < 0) {
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        refusal_alert(handshake->failure.reason));
    }
}

static bool
is_on_path(const struct chain_path *path, int position)
{
    return memchr(path->at, position, (size_t)path->count) != NULL;
}

/*
 * wolfSSL asks for every certificate that it has trouble with, the peer's own being last,
 * and once more when all is well. It is not told whom we trust, so that a signature is
 * always trouble, and this is the only thing that vouches; other trouble is trouble,
 * where it is that of a certificate which counts.
 */
int
handshake_verify(int is_good, WOLFSSL_X509_STORE_CTX *store)
{
    struct handshake *handshake = store->userCtx;
    if (store->certs == NULL || store->totalCerts < 1) {
        return 0;
    }
    if (!handshake->asked) {
        judge(handshake, store);
    }
    if (handshake->judged < 0) {
        return 0;
    }
    if (!is_good && store->error != ASN_NO_SIGNER_E &&
        store->error != ASN_SELF_SIGNED_E &&
        is_on_path(&handshake->admission.path, store->error_depth)) {
        handshake->is_certificate_error = true;
        return 0;
    }
    if (!is_good || store->error_depth != 0) {
        return 1; /* it will ask again, having looked at what was stapled */
    }
    admit_early(handshake);
    if (handshake->judged < 0) {
        return 0;
    }
    handshake->vouched = true;
    handshake->resume.shown = handshake->chain;
    return 1;
}

/* Who has shown no certificate has resumed a session. There is no other way to get here;
 * whatever one may be found, it leads nowhere. */
int
handshake_accept_resumed(struct handshake *handshake)
{
    struct chain *chain = resume_chain(&handshake->resume, handshake->ssl);
    if (chain != NULL) {
        chain_unref(handshake->chain);
        handshake->chain = chain;
        handshake->session->resumed = true;
        return 0;
    }
    failure_set(&handshake->failure, REASON_NO_CERTIFICATE,
                "the handshake ended without a certificate of the peer");
    return -EPROTO;
}

int
handshake_admit(struct handshake *handshake)
{
    bool resumed = wolfSSL_session_reused(handshake->ssl) != 0;
    int result = admission_judge(&handshake->admission, handshake->chain, resumed,
                                 &handshake->failure);
    if (result == -EPROTO) {
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        refusal_alert(handshake->failure.reason));
    }
    return result;
}

bool
handshake_is_held(struct handshake *handshake)
{
    return !handshake->is_begun && admission_is_held(&handshake->admission);
}

struct admission *
handshake_admission(void *io_context)
{
    struct handshake *handshake = io_context;
    return &handshake->admission;
}

struct chain *
handshake_take_chain(struct handshake *handshake)
{
    struct chain *chain = handshake->chain;
    handshake->chain = NULL;
    return chain;
}
