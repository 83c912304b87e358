#include "shim/session/handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "config/groups.h"
#include "shim/session/context.h"
#include "shim/session/judge.h"
#include "shim/session/offer.h"
#include "shim/session/refusal.h"
#include "shim/session/resume.h"
#include "shim/session/signing.h"
#include "shim/session/suite.h"

/* wolfSSL's own, in the archive that we link: sends an alert of our choice. */
int SendAlert(WOLFSSL *ssl, int severity, int type);

enum { ALERT_FATAL = 2 };

struct handshake {
    WOLFSSL *ssl;
    struct session *session;
    struct ruling ruling; /* the reference is the owner's */
    struct failure failure;
    struct chain *chain; /* of the peer; NULL until it was shown */
    bool asked;          /* judge_chain() was; judged is its answer */
    int judged;
    bool vouched;              /* for the peer's own certificate */
    bool is_certificate_error; /* what wolfSSL has found is in a certificate */
    struct resume resume;
    uint64_t resume_number; /* client: of the session that is kept for later */
    bool is_done;           /* wolfSSL has nothing more to say */
    bool is_begun;
    struct admission admission;
    bool saw_record;
    size_t in_len, in_want; /* of the record being assembled: here, whole */
    size_t in_read;         /* wolfSSL has taken so much of it */
    uint8_t *out;
    size_t out_start, out_len, out_size;
    uint8_t client_secret[48], server_secret[48];
    uint8_t flight_secret[48]; /* of what a TLS 1.3 server sends until its Finished */
    uint8_t in[HANDSHAKE_RECORD_MAX];
};

static int
receive(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    /* Only whole records are passed on, so what follows them stays in the kernel. */
    if (handshake->in_len < handshake->in_want ||
        handshake->in_read == handshake->in_len) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    size_t len = handshake->in_len - handshake->in_read;
    if (len > (size_t)size) {
        len = (size_t)size;
    }
    memcpy(buffer, handshake->in + handshake->in_read, len);
    handshake->in_read += len;
    if (handshake->in_read == handshake->in_len) {
        handshake->in_read = handshake->in_len = 0;
        handshake->in_want = RECORD_HEADER_LEN;
    }
    return (int)len;
}

static int
transmit(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    size_t need = handshake->out_len + (size_t)size;
    if (need > handshake->out_size) {
        size_t larger = need < 4096 ? 4096 : need * 2;
        uint8_t *out = realloc(handshake->out, larger);
        if (out == NULL) {
            return WOLFSSL_CBIO_ERR_GENERAL;
        }
        handshake->out = out;
        handshake->out_size = larger;
    }
    memcpy(handshake->out + handshake->out_len, buffer, (size_t)size);
    handshake->out_len = need;
    return size;
}

static int
keep_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len, void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    uint8_t *kept = id == CLIENT_TRAFFIC_SECRET             ? handshake->client_secret
                    : id == SERVER_TRAFFIC_SECRET           ? handshake->server_secret
                    : id == SERVER_HANDSHAKE_TRAFFIC_SECRET ? handshake->flight_secret
                                                            : NULL;
    if (kept != NULL && len > 0 && (size_t)len <= sizeof(handshake->client_secret)) {
        memcpy(kept, secret, (size_t)len);
    }
    return 0;
}

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
        handshake->judged = judge_chain(session, &handshake->ruling, handshake->chain,
                                        &session->peer, &handshake->failure);
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

/*
 * wolfSSL asks for every certificate that it has trouble with, the peer's own being last,
 * and once more when all is well. It is not told whom we trust, so that a signature is
 * always trouble, and this is the only thing that vouches; other trouble is trouble.
 */
static int
verify(int is_good, WOLFSSL_X509_STORE_CTX *store)
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
        store->error != ASN_SELF_SIGNED_E) {
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

static bool
is_address(const char *name)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int
send_server_name(struct handshake *handshake)
{
    const struct policy_rule *rule = handshake->ruling.rule;
    const char *name = rule->peer_name != NULL ? rule->peer_name
                       : handshake->session->dialled_name[0] != '\0'
                           ? handshake->session->dialled_name
                           : NULL;
    if (name == NULL || is_address(name)) {
        return 0; /* RFC 6066 section 3: literal addresses are not permitted */
    }
    size_t len = strlen(name);
    while (len > 0 && name[len - 1] == '.') {
        len--;
    }
    return wolfSSL_UseSNI(handshake->ssl, WOLFSSL_SNI_HOST_NAME, name,
                          (unsigned short)len) == WOLFSSL_SUCCESS
               ? 0
               : -EPROTO;
}

struct handshake *
handshake_new(struct session *session, const struct ruling *ruling)
{
    WOLFSSL_CTX *ctx = context_get(ruling_context(ruling), session->is_server);
    struct handshake *handshake = ctx != NULL ? calloc(1, sizeof(*handshake)) : NULL;
    if (handshake == NULL) {
        return NULL;
    }
    handshake->session = session;
    handshake->ruling = *ruling;
    handshake->in_want = RECORD_HEADER_LEN;
    resume_init(&handshake->resume, session, &handshake->ruling);
    admission_init(&handshake->admission, ruling, session->is_server);
    handshake->ssl = wolfSSL_new(ctx);
    if (handshake->ssl == NULL ||
        (!session->is_server && send_server_name(handshake) < 0) ||
        admission_ask(&handshake->admission, handshake->ssl) < 0) {
        handshake_free(handshake);
        return NULL;
    }
    wolfSSL_SSLSetIORecv(handshake->ssl, receive);
    wolfSSL_SSLSetIOSend(handshake->ssl, transmit);
    wolfSSL_SetIOReadCtx(handshake->ssl, handshake);
    wolfSSL_SetIOWriteCtx(handshake->ssl, handshake);
    wolfSSL_SetCertCbCtx(handshake->ssl, handshake);
    wolfSSL_set_verify(handshake->ssl,
                       WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
    (void)wolfSSL_set_tls13_secret_cb(handshake->ssl, keep_secret, handshake);
    if (!session->is_server) {
        resume_offer(&handshake->resume, handshake->ssl);
    }
    return handshake;
}

void
handshake_free(struct handshake *handshake)
{
    if (handshake == NULL) {
        return;
    }
    wolfSSL_free(handshake->ssl);
    resume_done(&handshake->resume);
    admission_done(&handshake->admission);
    chain_unref(handshake->chain);
    free(handshake->out);
    wc_ForceZero(handshake->client_secret, sizeof(handshake->client_secret));
    wc_ForceZero(handshake->server_secret, sizeof(handshake->server_secret));
    wc_ForceZero(handshake->flight_secret, sizeof(handshake->flight_secret));
    free(handshake);
}

/* wolfSSL has refused what it could not even read: nobody was asked. */
static void
describe_unread(struct handshake *handshake)
{
    WOLFSSL_X509_CHAIN *chain = wolfSSL_get_peer_chain(handshake->ssl);
    if (!handshake->asked && chain != NULL && wolfSSL_get_chain_count(chain) > 0) {
        peer_describe(wolfSSL_get_chain_cert(chain, 0),
                      (size_t)wolfSSL_get_chain_length(chain, 0),
                      &handshake->session->peer);
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
    const char *name = refusal_alert_name(alert);
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
    const uint8_t *record = handshake->in;
    size_t len = RECORD_HEADER_LEN + ((size_t)record[3] << 8 | record[4]);
    char theirs[OFFER_LEN] = "";
    char ours[OFFER_LEN];
    if (handshake->session->is_server && len <= sizeof(handshake->in)) {
        offer_of_peer(record, len, reason, theirs);
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

static int
explain(struct handshake *handshake, int error)
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
    wolfSSL_ERR_error_string_n((unsigned long)error, words, sizeof(words));
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

/* Who has shown no certificate has resumed a session. There is no other way to get here;
 * whatever one may be found, it leads nowhere. */
static int
accept_resumed(struct handshake *handshake)
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

static const char *
group_of(const struct handshake *handshake)
{
    const char *name = wolfSSL_get_curve_name(handshake->ssl);
    return name != NULL ? groups_name(name) : "";
}

/* A server of TLS 1.2 takes wolfSSL's own choice of the groups that the client offers. */
static int
check_group(struct handshake *handshake)
{
    const char *const *name = handshake->ruling.rule->identity->groups;
    const char *group = group_of(handshake);
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
static int
check_signature(struct handshake *handshake)
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

int
handshake_step(struct handshake *handshake)
{
    if (handshake->is_done) {
        return 0;
    }
    handshake->is_begun = true;
    if (wolfSSL_negotiate(handshake->ssl) == WOLFSSL_SUCCESS) {
        int result = handshake->vouched ? 0 : accept_resumed(handshake);
        result = result == 0 ? check_group(handshake) : result;
        result = result == 0 ? check_signature(handshake) : result;
        handshake->is_done = result == 0;
        return result;
    }
    int error = wolfSSL_get_error(handshake->ssl, 0);
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) {
        return -EAGAIN;
    }
    resume_failed(&handshake->resume);
    return explain(handshake, error);
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

const struct failure *
handshake_why(const struct handshake *handshake)
{
    return &handshake->failure;
}

uint8_t *
handshake_room(struct handshake *handshake, size_t *len)
{
    *len = handshake->in_want - handshake->in_len;
    return handshake->in + handshake->in_len;
}

static int
refuse_record(struct handshake *handshake, int alert, const char *what)
{
    (void)SendAlert(handshake->ssl, ALERT_FATAL, alert);
    failure_set(&handshake->failure,
                handshake->saw_record ? REASON_PROTOCOL : REASON_NOT_TLS, "%s", what);
    return -EPROTO;
}

/* The first record. Returns 1: wolfSSL may see it; -EPROTO. */
static int
check_hello(struct handshake *handshake)
{
    const struct policy_identity *identity = handshake->ruling.rule->identity;
    const uint8_t *record = handshake->in;
    size_t len = handshake->in_len;
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
handshake_got(struct handshake *handshake, size_t len)
{
    enum { ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23, CHANGE_CIPHER_SPEC = 20 };
    handshake->in_len += len;
    if (handshake->in_len < handshake->in_want) {
        return 0;
    }
    if (handshake->in_want > RECORD_HEADER_LEN) {
        bool is_first = !handshake->saw_record;
        handshake->saw_record = true;
        if (is_first) {
            return check_hello(handshake);
        }
        resume_goes_on(&handshake->resume, handshake->ssl);
        return 1;
    }
    const uint8_t *header = handshake->in;
    size_t body = (size_t)header[3] << 8 | header[4];
    if (header[0] < CHANGE_CIPHER_SPEC || header[0] > APPLICATION_DATA ||
        header[1] != 3 ||
        (!handshake->saw_record && header[0] != HANDSHAKE && header[0] != ALERT)) {
        return refuse_record(
            handshake, ALERT_UNEXPECTED_MESSAGE,
            "what came is not a TLS record: the peer speaks plaintext or "
            "another protocol");
    }
    if (body == 0 || RECORD_HEADER_LEN + body > RECORD_CIPHERTEXT_MAX) {
        return refuse_record(handshake, ALERT_RECORD_OVERFLOW,
                             "a record of impossible length came");
    }
    handshake->in_want = RECORD_HEADER_LEN + body;
    return 0;
}

const uint8_t *
handshake_output(const struct handshake *handshake, size_t *len)
{
    *len = handshake->out_len - handshake->out_start;
    return handshake->out + handshake->out_start;
}

void
handshake_sent(struct handshake *handshake, size_t len)
{
    handshake->out_start += len;
    if (handshake->out_start == handshake->out_len) {
        handshake->out_start = handshake->out_len = 0;
    }
}

/* Fills in one direction; from_client says whose sending keys they are. */
static int
take_keys(struct handshake *handshake, bool from_client, bool is_13,
          struct record_secrets *keys)
{
    WOLFSSL *ssl = handshake->ssl;
    const uint8_t *key =
        from_client ? wolfSSL_GetClientWriteKey(ssl) : wolfSSL_GetServerWriteKey(ssl);
    const uint8_t *iv =
        from_client ? wolfSSL_GetClientWriteIV(ssl) : wolfSSL_GetServerWriteIV(ssl);
    int key_len = wolfSSL_GetKeySize(ssl);
    bool ours = from_client != handshake->session->is_server;
    word64 seq = 0;
    int got = ours ? wolfSSL_GetSequenceNumber(ssl, &seq)
                   : wolfSSL_GetPeerSequenceNumber(ssl, &seq);
    if (key == NULL || iv == NULL || key_len <= 0 ||
        (size_t)key_len > sizeof(keys->key) || got < 0) {
        return -EPROTO;
    }
    memcpy(keys->key, key, (size_t)key_len);
    memcpy(keys->iv, iv, is_13 ? 12 : (size_t)wolfSSL_GetIVSize(ssl));
    memcpy(keys->secret,
           from_client ? handshake->client_secret : handshake->server_secret,
           sizeof(keys->secret));
    keys->seq = seq;
    return 0;
}

int
handshake_hand_over(struct handshake *handshake)
{
    struct session *session = handshake->session;
    WOLFSSL *ssl = handshake->ssl;
    bool is_13 = wolfSSL_version(ssl) == TLS1_3_VERSION;
    WOLFSSL_CIPHER *cipher = wolfSSL_get_current_cipher(ssl);
    uint16_t number = (uint16_t)(wolfSSL_CIPHER_get_id(cipher) & 0xffff);
    const struct suite *suite = suite_by_number(number);
    if (suite == NULL) {
        failure_set(&handshake->failure, REASON_SHIM_ERROR, "cipher suite 0x%04x",
                    number);
        return -EPROTO;
    }
    session->version = is_13 ? 0x0304 : 0x0303;
    session->cipher = number;
    snprintf(session->group, sizeof(session->group), "%s", group_of(handshake));

    struct record_secrets client, server;
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    int result = take_keys(handshake, true, is_13, &client);
    if (result == 0) {
        result = take_keys(handshake, false, is_13, &server);
    }
    if (result == 0) {
        result = record_start(&session->record, session->version, suite->aead,
                              suite->hash_len, session->is_server ? &client : &server,
                              session->is_server ? &server : &client);
    }
    wc_ForceZero(&client, sizeof(client));
    wc_ForceZero(&server, sizeof(server));
    if (result < 0) {
        failure_set(&handshake->failure, REASON_SHIM_ERROR,
                    "the keys could not be taken over");
        return result;
    }
    handshake->resume_number =
        resume_prepare_next(&handshake->resume, ssl, handshake->chain);
    return 0;
}

uint64_t
handshake_resume_number(const struct handshake *handshake)
{
    return handshake->resume_number;
}

struct resume *
handshake_resume(void *io_context)
{
    struct handshake *handshake = io_context;
    return &handshake->resume;
}

const uint8_t *
handshake_flight_secret(const struct handshake *handshake)
{
    return handshake->flight_secret;
}

struct chain *
handshake_take_chain(struct handshake *handshake)
{
    struct chain *chain = handshake->chain;
    handshake->chain = NULL;
    return chain;
}
