/* How much plaintext there is: leftover, and what waits in the kernel behind it. */
#ifndef SHIM_RECORD_QUEUE_H
#define SHIM_RECORD_QUEUE_H

#include "shim/record/record.h"

/*
 * Counts the plaintext that has come; the caller holds the lock of rx, which has
 * leftover.  It is exact up to half of what leftover has room for: records are opened
 * into it, once, however often this is asked.  Of more than that the rest is taken to be
 * full records.
 *
 * Programs rely on it both ways: one that reads exactly as much as FIONREAD says is not
 * to wait for long, and one that has read as much takes an edge-triggered fd for empty
 * and waits for the next event (nginx).  A record that has only begun to come in counts
 * as one byte, therefore: else nobody would take its beginning out of the kernel, whose
 * window may be shut, so that no event would ever come.
 */
size_t record_queue_plaintext(struct record_conn *conn, int fd);

#endif
