#include "shim/session/handshake_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "config/certs.h"
#include "shim/session/certificate_wolfssl.h"
#include "shim/session/offer.h"
#include "shim/session/refusal.h"
#include "shim/session/signing.h"

/* wolfSSL has refused what it could not even read: nobody was asked. */
static void
describe_unread(struct handshake *handshake)
{
    struct der_span leaf = certificate_wolfssl_unread(handshake->ssl);
    if (!handshake->asked && leaf.len > 0) {
        peer_describe(leaf.at, leaf.len, &handshake->session->peer);
    }
}

/* What nothing was found in common of. */
static bool
is_mismatch(enum reason reason)
{
    return reason == REASON_VERSION_MISMATCH || reason == REASON_CIPHER_MISMATCH;
}

static int
explain_alert(struct handshake *handshake, int alert)
{
    const struct policy_identity *identity = handshake->ruling.rule->identity;
    enum reason reason = refusal_of_alert(alert);
    const char *name = refusal_alert_words(alert);
    char ours[OFFER_LEN];
    /* Before it has shown a certificate, a server has seen no more than what we offer. */
    if (handshake->session->is_server || handshake->asked ||
        !(is_mismatch(reason) || refusal_is_mismatch(alert))) {
        failure_set(&handshake->failure, reason, "the peer refused: %s", name);
    } else {
        offer_of_identity(identity, reason, ours);
        failure_set(&handshake->failure, reason, "the peer refused: %s; we offer %s",
                    name, ours);
    }
    return -ECONNRESET;
}

/* The ClientHello is still there: it is what wolfSSL has refused. */
static void
explain_mismatch(struct handshake *handshake, enum reason reason, const char *words)
{
    char theirs[OFFER_LEN] = "";
    char ours[OFFER_LEN];
    if (handshake->session->is_server) {
        offer_of_peer(handshake->shown.at, handshake->shown.len, reason, theirs);
    }
    offer_of_identity(handshake->ruling.rule->identity, reason, ours);
    if (theirs[0] != '\0') {
        failure_set(&handshake->failure, reason, "the peer offers %s; we take %s", theirs,
                    ours);
    } else {
        failure_set(&handshake->failure, reason, "%s (%s); we offer %s",
                    reason_words(reason), words, ours);
    }
}

int
handshake_explain(struct handshake *handshake, int error)
{
    WOLFSSL_ALERT_HISTORY alerts;
    if (handshake->judged < 0) {
        return handshake->judged;
    }
    if (handshake->admission.is_refused) {
        handshake->failure = handshake->admission.failure;
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        refusal_alert(handshake->failure.reason));
        return -EPROTO;
    }
    memset(&alerts, 0, sizeof(alerts));
    (void)wolfSSL_get_alert_history(handshake->ssl, &alerts);
    if (alerts.last_rx.level == ALERT_FATAL) {
        return explain_alert(handshake, alerts.last_rx.code);
    }
    char words[WOLFSSL_MAX_ERROR_SZ];
    enum reason reason = refusal_of_error(error);
    if (handshake->is_certificate_error && reason == REASON_PROTOCOL) {
        reason = REASON_BAD_CERTIFICATE;
    }
    if (handshake->is_certificate_error) {
        snprintf(words, sizeof(words), "%s", certs_error(error));
    } else {
        wolfSSL_ERR_error_string_n((unsigned long)error, words, sizeof(words));
    }
    if (is_mismatch(reason)) {
        explain_mismatch(handshake, reason, words);
    } else {
        failure_set(&handshake->failure, reason, "%s (%s)", reason_words(reason), words);
    }
    describe_unread(handshake);
    if (alerts.last_tx.level != ALERT_FATAL) {
        bool is_proof = error == SIG_VERIFY_E || error == VERIFY_SIGN_ERROR;
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        is_proof ? ALERT_DECRYPT_ERROR : refusal_alert(reason));
    }
    return -EPROTO;
}

int
handshake_refuse_record(struct handshake *handshake, int alert, const char *what)
{
    (void)SendAlert(handshake->ssl, ALERT_FATAL, alert);
    failure_set(&handshake->failure,
                handshake->saw_record ? REASON_PROTOCOL : REASON_NOT_TLS, "%s", what);
    return -EPROTO;
}

/* Returns 1: there is something in common; -EPROTO. */
static int
check_hello(struct handshake *handshake)
{
    const struct policy_identity *identity = handshake->ruling.rule->identity;
    const uint8_t *record = handshake->shown.at;
    size_t len = handshake->shown.len;
    char theirs[OFFER_LEN];
    char ours[OFFER_LEN];
    enum reason reason = handshake->session->is_server
                             ? offer_check_client(record, len, identity)
                             : offer_check_server(record, len, identity, theirs);
    if (reason == REASON_NONE) {
        if (!handshake->session->is_server) {
            resume_answered(&handshake->resume, handshake->ssl,
                            offer_version_of_server((struct der_span){record, len}));
        }
        return 1;
    }
    if (handshake->session->is_server) {
        explain_mismatch(handshake, reason, reason_words(reason));
    } else {
        offer_of_identity(identity, reason, ours);
        failure_set(&handshake->failure, reason, "the peer wants %s; we offer %s", theirs,
                    ours);
    }
    (void)SendAlert(handshake->ssl, ALERT_FATAL, refusal_alert(reason));
    return -EPROTO;
}

int
handshake_take_hello(struct handshake *handshake)
{
    struct der_span record = handshake->shown;
    int result = hello_add(&handshake->hello, record, &handshake->shown);
    if (result < 0) {
        return handshake_refuse_record(handshake, ALERT_DECODE_ERROR,
                                       "a first message of impossible length came");
    }
    if (result == 0) {
        handshake->shown = (struct der_span){NULL, 0};
        return 0;
    }
    return check_hello(handshake);
}

/* A server of TLS 1.2 takes wolfSSL's own choice of the groups that the client offers. */
int
handshake_check_group(struct handshake *handshake)
{
    const char *const *name = handshake->ruling.rule->identity->groups;
    const char *group = handshake_group(handshake);
    if (name == NULL || (handshake->session->resumed &&
                         wolfSSL_version(handshake->ssl) == TLS1_2_VERSION)) {
        return 0; /* there was no choice, or no key exchange */
    }
    while (*name != NULL && strcmp(*name, group) != 0) {
        name++;
    }
    if (*name != NULL) {
        return 0;
    }
    (void)SendAlert(handshake->ssl, ALERT_FATAL, ALERT_HANDSHAKE_FAILURE);
    failure_set(&handshake->failure, REASON_CIPHER_MISMATCH,
                "the key exchange used %s, which is not in groups", group);
    return -EPROTO;
}

/* A server of TLS 1.2 again: see signing.h. */
int
handshake_check_signature(struct handshake *handshake)
{
    const struct policy_identity *identity = handshake->ruling.rule->identity;
    if (handshake->session->resumed || !handshake->session->is_server ||
        signing_was_met(handshake->ssl, identity)) {
        return 0;
    }
    (void)SendAlert(handshake->ssl, ALERT_FATAL, ALERT_HANDSHAKE_FAILURE);
    failure_set(&handshake->failure, REASON_CIPHER_MISMATCH,
                "the peer has signed with none of signature_algorithms");
    return -EPROTO;
}
