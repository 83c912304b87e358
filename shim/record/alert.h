/*
 * Alerts, sent and received.
 */
#ifndef SHIM_RECORD_ALERT_H
#define SHIM_RECORD_ALERT_H

#include "shim/record/protect.h"
#include "shim/record/record.h"

#define RECORD_ALERT_NONE 255 /* in alert_sent and alert_received */

enum record_alert_level {
    RECORD_ALERT_WARNING = 1,
    RECORD_ALERT_FATAL = 2,
};

enum record_alert { /* RFC 8446 section 6; RFC 5246 section 7.2 */
                    RECORD_ALERT_CLOSE_NOTIFY = 0,
                    RECORD_ALERT_UNEXPECTED_MESSAGE = 10,
                    RECORD_ALERT_BAD_RECORD_MAC = 20,
                    RECORD_ALERT_RECORD_OVERFLOW = 22,
                    RECORD_ALERT_HANDSHAKE_FAILURE = 40,
                    RECORD_ALERT_ILLEGAL_PARAMETER = 47,
                    RECORD_ALERT_DECODE_ERROR = 50,
                    RECORD_ALERT_PROTOCOL_VERSION = 70,
                    RECORD_ALERT_INTERNAL_ERROR = 80,
                    RECORD_ALERT_USER_CANCELED = 90,
                    RECORD_ALERT_NO_RENEGOTIATION = 100,
};

/*
 * Sends an alert that is not close_notify, as far as the kernel takes it, unless the
 * sending direction has ended.  The caller holds the lock of rx and not that of tx.
 */
void record_alert_send(struct record_conn *conn, int fd, uint8_t level, uint8_t alert);

/*
 * Works on an alert of the peer; the caller holds the lock of rx.
 *
 * Returns  0 go on; -ESHUTDOWN it was close_notify: rx->closed is set, and once it has
 *          left the kernel record_alert_end_input() is to be called; -ECONNRESET it was
 *          fatal, -EPROTO it was no alert: both directions have ended.
 */
int record_alert_received(struct record_conn *conn, int fd,
                          const struct record_content *content)
    __attribute__((warn_unused_result));

/* Makes poll and recv see what a FIN makes; nothing goes out on the wire. */
void record_alert_end_input(int fd);

#endif
