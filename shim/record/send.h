/*
 * From sealed records to the kernel.  For all of it the caller holds the lock of tx and
 * has seen that tx->error is 0.
 */
#ifndef SHIM_RECORD_SEND_H
#define SHIM_RECORD_SEND_H

#include "shim/record/record.h"

/*
 * Gives the kernel sealed bytes, as many as it takes.
 *
 *   flags  in  for send; MSG_DONTWAIT is added
 *
 * Returns  how many it took; -errno: transient, or else tx's error from now on.
 */
ssize_t record_send_bytes(struct record_conn *conn, int fd, const uint8_t *buf,
                          size_t len, int flags) __attribute__((warn_unused_result));

/*
 * Keeps sealed bytes as pending; nothing was, and len <= RECORD_TX_BUFFER_LEN.
 *
 *   held  in  not for want of room in the kernel: others are to go with them
 */
void record_send_keep(struct record_conn *conn, const uint8_t *buf, size_t len,
                      bool held);

/* Moves what is held to buf. Returns its length, RECORD_HELD_LEN_MAX at most. */
size_t record_send_take_held(struct record_conn *conn, uint8_t *buf);

/* Sends what is pending. Returns 0 nothing is left; -EAGAIN; -errno of record_send_bytes.
 */
int record_send_pending(struct record_conn *conn, int fd, int flags)
    __attribute__((warn_unused_result));

/*
 * Seals a short record that is no application data behind what is pending, and sends.
 *
 *   flags  in  for send: 0, or MSG_MORE where more goes with it; MSG_NOSIGNAL is added
 *
 * Returns  0 all is out; -EAGAIN some is pending; -ENOBUFS no room, nothing was sealed;
 *          -errno: the error of tx from now on.
 */
int record_send_control(struct record_conn *conn, int fd, uint8_t type,
                        const uint8_t *data, size_t len, int flags)
    __attribute__((warn_unused_result));

#endif
