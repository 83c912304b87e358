#include "shim/record/control.h"

#include <errno.h>
#include <string.h>

#include "shim/record/alert.h"
#include "shim/record/bytes.h"
#include "shim/record/fail.h"
#include "shim/record/key_update.h"

/*
 * What a peer may send without any application data.  A program that reads is kept from
 * returning by all of it, so it must come to an end; honest peers stay far below.
 */
#define IDLE_MAX 32
#define KEY_UPDATE_MAX 64
#define HANDSHAKE_MAX 1024 /* records: a large ticket in small fragments */

#define MESSAGE_HEADER_LEN 4
#define KEY_UPDATE_LEN 1
#define TICKET_LEN_MAX                                                                   \
    (4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65535) /* RFC 8446 section 4.6.1 */

static int
fail(struct record_conn *conn, int fd, uint8_t alert)
{
    return record_fail_alert(conn, fd, alert, -EPROTO);
}

int
record_control_idle(struct record_conn *conn, int fd)
{
    if (++conn->rec->control.idle_count > IDLE_MAX) {
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
    return 0;
}

/* RFC 8446 section 4.6.3; `last`: nothing follows in its record, as section 5.1 demands.
 */
static int
key_update(struct record_conn *conn, int fd, uint8_t request, bool last)
{
    if (request > 1) {
        return fail(conn, fd, RECORD_ALERT_ILLEGAL_PARAMETER);
    }
    if (!last || ++conn->rec->control.key_update_count > KEY_UPDATE_MAX) {
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
    if (record_key_update_receive(conn) != 0) {
        return fail(conn, fd, RECORD_ALERT_INTERNAL_ERROR);
    }
    if (request == 1) {
        record_key_update_answer(conn, fd);
    }
    return 0;
}

/* Looks at a message's header. Returns 0 or, after the alert, -EPROTO. */
static int
begin_message(struct record_conn *conn, int fd)
{
    struct record_control *control = &conn->rec->control;
    const uint8_t *header = control->message;
    uint32_t len = (uint32_t)header[1] << 16 | record_bytes_get16(header + 2);

    switch (header[0]) {
    case RECORD_MESSAGE_NEW_SESSION_TICKET:
        if (len > TICKET_LEN_MAX) {
            return fail(conn, fd, RECORD_ALERT_DECODE_ERROR);
        }
        control->message_rest = len;
        control->message_len = 0;
        return 0;
    case RECORD_MESSAGE_KEY_UPDATE:
        return len == KEY_UPDATE_LEN ? 0 : fail(conn, fd, RECORD_ALERT_DECODE_ERROR);
    default: /* also a CertificateRequest: we never offer post_handshake_auth */
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
}

/* Servers send a ticket in one record; another is not worth a buffer. */
static void
offer_ticket(struct record_conn *conn, const uint8_t *body, size_t left)
{
    size_t len = conn->rec->control.message_rest;

    if (record_ticket_taker != NULL && len > 0 && len <= left) {
        record_ticket_taker(conn, body, len);
    }
}

/* Messages may share a record, and go on in the next one: tickets are stepped over. */
static int
handshake_1_3(struct record_conn *conn, int fd, const struct record_content *content)
{
    struct record_control *control = &conn->rec->control;
    int err = 0;

    if (content->len == 0) {
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
    for (size_t at = 0; at < content->len && err == 0;) {
        if (control->message_rest > 0) {
            size_t left = content->len - at;
            size_t skip = control->message_rest < left ? control->message_rest : left;

            control->message_rest -= (uint32_t)skip;
            at += skip;
            continue;
        }
        control->message[control->message_len++] = content->data[at++];
        if (control->message_len == MESSAGE_HEADER_LEN) {
            err = begin_message(conn, fd);
            offer_ticket(conn, content->data + at, content->len - at);
        } else if (control->message_len == MESSAGE_HEADER_LEN + KEY_UPDATE_LEN) {
            control->message_len = 0;
            err = key_update(conn, fd, control->message[MESSAGE_HEADER_LEN],
                             at == content->len);
        }
    }
    return err;
}

/*
 * We never renegotiate.  A server that asks with HelloRequest may be told so; a client
 * that has begun with a ClientHello expects an answer that will not come.
 */
static int
handshake_1_2(struct record_conn *conn, int fd, const struct record_content *content)
{
    static const uint8_t hello_request[MESSAGE_HEADER_LEN] = {
        RECORD_MESSAGE_HELLO_REQUEST, 0, 0, 0};

    if (content->len == sizeof(hello_request) &&
        memcmp(content->data, hello_request, sizeof(hello_request)) == 0) {
        record_alert_send(conn, fd, RECORD_ALERT_WARNING, RECORD_ALERT_NO_RENEGOTIATION);
        return record_control_idle(conn, fd);
    }
    if (content->len > 0 && content->data[0] == RECORD_MESSAGE_CLIENT_HELLO) {
        return fail(conn, fd, RECORD_ALERT_HANDSHAKE_FAILURE);
    }
    return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
}

static int
handshake(struct record_conn *conn, int fd, const struct record_content *content)
{
    if (++conn->rec->control.handshake_count > HANDSHAKE_MAX) {
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
    return conn->rec->version == RECORD_TLS_1_3 ? handshake_1_3(conn, fd, content)
                                                : handshake_1_2(conn, fd, content);
}

static int
data(struct record_conn *conn, int fd, const struct record_content *content)
{
    struct record_control *control = &conn->rec->control;

    if (control->message_len > 0 || control->message_rest > 0) {
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
    if (content->len == 0) {
        return record_control_idle(conn, fd);
    }
    control->idle_count = 0;
    control->key_update_count = 0;
    control->handshake_count = 0;
    return 1;
}

int
record_control_handle(struct record_conn *conn, int fd,
                      const struct record_content *content)
{
    switch (content->type) {
    case RECORD_TYPE_DATA:
        return data(conn, fd, content);
    case RECORD_TYPE_HANDSHAKE:
        return handshake(conn, fd, content);
    case RECORD_TYPE_ALERT:
        return record_alert_received(conn, fd, content);
    default:
        return fail(conn, fd, RECORD_ALERT_UNEXPECTED_MESSAGE);
    }
}
