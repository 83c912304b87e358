/*
 * From the kernel to plaintext: DESIGN.md, "Reading and writing".  For all of it the
 * caller holds the lock of rx and not that of tx.
 *
 * The rule that keeps poll right: the last byte of a record leaves the kernel's queue
 * only together with the record's plaintext, or with the last byte of what is kept of it.
 */
#ifndef SHIM_RECORD_FETCH_H
#define SHIM_RECORD_FETCH_H

#include "shim/record/iov.h"
#include "shim/record/record.h"

#define RECORD_FETCH_MORE 1 /* the kernel may have more */
#define RECORD_FETCH_SHORT                                                               \
    2 /* it gave less than was asked for: at most a FIN is left                          \
       */

/*
 * Reads as many records as are sure to fit what is left in pos, and delivers them; keeps
 * an incomplete one.  Nothing is kept when it is called.
 *
 *   pos  in/out  steps over what was delivered
 *
 * Returns  RECORD_FETCH_MORE, RECORD_FETCH_SHORT; 0 end of stream; -EAGAIN the kernel has
 *          no more; other -errno: transient, or else rx's error from now on.  Whatever it
 *          returns, something may have been delivered.
 */
int record_fetch_many(struct record_conn *conn, int fd, struct record_iov *pos)
    __attribute__((warn_unused_result));

/*
 * Opens what records there are without taking them out of the kernel, and delivers what
 * fits; the rest is leftover, and its records are the sentinel.  For who reads less than
 * a record at a time: two system calls for many reads, where record_fetch_one() needs
 * several for each record.  Nothing is kept when it is called.
 *
 *   pos  in/out  as above; NULL: deliver nothing
 *
 * Returns  as above.
 */
int record_fetch_ahead(struct record_conn *conn, int fd, struct record_iov *pos)
    __attribute__((warn_unused_result));

/*
 * Gets one record, going on with one that is kept incomplete.  It is delivered when it is
 * sure to fit, else kept as leftover, with the sentinel in the kernel.
 *
 *   pos  in/out  as above; NULL: deliver nothing
 *
 * Returns  as above.
 */
int record_fetch_one(struct record_conn *conn, int fd, struct record_iov *pos)
    __attribute__((warn_unused_result));

/* Delivers leftover, as much as fits; takes the sentinel with its last byte. 0 or -errno.
 */
int record_fetch_leftover(struct record_conn *conn, int fd, struct record_iov *pos)
    __attribute__((warn_unused_result));

/*
 * Opens the records behind what is kept as leftover, and adds them to that, as far as
 * they have come as a whole, and fit; the sentinel is longer by them then.
 *
 * Returns  true: there may be more; false: nothing was done, or it was the last one.
 */
bool record_fetch_extend(struct record_conn *conn, int fd);

/* Throws away what the kernel still has, within bounds; the stream has ended. */
void record_fetch_discard(int fd);

#endif
