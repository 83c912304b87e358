/*
 * What comes between the records of application data, and how much of it is too much.
 */
#ifndef SHIM_RECORD_CONTROL_H
#define SHIM_RECORD_CONTROL_H

#include "shim/record/protect.h"
#include "shim/record/record.h"

/*
 * Works on an opened record; the caller holds the lock of rx and not that of tx.
 *
 * Returns  1 content is application data to deliver (len > 0); 0 dealt with; -ESHUTDOWN
 *          after close_notify; -EPROTO, -ECONNRESET: both directions have ended.
 */
int record_control_handle(struct record_conn *conn, int fd,
                          const struct record_content *content)
    __attribute__((warn_unused_result));

/* Counts a record that was for nothing. Returns 0; -EPROTO: it was one too many. */
int record_control_idle(struct record_conn *conn, int fd)
    __attribute__((warn_unused_result));

#endif
