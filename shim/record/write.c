#include <errno.h>
#include <string.h>

#include "shim/record/bytes.h"
#include "shim/record/count.h"
#include "shim/record/fail.h"
#include "shim/record/iov.h"
#include "shim/record/key_update.h"
#include "shim/record/lock.h"
#include "shim/record/protect.h"
#include "shim/record/record.h"
#include "shim/record/send.h"
#include "shim/record/stage.h"
#include "shim/record/start.h"

/* Others would not mean the same for ciphertext (MSG_OOB), or not for a stage (ZEROCOPY).
 */
#define FLAGS_PASSED (MSG_NOSIGNAL | MSG_MORE)

/* One overhead is enough for each record of a batch; and the stage holds it, as does the
 * queue. */
_Static_assert(RECORD_TX_QUEUE_LEN >= RECORD_HELD_LEN_MAX + RECORD_TICKET_LEN_MAX + 64 +
                                          RECORD_BATCH_PLAINTEXT_MAX +
                                          RECORD_BATCH_COUNT * 64,
               "what is held, a ticket and a sealed batch fit the stage");

/*
 * Why nothing can be sent. The kernel is asked again about EPIPE, so that it raises
 * SIGPIPE or not, as the flags say, each time.
 */
static int
ended(struct record_conn *conn, int fd, int flags)
{
    struct record_dir *tx = &conn->rec->tx;

    if (tx->error == -EPIPE) {
        record_io.send(fd, NULL, 0, flags | MSG_DONTWAIT);
    }
    return tx->error != 0 ? tx->error : tx->closed ? -EPIPE : 0;
}

/* Seals the ticket that waits, if any. Returns its length or -errno. */
static ssize_t
seal_ticket(struct record_conn *conn, uint8_t *stage)
{
    struct record *rec = conn->rec;
    size_t len = rec->ticket_len;

    if (len == 0) {
        return 0;
    }
    __atomic_store_n(&rec->ticket_len, 0, __ATOMIC_RELAXED);
    memcpy(stage + record_protect_prefix(rec), record_ticket(conn), len);
    return record_protect_seal(conn, RECORD_TYPE_HANDSHAKE, stage, len);
}

int
record_write_layout(const struct record_conn *conn, uint8_t *stage, size_t len,
                    struct iovec iov[RECORD_BATCH_COUNT])
{
    size_t overhead = record_protect_overhead(conn->rec);
    uint8_t *at = stage + record_protect_prefix(conn->rec);
    int count = 0;

    for (; count < RECORD_BATCH_COUNT && len > 0; count++) {
        size_t piece = len < RECORD_PLAINTEXT_MAX ? len : RECORD_PLAINTEXT_MAX;

        iov[count] = (struct iovec){.iov_base = at, .iov_len = piece};
        at += piece + overhead;
        len -= piece;
    }
    return count;
}

/* The stage that the next batch lies in, ready to be sealed there; NULL = in none. */
static uint8_t *
stage_of(const struct record_conn *conn, const struct record_iov *pos)
{
    struct iovec wanted[RECORD_BATCH_COUNT];

    if (pos->at != 0 || conn->rec->tx.held || conn->rec->ticket_len > 0) {
        return NULL;
    }
    /* No pointer yet: where it comes from the program it may be any. */
    uintptr_t at = (uintptr_t)pos->next->iov_base - record_protect_prefix(conn->rec);
    uint8_t *stage = record_stage_taken_at(at);
    if (stage == NULL) {
        return NULL;
    }
    int count = record_write_layout(conn, stage, pos->left, wanted);
    bool fits = count <= pos->count;
    for (int i = 0; i < count && fits; i++) {
        fits = pos->next[i].iov_base == wanted[i].iov_base &&
               pos->next[i].iov_len == wanted[i].iov_len;
    }
    return fits ? stage : NULL;
}

/* Seals the next batch into the stage, behind what was held for it. Returns the length of
 * both, or -errno. */
static ssize_t
seal_batch(struct record_conn *conn, uint8_t *stage, struct record_iov *pos)
{
    size_t prefix = record_protect_prefix(conn->rec);
    size_t total = record_send_take_held(conn, stage);
    ssize_t ticket_len = seal_ticket(conn, stage + total);
    if (ticket_len < 0) {
        return ticket_len;
    }
    total += (size_t)ticket_len;

    for (int i = 0; i < RECORD_BATCH_COUNT && pos->left > 0; i++) {
        size_t len = pos->left < RECORD_PLAINTEXT_MAX ? pos->left : RECORD_PLAINTEXT_MAX;

        record_iov_gather(pos, stage + total + prefix, len);
        ssize_t sealed = record_protect_seal(conn, RECORD_TYPE_DATA, stage + total, len);
        if (sealed < 0) {
            return sealed;
        }
        total += (size_t)sealed;
    }
    return (ssize_t)total;
}

/*
 * Seals and sends a batch, or holds it for what comes next; what the kernel does not take
 * is pending then, and counts as accepted: it cannot be sealed again.  Returns 0; -EAGAIN
 * the kernel is full; -errno.
 */
static int
send_batch(struct record_conn *conn, int fd, uint8_t *stage, struct record_iov *pos,
           int flags)
{
    struct record_iov before = *pos;
    bool asked = conn->rec->tx.held;
    uint8_t *in_place = stage_of(conn, pos);

    stage = in_place != NULL ? in_place : stage;
    ssize_t len = seal_batch(conn, stage, pos);
    if (len < 0) {
        *pos = before;
        return record_fail_both(conn, fd, (int)len);
    }
    /* What is held is as good as sent but for an end that the kernel knows of. */
    bool held = (flags & MSG_MORE) != 0 && pos->left == 0 && len <= RECORD_HELD_LEN_MAX;
    size_t to_send = held ? 0 : (size_t)len;
    ssize_t n = held && asked ? 0 : record_send_bytes(conn, fd, stage, to_send, flags);
    if (held && n == 0) {
        record_send_keep(conn, stage, (size_t)len, true);
        return 0;
    }
    if (n < 0 && !record_fail_is_transient((int)n)) {
        *pos = before;
        return (int)n;
    }
    size_t taken = n < 0 ? 0 : (size_t)n;
    if (taken < (size_t)len) {
        record_send_keep(conn, stage + taken, (size_t)len - taken, false);
        return -EAGAIN;
    }
    return 0;
}

/* Sends as much as the kernel takes; pos steps over what is accepted. */
static int
send_all(struct record_conn *conn, int fd, uint8_t *stage, struct record_iov *pos,
         int flags)
{
    int err = conn->rec->tx.held ? 0 : record_send_pending(conn, fd, flags);

    while (err == 0 && pos->left > 0) {
        if (record_key_update_is_due(conn->rec)) {
            err = record_key_update_send(conn, fd);
        }
        if (err == 0) {
            err = send_batch(conn, fd, stage, pos, flags);
        }
        /* Once there is something to return, an error is the next call's: no signal now.
         */
        flags |= MSG_NOSIGNAL;
    }
    return err;
}

ssize_t
record_write(struct record_conn *conn, int fd, const struct iovec *iov, int count,
             int flags)
{
    struct record_dir *tx = &conn->rec->tx;
    struct record_iov pos = record_iov_make(iov, count);
    size_t total = pos.left;
    RECORD_LOCK_SCOPE lock = {0};

    flags &= FLAGS_PASSED;
    int err = record_lock_take(&lock, conn, tx, fd);
    if (err != 0) {
        return err;
    }
    err = ended(conn, fd, flags);
    if (err != 0) {
        return err;
    }
    if (total == 0) {
        /* The kernel knows of an end that we have not heard of yet. */
        return record_send_bytes(conn, fd, conn->tx_buffer, 0, flags);
    }
    uint8_t *stage = record_stage_take();
    if (stage == NULL) {
        return -ENOMEM;
    }
    err = send_all(conn, fd, stage, &pos, flags);
    record_stage_give(stage);

    size_t done = total - pos.left;
    tx->bytes += done;
    record_count_bytes(&conn->tx_count, done);
    return done > 0 ? (ssize_t)done : err;
}

int
record_flush(struct record_conn *conn, int fd)
{
    RECORD_LOCK_SCOPE lock = {0};

    int err = record_lock_take(&lock, conn, &conn->rec->tx, fd);
    if (err != 0) {
        return err;
    }
    return conn->rec->tx.error != 0 ? conn->rec->tx.error
                                    : record_send_pending(conn, fd, MSG_NOSIGNAL);
}

bool
record_pending(const struct record_conn *conn)
{
    const struct record_dir *tx = &conn->rec->tx;

    return __atomic_load_n(&tx->len, __ATOMIC_RELAXED) > 0 && tx->error == 0;
}

size_t
record_held(const struct record_conn *conn)
{
    const struct record_dir *tx = &conn->rec->tx;

    return __atomic_load_n(&tx->held, __ATOMIC_RELAXED) && tx->error == 0
               ? __atomic_load_n(&tx->len, __ATOMIC_RELAXED)
               : 0;
}

bool
record_ticket_waits(const struct record_conn *conn)
{
    return __atomic_load_n(&conn->rec->ticket_len, __ATOMIC_RELAXED) > 0;
}

int
record_send_ticket(struct record_conn *conn, int fd)
{
    struct record *rec = conn->rec;
    RECORD_LOCK_SCOPE lock = {0};

    int err = record_lock_take(&lock, conn, &rec->tx, fd);
    if (err != 0) {
        return err;
    }
    if (rec->tx.error != 0) {
        return rec->tx.error;
    }
    if (rec->ticket_len == 0 || rec->tx.closed || rec->tx.len > 0) {
        return 0;
    }
    size_t len = rec->ticket_len;

    __atomic_store_n(&rec->ticket_len, 0, __ATOMIC_RELAXED);
    return record_send_control(conn, fd, RECORD_TYPE_HANDSHAKE, record_ticket(conn), len,
                               0);
}

int
record_close_notify(struct record_conn *conn, int fd)
{
    static const uint8_t message[] = {1, 0}; /* warning, close_notify */
    struct record_dir *tx = &conn->rec->tx;
    RECORD_LOCK_SCOPE lock = {0};

    int err = record_lock_take(&lock, conn, tx, fd);
    if (err != 0) {
        return err;
    }
    if (tx->error != 0) {
        return tx->error;
    }
    if (tx->closed) {
        return record_send_pending(conn, fd, MSG_NOSIGNAL);
    }
    err = record_send_control(conn, fd, RECORD_TYPE_ALERT, message, sizeof(message),
                              MSG_MORE);
    tx->closed = err == 0 || err == -EAGAIN;
    return err;
}
