#include "tools/ctl/probe_tls.h"

#include "shim/session/handshake.h"
#include "shim/session/refusal.h"
#include "shim/session/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

/* How long a server may take to refuse before it is asked to go: most do so at once. */
#define REFUSAL_MS 200

enum { ALERT_NONE = 255 };

static void
fail(struct probe_result *result, int error, enum reason reason, const char *words)
{
    result->error = error;
    failure_set(&result->failure, reason, words != NULL ? "%s" : NULL, words);
}

/* The connection ended or time was up, not TLS itself. */
static void
fail_wire(struct probe_result *result, int error)
{
    if (error == -ETIMEDOUT) {
        fail(result, error, REASON_TIMEOUT, NULL);
    } else {
        fail(result, -ECONNRESET, error == 0 ? REASON_PEER_CLOSED : REASON_PEER_RESET,
             NULL);
    }
}

/* ---- as the shim does it ----------------------------------------------------------- */

static int
send_output(struct probe_wire *wire, struct handshake *handshake)
{
    size_t len;
    const uint8_t *output = handshake_output(handshake, &len);
    int rc = probe_wire_send(wire, output, len);

    if (rc == 0 && len > 0) {
        handshake_sent(handshake, len);
    }
    return rc;
}

/* Returns 1 with a whole record; else what the shim fails with, or what the wire did. */
static int
receive_record(struct probe_wire *wire, struct handshake *handshake,
               struct probe_watch *watch, bool *is_wire)
{
    int whole;

    *is_wire = false;
    while ((whole = handshake_next(handshake)) == 0) {
        size_t len;
        handshake_taken(handshake); /* by ourselves: there is no peeking here */
        uint8_t *room = handshake_room(handshake, &len);
        ssize_t got = probe_wire_receive(wire, room, handshake_lacks(handshake));

        *is_wire = got <= 0;
        if (got <= 0) {
            return (int)got;
        }
        probe_watch_feed(watch, room, (size_t)got, handshake_flight_secret(handshake));
        handshake_got(handshake, (size_t)got);
    }
    return whole;
}

/* Returns whether the handshake was completed. */
static bool
shake_hands(struct probe_wire *wire, struct handshake *handshake,
            struct probe_watch *watch, struct probe_result *result)
{
    for (;;) {
        int step = handshake_step(handshake);
        int sent = send_output(wire, handshake);
        bool is_wire = false;
        int got;

        if (step == 0) {
            return true;
        }
        if (step != -EAGAIN) {
            result->error = step;
            result->failure = *handshake_why(handshake);
            return false;
        }
        got = sent == 0 ? receive_record(wire, handshake, watch, &is_wire) : 1;
        if (sent < 0 || is_wire) {
            fail_wire(result, sent < 0 ? sent : got);
            return false;
        }
        if (got < 0) {
            (void)send_output(wire, handshake); /* an alert */
            result->error = got;
            result->failure = *handshake_why(handshake);
            return false;
        }
    }
}

/* ---- after it ---------------------------------------------------------------------- */

/* What the server has said since: a ticket counts, though nobody reads it. */
static enum probe_answer
hear(struct record_conn *conn, int fd)
{
    uint8_t data[256];
    struct iovec iov = {data, sizeof(data)};
    ssize_t got = record_read(conn, fd, &iov, 1, 0);

    if (atomic_load(&conn->rec->alert_received) != ALERT_NONE) {
        return PROBE_REFUSED;
    }
    if (got >= 0 || conn->rec->control.handshake_count > 0) {
        return PROBE_ACCEPTED;
    }
    return got == -EAGAIN ? PROBE_NO_ANSWER : PROBE_REFUSED;
}

static enum probe_answer
wait_for_answer(struct probe_wire *wire, struct record_conn *conn, int64_t wait_ms)
{
    enum probe_answer answer;
    int64_t end = session_now_ms() + wait_ms;

    wire->deadline_ms = end;
    do {
        answer = hear(conn, wire->fd);
    } while (answer == PROBE_NO_ANSWER && probe_wire_wait(wire, POLLIN) == 0);
    return answer;
}

/*
 * A server of TLS 1.3 that does not like our certificate says so at once.  One that has
 * said nothing may be waiting for us to speak: being told that we have nothing to say, it
 * ends, too.
 */
static enum probe_answer
answer_of(struct probe_wire *wire, struct session *session, struct record_conn *conn)
{
    enum probe_answer answer;

    if (session->version != 0x0304) {
        (void)record_close_notify(conn, wire->fd);
        return PROBE_ACCEPTED; /* its Finished came after our certificate */
    }
    answer = wait_for_answer(wire, conn, REFUSAL_MS);
    (void)record_close_notify(conn, wire->fd);
    return answer != PROBE_NO_ANSWER
               ? answer
               : wait_for_answer(wire, conn, PROBE_ANSWER_MS - REFUSAL_MS);
}

static void
refused_after(const struct session *session, struct probe_result *result)
{
    unsigned alert = atomic_load(&session->record.alert_received);
    char words[160];

    if (alert == ALERT_NONE) {
        fail(result, -ECONNRESET, REASON_PEER_RESET,
             "the server cut the connection when it had our certificate");
    } else {
        snprintf(words, sizeof(words), "the peer refused: %s",
                 refusal_alert_words((int)alert));
        fail(result, -ECONNRESET, REASON_PEER_ALERT, words);
    }
}

static void
ask_for_answer(struct probe_wire *wire, struct session *session,
               struct handshake *handshake, struct probe_result *result)
{
    struct record_conn conn;
    void *buffers = mmap(NULL, RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN,
                         PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (buffers == MAP_FAILED) {
        return;
    }
    record_conn_init(&conn, &session->record, buffers,
                     (uint8_t *)buffers + RECORD_RX_BUFFER_LEN);
    if (handshake_hand_over(handshake) == 0) {
        enum probe_answer answer = answer_of(wire, session, &conn);

        if (answer == PROBE_REFUSED) {
            refused_after(session, result);
        }
        if (result->answer != PROBE_NOT_ASKED || answer == PROBE_REFUSED) {
            result->answer = answer;
        }
    }
    record_conn_done(&conn);
    munmap(buffers, RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN);
}

static void
run(struct probe_wire *wire, struct session *session, const struct ruling *ruling,
    struct probe_watch *watch, struct probe_result *result)
{
    struct handshake *handshake = handshake_new(session, ruling);

    if (handshake == NULL) {
        fail(result, -ENOMEM, REASON_SHIM_ERROR, "no handshake with this identity");
        return;
    }
    if (shake_hands(wire, handshake, watch, result)) {
        result->answer = watch->asked ? PROBE_NO_ANSWER : PROBE_NOT_ASKED;
        ask_for_answer(wire, session, handshake, result);
    } else if (watch->asked && result->failure.reason == REASON_PEER_ALERT) {
        result->answer = PROBE_REFUSED;
    }
    handshake_free(handshake);
}

void
probe_tls_shim(struct probe_wire *wire, const struct ruling *ruling, const char *name,
               struct probe_watch *watch, struct probe_result *result)
{
    struct session *session =
        aligned_alloc(_Alignof(struct session), sizeof(struct session));

    record_io = (struct record_io){.recv = recv, .send = send, .shutdown = shutdown};
    memset(watch, 0, sizeof(*watch));
    memset(result, 0, sizeof(*result));
    if (session == NULL) {
        fail(result, -ENOMEM, REASON_SHIM_ERROR, "out of memory");
        return;
    }
    memset(session, 0, sizeof(*session));
    session->local = wire->local;
    session->remote = wire->remote;
    if (name != NULL) {
        memccpy(session->dialled_name, name, '\0', sizeof(session->dialled_name) - 1);
    }
    if (record_init(&session->record) == 0) {
        run(wire, session, ruling, watch, result);
        record_done(&session->record);
    }
    free(session);
}

/* ---- only looking ------------------------------------------------------------------ */

struct look {
    struct probe_wire *wire;
    struct probe_watch *watch;
    int error; /* of the wire; 1 = the end */
    uint8_t secret[48];
};

static int
look_receive(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct look *look = context;
    ssize_t got = probe_wire_receive(look->wire, (uint8_t *)buffer, (size_t)size);

    (void)ssl;
    if (got <= 0) {
        look->error = got == 0 ? 1 : (int)got;
        return got == -ETIMEDOUT ? WOLFSSL_CBIO_ERR_TIMEOUT : WOLFSSL_CBIO_ERR_CONN_CLOSE;
    }
    probe_watch_feed(look->watch, (const uint8_t *)buffer, (size_t)got, look->secret);
    return (int)got;
}

static int
look_send(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct look *look = context;

    (void)ssl;
    look->error = probe_wire_send(look->wire, (const uint8_t *)buffer, (size_t)size);
    return look->error == 0 ? size : WOLFSSL_CBIO_ERR_GENERAL;
}

static int
look_keep_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len,
                 void *context)
{
    struct look *look = context;

    (void)ssl;
    if (id == SERVER_HANDSHAKE_TRAFFIC_SECRET && len > 0 &&
        (size_t)len <= sizeof(look->secret)) {
        memcpy(look->secret, secret, (size_t)len);
    }
    return 0;
}

static int
look_accept(int is_good, WOLFSSL_X509_STORE_CTX *store)
{
    (void)is_good;
    (void)store;
    return 1;
}

static void
explain_look(WOLFSSL *ssl, int error, const struct look *look,
             struct probe_result *result)
{
    WOLFSSL_ALERT_HISTORY alerts;
    char words[WOLFSSL_MAX_ERROR_SZ];

    if (wolfSSL_get_alert_history(ssl, &alerts) == WOLFSSL_SUCCESS &&
        alerts.last_rx.level == alert_fatal) {
        snprintf(words, sizeof(words), "the peer refused: %s",
                 refusal_alert_words(alerts.last_rx.code));
        fail(result, -ECONNRESET, REASON_PEER_ALERT, words);
    } else if (look->error != 0) {
        fail_wire(result, look->error == 1 ? 0 : look->error);
    } else if (look->watch->version == 0) {
        fail(result, -EPROTO, REASON_NOT_TLS,
             "what came is not a TLS record: the peer speaks plaintext or another "
             "protocol");
    } else {
        wolfSSL_ERR_error_string_n((unsigned long)error, words, sizeof(words));
        fail(result, -EPROTO, REASON_PROTOCOL, words);
    }
}

/* Whether the server goes on with somebody who has no certificate. */
static void
look_on(WOLFSSL *ssl, struct look *look, struct probe_result *result)
{
    WOLFSSL_ALERT_HISTORY alerts;
    char data[64];

    look->wire->deadline_ms = session_now_ms() + REFUSAL_MS;
    (void)wolfSSL_read(ssl, data, sizeof(data));
    if (wolfSSL_get_alert_history(ssl, &alerts) == WOLFSSL_SUCCESS &&
        alerts.last_rx.level == alert_fatal) {
        explain_look(ssl, 0, look, result);
    }
    (void)wolfSSL_shutdown(ssl);
}

static bool
prepare(WOLFSSL *ssl, struct look *look, const char *name)
{
    struct in6_addr address;

    wolfSSL_SSLSetIORecv(ssl, look_receive);
    wolfSSL_SSLSetIOSend(ssl, look_send);
    wolfSSL_SetIOReadCtx(ssl, look);
    wolfSSL_SetIOWriteCtx(ssl, look);
    wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_PEER, look_accept);
    return wolfSSL_set_tls13_secret_cb(ssl, look_keep_secret, look) == WOLFSSL_SUCCESS &&
           (name == NULL || inet_pton(AF_INET6, name, &address) == 1 ||
            inet_pton(AF_INET, name, &address) == 1 ||
            wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name,
                           (unsigned short)strlen(name)) == WOLFSSL_SUCCESS);
}

void
probe_tls_look(struct probe_wire *wire, const char *name, struct probe_watch *watch,
               struct probe_result *result)
{
    struct look look = {.wire = wire, .watch = watch};
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_client_method());
    WOLFSSL *ssl = ctx != NULL ? wolfSSL_new(ctx) : NULL;

    memset(watch, 0, sizeof(*watch));
    memset(result, 0, sizeof(*result));
    record_io = (struct record_io){.recv = recv, .send = send, .shutdown = shutdown};
    if (ssl == NULL || !prepare(ssl, &look, name)) {
        fail(result, -ENOMEM, REASON_SHIM_ERROR, "wolfSSL does not start");
    } else if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) {
        explain_look(ssl, wolfSSL_get_error(ssl, 0), &look, result);
        result->answer = watch->asked ? PROBE_NOT_SHOWN : PROBE_NOT_ASKED;
    } else {
        result->answer = watch->asked ? PROBE_NOT_SHOWN : PROBE_NOT_ASKED;
        look_on(ssl, &look, result);
    }
    explicit_bzero(look.secret, sizeof(look.secret));
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
}
