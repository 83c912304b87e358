#include "shim/record/alert.h"

#include <errno.h>

#include "shim/record/bytes.h"
#include "shim/record/control.h"
#include "shim/record/fail.h"
#include "shim/record/lock.h"
#include "shim/record/send.h"

#define ALERT_LEN 2

void
record_alert_send(struct record_conn *conn, int fd, uint8_t level, uint8_t alert)
{
    struct record_dir *tx = &conn->rec->tx;
    const uint8_t message[ALERT_LEN] = {level, alert};
    RECORD_LOCK_SCOPE lock = {0};

    /* Better no alert than two threads that wait for each other: see lock.h. */
    if (record_lock_take(&lock, conn, tx, fd) != 0 || tx->error != 0 || tx->closed) {
        return;
    }
    int err =
        record_send_control(conn, fd, RECORD_TYPE_ALERT, message, sizeof(message), 0);
    if (level == RECORD_ALERT_FATAL && (err == 0 || err == -EAGAIN)) {
        conn->rec->alert_sent = alert;
    }
}

/* RFC 8446 section 6: nearly all alerts are fatal, whatever their level says. */
static bool
is_ignored(const struct record *rec, uint8_t level, uint8_t alert)
{
    return rec->version == RECORD_TLS_1_3 ? alert == RECORD_ALERT_USER_CANCELED
                                          : level == RECORD_ALERT_WARNING;
}

/* Where the FIN is there already it would only be a second event for those who wait for
 * edges. */
void
record_alert_end_input(int fd)
{
    uint8_t byte;

    if (record_io.recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) {
        record_io.shutdown(fd, SHUT_RD);
    }
}

int
record_alert_received(struct record_conn *conn, int fd,
                      const struct record_content *content)
{
    struct record *rec = conn->rec;

    if (content->len != ALERT_LEN) {
        return record_fail_alert(conn, fd, RECORD_ALERT_DECODE_ERROR, -EPROTO);
    }
    uint8_t level = content->data[0];
    uint8_t alert = content->data[1];

    if (alert == RECORD_ALERT_CLOSE_NOTIFY) {
        rec->rx.closed = true;
        return -ESHUTDOWN;
    }
    if (is_ignored(rec, level, alert)) {
        return record_control_idle(conn, fd);
    }
    rec->alert_received = alert;
    return record_fail_both(conn, fd, -ECONNRESET);
}
