/*
 * New keys for a TLS 1.3 direction: RFC 8446 sections 4.6.3 and 7.2.
 */
#ifndef SHIM_RECORD_KEY_UPDATE_H
#define SHIM_RECORD_KEY_UPDATE_H

#include "shim/record/record.h"

/* Steps to the peer's next key; the caller holds the lock of rx. Returns 0 or -EIO. */
int record_key_update_receive(struct record_conn *conn)
    __attribute__((warn_unused_result));

/*
 * Answers the peer's request now; or leaves it to the next write, when one is under way
 * or the kernel is full.
 * The caller holds the lock of rx and not that of tx.
 */
void record_key_update_answer(struct record_conn *conn, int fd);

/* Tells whether a KeyUpdate must go out before the next record; under the lock of tx. */
bool record_key_update_is_due(const struct record *rec);

/*
 * Sends one with what is pending; from the next record on the new key is in use.  The
 * caller holds the lock of tx and has seen that its error is 0.
 *
 * Returns  as record_send_control().
 */
int record_key_update_send(struct record_conn *conn, int fd)
    __attribute__((warn_unused_result));

#endif
