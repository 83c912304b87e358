#include "shim/session/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/error-ssl.h>

#include "shim/session/handshake.h"

void
admission_init(struct admission *admission, const struct ruling *ruling, bool is_server)
{
    admission->asker = ocsp_asker(ruling);
    admission->is_server = is_server;
}

void
admission_done(struct admission *admission)
{
    for (int i = 0; i < CHAIN_COUNT_MAX; i++) {
        free(admission->staples[i].at);
        admission->staples[i].at = NULL;
    }
}

/* wolfSSL frees what it is given. */
static int
offer(WOLFSSL *ssl, void *unused)
{
    (void)unused;
    size_t len = 0;
    uint8_t *response =
        ocsp_own_staple(&handshake_admission(wolfSSL_GetIOReadCtx(ssl))->asker, &len);
    if (response == NULL) {
        return WOLFSSL_OCSP_STATUS_CB_NOACK;
    }
    if (wolfSSL_set_tlsext_status_ocsp_resp(ssl, response, (int)len) != WOLFSSL_SUCCESS) {
        free(response);
        return WOLFSSL_OCSP_STATUS_CB_NOACK;
    }
    return WOLFSSL_OCSP_STATUS_CB_OK;
}

/* wolfSSL's own opinion does not count: it knows no issuer (path.h), and keeps nothing.
 */
static int
keep(WOLFSSL *ssl, int error, byte *response, word32 len, word32 i, void *unused)
{
    (void)unused;
    struct admission *admission = handshake_admission(wolfSSL_GetIOReadCtx(ssl));
    (void)error;
    if (i >= CHAIN_COUNT_MAX || len == 0) {
        failure_set(&admission->failure, REASON_BAD_STAPLE,
                    "what the server stapled is no good answer about it");
        admission->is_refused = true;
        return BAD_CERTIFICATE_STATUS_ERROR;
    }
    free(admission->staples[i].at);
    admission->staples[i].at = malloc(len);
    if (admission->staples[i].at == NULL) {
        return MEMORY_E;
    }
    memcpy(admission->staples[i].at, response, len);
    admission->staples[i].len = len;
    return 0;
}

int
admission_prepare(WOLFSSL_CTX *ctx, const struct policy_identity *identity,
                  bool is_server)
{
    if (identity->ocsp == POLICY_OCSP_OFF) {
        return 0;
    }
    if (is_server) {
        return wolfSSL_CTX_set_tlsext_status_cb(ctx, offer) == WOLFSSL_SUCCESS ? 0
                                                                               : -ENOMEM;
    }
    wolfSSL_CTX_set_ocsp_status_verify_cb(ctx, keep, NULL);
    return wolfSSL_CTX_EnableOCSPStapling(ctx) == WOLFSSL_SUCCESS ? 0 : -ENOMEM;
}

int
admission_ask(const struct admission *admission, WOLFSSL *ssl)
{
    if (admission->is_server || admission->asker.identity->ocsp == POLICY_OCSP_OFF) {
        return 0;
    }
    return wolfSSL_UseOCSPStapling(ssl, WOLFSSL_CSR_OCSP, 0) == WOLFSSL_SUCCESS ? 0
                                                                                : -ENOMEM;
}

static int
take_staples(struct admission *admission, const struct chain *chain,
             struct failure *failure)
{
    int result = 0;
    for (int i = 0; result == 0 && i < admission->path.count; i++) {
        int sent = admission->path.at[i];
        if (admission->staples[sent].at != NULL) {
            result =
                ocsp_take_staple(&admission->asker, chain, i, admission->staples[sent].at,
                                 admission->staples[sent].len, failure);
        }
    }
    return result;
}

int
admission_judge(struct admission *admission, const struct chain *chain, bool resumed,
                struct failure *failure)
{
    const struct policy_identity *identity = admission->asker.identity;
    if (identity->ocsp == POLICY_OCSP_OFF) {
        return 0;
    }
    if (chain == NULL) {
        failure_set(failure, REASON_SHIM_ERROR,
                    "the peer's certificates are not at hand");
        return -EPROTO;
    }
    if (admission->until_ms == 0) {
        admission->until_ms = session_now_ms() + identity->ocsp_timeout_ms;
        int result = take_staples(admission, chain, failure);
        if (result < 0) {
            return result;
        }
    }
    struct ocsp_peer peer = {
        .chain = chain,
        .is_client = admission->is_server,
        .has_stapled = resumed || admission->staples[0].at != NULL,
        .is_late = session_now_ms() >= admission->until_ms,
    };
    return ocsp_judge(&admission->asker, &peer, failure);
}

bool
admission_is_held(struct admission *admission)
{
    return admission->is_server && ocsp_own_staple_is_awaited(&admission->asker);
}
