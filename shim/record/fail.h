/*
 * How a direction, or the whole connection, comes to its end by an error.
 */
#ifndef SHIM_RECORD_FAIL_H
#define SHIM_RECORD_FAIL_H

#include "shim/record/record.h"

/* Gives dir the error err (negative) unless it has one. Returns the one it has now. */
int record_fail_dir(struct record_dir *dir, int err);

/* Ends both directions, and shuts the socket down so that it is readable for ever. */
int record_fail_both(struct record_conn *conn, int fd, int err);

/*
 * Ends both directions because of what the peer sent: answers with the fatal alert if the
 * kernel takes it.  The caller holds the lock of rx and not that of tx.
 *
 * Returns  err.
 */
int record_fail_alert(struct record_conn *conn, int fd, uint8_t alert, int err);

/* Tells whether an error of a system call says nothing about the connection. */
bool record_fail_is_transient(int err);

#endif
