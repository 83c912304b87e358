#include "shim/record/send.h"

#include <errno.h>
#include <string.h>

#include "shim/record/fail.h"
#include "shim/record/protect.h"

/* record_pending() and record_held() look without the lock. */
static void
set_kept(struct record_dir *tx, size_t len, bool held)
{
    __atomic_store_n(&tx->len, (uint32_t)len, __ATOMIC_RELAXED);
    __atomic_store_n(&tx->held, held, __ATOMIC_RELAXED);
}

ssize_t
record_send_bytes(struct record_conn *conn, int fd, const uint8_t *buf, size_t len,
                  int flags)
{
    ssize_t n;

    do {
        n = record_io.send(fd, buf, len, flags | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    int err = -errno;
    if (!record_fail_is_transient(err)) {
        set_kept(&conn->rec->tx, 0, false);
        record_fail_dir(&conn->rec->tx, err);
    }
    return err;
}

void
record_send_keep(struct record_conn *conn, const uint8_t *buf, size_t len, bool held)
{
    struct record_dir *tx = &conn->rec->tx;

    memcpy(conn->tx_buffer, buf, len);
    record_touch(tx, len);
    tx->start = 0;
    set_kept(tx, len, held);
}

size_t
record_send_take_held(struct record_conn *conn, uint8_t *buf)
{
    struct record_dir *tx = &conn->rec->tx;
    size_t len = tx->held ? tx->len : 0;

    if (len > 0) {
        memcpy(buf, conn->tx_buffer + tx->start, len);
        set_kept(tx, 0, false);
    }
    return len;
}

int
record_send_pending(struct record_conn *conn, int fd, int flags)
{
    struct record_dir *tx = &conn->rec->tx;

    while (tx->len > 0) {
        ssize_t n =
            record_send_bytes(conn, fd, conn->tx_buffer + tx->start, tx->len, flags);

        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return -EAGAIN;
        }
        tx->start += (uint32_t)n;
        set_kept(tx, tx->len - (size_t)n, false);
    }
    return 0;
}

int
record_send_control(struct record_conn *conn, int fd, uint8_t type, const uint8_t *data,
                    size_t len, int flags)
{
    struct record_dir *tx = &conn->rec->tx;

    if (tx->len == 0) {
        tx->start = 0;
    }
    size_t end = (size_t)tx->start + tx->len;
    if (end + len + record_protect_overhead(conn->rec) > RECORD_TX_QUEUE_LEN) {
        return -ENOBUFS;
    }
    uint8_t *buf = conn->tx_buffer + end;

    record_touch(tx, end + len + record_protect_overhead(conn->rec));
    memcpy(buf + record_protect_prefix(conn->rec), data, len);
    ssize_t sealed = record_protect_seal(conn, type, buf, len);
    if (sealed < 0) {
        return record_fail_both(conn, fd, (int)sealed);
    }
    set_kept(tx, tx->len + (size_t)sealed, false);
    return record_send_pending(conn, fd, flags | MSG_NOSIGNAL);
}
