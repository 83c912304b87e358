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
#include "shim/session/resume.h"
#include "shim/session/suite.h"

/* wolfSSL's own, in the archive that we link: sends an alert of our choice. */
int SendAlert(WOLFSSL *ssl, int severity, int type);

enum alert {
    ALERT_FATAL = 2,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_CERTIFICATE_REVOKED = 44,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_ACCESS_DENIED = 49,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_BAD_CERTIFICATE_STATUS_RESPONSE = 113,
};

struct handshake {
    WOLFSSL *ssl;
    struct session *session;
    struct ruling ruling; /* the reference is the owner's */
    struct failure failure;
    struct chain *chain; /* of the peer; NULL until it has verified */
    int judged;          /* judge_chain()'s answer, 0 until it has refused */
    bool vouched;        /* it has been asked, and has not */
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

uint8_t
handshake_alert(const struct failure *failure)
{
    switch (failure->reason) {
    case REASON_DENIED_BY_DENY:
    case REASON_DENIED_BY_ALLOW:
    case REASON_DENIED_BY_RULE:
        return ALERT_ACCESS_DENIED;
    case REASON_WRONG_USAGE:
        return ALERT_UNSUPPORTED_CERTIFICATE;
    case REASON_EXPIRED:
        return ALERT_CERTIFICATE_EXPIRED;
    case REASON_UNKNOWN_CA:
        return ALERT_UNKNOWN_CA;
    case REASON_REVOKED:
        return ALERT_CERTIFICATE_REVOKED;
    case REASON_REVOCATION_UNKNOWN:
    case REASON_CRL_EXPIRED:
    case REASON_OCSP_FAILED:
        return ALERT_CERTIFICATE_UNKNOWN;
    case REASON_BAD_STAPLE:
        return ALERT_BAD_CERTIFICATE_STATUS_RESPONSE;
    default:
        return ALERT_BAD_CERTIFICATE;
    }
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

/* What has to be fetched is asked for while the handshake goes on, and who is known by
 * now to be refused gets the alert before our last word. In TLS 1.2 a server staples
 * later than it shows its certificate. */
static bool
may_admit_early(const struct handshake *handshake)
{
    return handshake->session->is_server ||
           wolfSSL_version(handshake->ssl) == TLS1_3_VERSION;
}

/* wolfSSL asks once the chain has verified, and for every error in it. */
static int
verify(int chain_is_good, WOLFSSL_X509_STORE_CTX *store)
{
    struct handshake *handshake = store->userCtx;
    struct session *session = handshake->session;
    if (store->certs == NULL || store->totalCerts < 1) {
        return 0;
    }
    if (!chain_is_good) {
        peer_describe(store->certs[0].buffer, store->certs[0].length, &session->peer);
        return 0;
    }
    if (store->error_depth != 0) {
        return 1;
    }
    chain_unref(handshake->chain);
    handshake->resume.shown = NULL;
    handshake->chain = take_chain(store);
    if (handshake->chain == NULL) {
        failure_set(&handshake->failure, REASON_SHIM_ERROR,
                    "no memory for the peer's certificates");
        handshake->judged = -EPROTO;
    } else {
        handshake->judged = judge_chain(session, &handshake->ruling, handshake->chain,
                                        &session->peer, &handshake->failure);
    }
    if (handshake->judged == 0 && may_admit_early(handshake)) {
        int result = admission_judge(&handshake->admission, handshake->chain, false,
                                     &handshake->failure);
        handshake->judged = result == -EAGAIN ? 0 : result;
    }
    if (handshake->judged < 0) {
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        handshake_alert(&handshake->failure));
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
        (!session->is_server && send_server_name(handshake) < 0)) {
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

static const char *
alert_name(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {0, "close_notify"},
        {10, "unexpected_message"},
        {20, "bad_record_mac"},
        {22, "record_overflow"},
        {40, "handshake_failure"},
        {42, "bad_certificate"},
        {43, "unsupported_certificate"},
        {44, "certificate_revoked"},
        {45, "certificate_expired"},
        {46, "certificate_unknown"},
        {47, "illegal_parameter"},
        {48, "unknown_ca"},
        {49, "access_denied"},
        {50, "decode_error"},
        {51, "decrypt_error"},
        {70, "protocol_version"},
        {71, "insufficient_security"},
        {80, "internal_error"},
        {90, "user_canceled"},
        {109, "missing_extension"},
        {110, "unsupported_extension"},
        {112, "unrecognized_name"},
        {113, "bad_certificate_status_response"},
        {116, "certificate_required"},
        {120, "no_application_protocol"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return "an alert unknown to us";
}

static enum reason
reason_of(int error)
{
    switch (error) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return REASON_UNKNOWN_CA;
    case ASN_AFTER_DATE_E:
        return REASON_EXPIRED;
    case ASN_BEFORE_DATE_E:
        return REASON_NOT_YET_VALID;
    case NO_PEER_CERT:
    case NO_CERT_ERROR:
    case NO_PEER_VERIFY:
        return REASON_NO_CERTIFICATE;
    case KEYUSE_SIGNATURE_E:
    case KEYUSE_ENCIPHER_E:
    case EXTKEYUSE_AUTH_E:
        return REASON_WRONG_USAGE;
    case VERSION_ERROR:
        return REASON_VERSION_MISMATCH;
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case ECC_CURVE_ERROR:
    case INVALID_PARAMETER:
        return REASON_CIPHER_MISMATCH;
    case UNKNOWN_RECORD_TYPE:
        return REASON_NOT_TLS;
    case BAD_CERTIFICATE_STATUS_ERROR:
        return REASON_BAD_STAPLE;
    case MEMORY_E:
        return REASON_SHIM_ERROR;
    default:
        return (error <= ASN_PARSE_E && error >= ASN_NO_SIGNER_E) ? REASON_BAD_CERTIFICATE
                                                                  : REASON_PROTOCOL;
    }
}

static int
explain(struct handshake *handshake, int error)
{
    if (handshake->judged < 0) {
        return handshake->judged;
    }
    if (handshake->admission.is_refused) {
        handshake->failure = handshake->admission.failure;
        (void)SendAlert(handshake->ssl, ALERT_FATAL,
                        handshake_alert(&handshake->failure));
        return -EPROTO;
    }
    WOLFSSL_ALERT_HISTORY alerts;
    if (wolfSSL_get_alert_history(handshake->ssl, &alerts) == WOLFSSL_SUCCESS &&
        alerts.last_rx.level == ALERT_FATAL) {
        failure_set(&handshake->failure,
                    alerts.last_rx.code == ALERT_PROTOCOL_VERSION
                        ? REASON_VERSION_MISMATCH
                        : REASON_PEER_ALERT,
                    "the peer refused: %s", alert_name(alerts.last_rx.code));
        return -ECONNRESET;
    }
    char words[WOLFSSL_MAX_ERROR_SZ];
    enum reason reason = reason_of(error);
    wolfSSL_ERR_error_string_n((unsigned long)error, words, sizeof(words));
    failure_set(&handshake->failure, reason, "%s (%s)", reason_words(reason), words);
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
        handshake->is_done = result == 0;
        return result;
    }
    int error = wolfSSL_get_error(handshake->ssl, 0);
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) {
        return -EAGAIN;
    }
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
                        handshake_alert(&handshake->failure));
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

int
handshake_got(struct handshake *handshake, size_t len)
{
    enum { ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23, CHANGE_CIPHER_SPEC = 20 };
    handshake->in_len += len;
    if (handshake->in_len < handshake->in_want) {
        return 0;
    }
    if (handshake->in_want > RECORD_HEADER_LEN) {
        handshake->saw_record = true;
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
