#include <errno.h>

#include "shim/record/count.h"
#include "shim/record/fetch.h"
#include "shim/record/lock.h"
#include "shim/record/queue.h"
#include "shim/record/record.h"

/*
 * Gets one record of application data into the leftover, if it is there.
 * Returns 1 there is leftover; 0 end of stream; -errno.
 */
static int
assemble(struct record_conn *conn, int fd)
{
    struct record_dir *rx = &conn->rec->rx;

    for (;;) {
        if (rx->leftover) {
            return 1;
        }
        if (rx->error != 0) {
            return rx->error;
        }
        if (rx->closed) {
            return 0;
        }
        int step = rx->len > 0 ? record_fetch_one(conn, fd, NULL)
                               : record_fetch_ahead(conn, fd, NULL);
        if (step <= 0) {
            return step;
        }
    }
}

static ssize_t
peek(struct record_conn *conn, int fd, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;

    int step = assemble(conn, fd);
    if (step != 1) {
        return step;
    }
    while (rx->len < pos->left && record_fetch_extend(conn, fd)) {
    }
    size_t len = rx->len < pos->left ? rx->len : pos->left;
    record_iov_scatter(pos, conn->rx_buffer + rx->start, len);
    return (ssize_t)len;
}

/* One step of reading. Returns as record_fetch_many(). */
static int
step_on(struct record_conn *conn, int fd, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;

    if (rx->leftover) {
        int err = record_fetch_leftover(conn, fd, pos);

        return err != 0 ? err : RECORD_FETCH_MORE;
    }
    if (rx->error != 0) {
        return rx->error;
    }
    if (rx->closed) {
        return 0;
    }
    if (rx->len > 0) {
        return record_fetch_one(conn, fd, pos);
    }
    return rx->small_reads ? record_fetch_ahead(conn, fd, pos)
                           : record_fetch_many(conn, fd, pos);
}

/*
 * Fills the buffers as far as possible; room is their length.  When nothing was delivered
 * a short answer of the kernel is not enough: a FIN may be left, and is news.
 *
 * Returns  why it stopped; of no interest when something was delivered.
 */
static int
fill(struct record_conn *conn, int fd, struct record_iov *pos, size_t room)
{
    int step = RECORD_FETCH_MORE;

    while (pos->left > 0 && (step == RECORD_FETCH_MORE ||
                             (step == RECORD_FETCH_SHORT && pos->left == room))) {
        step = step_on(conn, fd, pos);
    }
    return step;
}

ssize_t
record_read(struct record_conn *conn, int fd, const struct iovec *iov, int count,
            int flags)
{
    struct record_dir *rx = &conn->rec->rx;
    struct record_iov pos = record_iov_make(iov, count);
    size_t room = pos.left;
    RECORD_LOCK_SCOPE lock = {0};

    int err = record_lock_take(&lock, conn, rx, fd);
    if (err != 0) {
        return err;
    }
    if (room == 0) {
        return 0;
    }
    if ((flags & MSG_PEEK) != 0) {
        return peek(conn, fd, &pos);
    }
    err = fill(conn, fd, &pos, room);
    size_t done = room - pos.left;
    rx->bytes += done;
    record_count_bytes(&conn->rx_count, done);
    return done > 0 ? (ssize_t)done : err;
}

int
record_readable(struct record_conn *conn, int fd)
{
    RECORD_LOCK_SCOPE lock = {0};

    return record_lock_take(&lock, conn, &conn->rec->rx, fd) != 0 ||
           assemble(conn, fd) != -EAGAIN;
}

size_t
record_available(struct record_conn *conn, int fd)
{
    RECORD_LOCK_SCOPE lock = {0};

    if (record_lock_take(&lock, conn, &conn->rec->rx, fd) != 0) {
        return 0;
    }
    return assemble(conn, fd) == 1 ? record_queue_plaintext(conn, fd) : 0;
}

int
record_drain(struct record_conn *conn, int fd)
{
    struct record_dir *rx = &conn->rec->rx;
    RECORD_LOCK_SCOPE lock = {0};

    if (record_lock_take(&lock, conn, rx, fd) != 0) {
        return -EAGAIN;
    }
    if (conn->rec->tx.error != 0) {
        return 0; /* it is broken: the program may still want to ask the socket why */
    }
    int step = assemble(conn, fd);
    if (step == 1) {
        return 0;
    }
    if (step < 0 && rx->error == 0) {
        return -EAGAIN;
    }
    record_fetch_discard(fd);
    return 1;
}

void
record_ignore_input(struct record_conn *conn)
{
    conn->rec->input_ignored = true;
}
