#include "shim/record/fetch.h"

#include <errno.h>
#include <string.h>

#include "shim/record/alert.h"
#include "shim/record/control.h"
#include "shim/record/fail.h"
#include "shim/record/protect.h"
#include "shim/record/stage.h"

#define DISCARD_COUNT 64

/*
 * One recv.  Returns > 0 bytes; 0 end of stream; -errno, sticky unless transient.
 * Between two records no FIN is expected either: close_notify comes first.
 */
static ssize_t
pull(struct record_conn *conn, int fd, uint8_t *buf, size_t len, int flags)
{
    struct record *rec = conn->rec;
    ssize_t n;

    do {
        n = record_io.recv(fd, buf, len, flags | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        return n;
    }
    if (n == 0) {
        if (rec->truncation_is_eof || rec->input_ignored) {
            return 0;
        }
        rec->truncated = true;
        return record_fail_dir(&rec->rx, -ECONNRESET);
    }
    int err = -errno;
    return record_fail_is_transient(err) ? err : record_fail_dir(&rec->rx, err);
}

/* Where a record is put together. */
static uint8_t *
incomplete(const struct record_conn *conn)
{
    return conn->rx_buffer + RECORD_SKEW;
}

/* Keeps the beginning of a record. */
static void
keep(struct record_conn *conn, const uint8_t *buf, size_t len)
{
    memcpy(incomplete(conn), buf, len);
    conn->rec->rx.start = RECORD_SKEW;
    conn->rec->rx.len = (uint32_t)len;
    record_touch(&conn->rec->rx, RECORD_SKEW + len);
}

/* Returns the length of the record at buf, or -EPROTO after the alert. */
static ssize_t
check_header(struct record_conn *conn, int fd, const uint8_t *buf)
{
    uint8_t alert;
    ssize_t total = record_protect_check(conn->rec, buf, &alert);

    return total < 0 ? record_fail_alert(conn, fd, alert, (int)total) : total;
}

/* Opens the record at buf, to another place or in its own (NULL), and deals with it.
 * Returns as record_control_handle(). */
static int
open_record(struct record_conn *conn, int fd, uint8_t *buf, size_t total, uint8_t *to,
            struct record_content *content)
{
    uint8_t alert;

    int err = record_protect_open(conn, buf, total, to, content, &alert);
    if (err != 0) {
        return record_fail_alert(conn, fd, alert, err);
    }
    return record_control_handle(conn, fd, content);
}

/*
 * Deals with the records in the len bytes at buf.  Each is opened where it lies and then
 * copied: what is not authentic never gets into the caller's memory, nor do the byte of
 * the type and the padding, for which the caller may have no room.
 */
static int
deliver(struct record_conn *conn, int fd, uint8_t *buf, size_t len,
        struct record_iov *pos)
{
    while (len >= RECORD_HEADER_LEN) {
        struct record_content content;
        ssize_t total = check_header(conn, fd, buf);

        if (total < 0) {
            return (int)total;
        }
        if ((size_t)total > len) {
            break;
        }
        int kind = open_record(conn, fd, buf, (size_t)total, NULL, &content);
        if (kind < 0) {
            return kind;
        }
        if (kind > 0) {
            record_iov_scatter(pos, content.data, content.len);
        }
        buf += total;
        len -= (size_t)total;
    }
    keep(conn, buf, len);
    return RECORD_FETCH_MORE;
}

/* How much to ask the kernel for, to get that much plaintext. No more than full records:
 * with the beginning of another one the next read would have to put it together. */
static size_t
wanted(const struct record *rec, size_t left)
{
    size_t overhead = record_protect_overhead(rec);
    size_t full = RECORD_BATCH_COUNT * (RECORD_PLAINTEXT_MAX + overhead);

    return left < full - overhead ? left + overhead : full;
}

int
record_fetch_many(struct record_conn *conn, int fd, struct record_iov *pos)
{
    /*
     * Every complete record among left + overhead bytes fits: each one has at least that
     * overhead, and there is at least one.
     */
    size_t want = wanted(conn->rec, pos->left);
    uint8_t *stage = record_stage_take();

    if (stage == NULL) {
        return -ENOMEM;
    }
    ssize_t n = pull(conn, fd, stage, want, 0);
    int step = n > 0 ? deliver(conn, fd, stage, (size_t)n, pos) : (int)n;
    record_stage_give(stage);

    if (step == -ESHUTDOWN) {
        record_alert_end_input(fd);
        return 0;
    }
    return step == RECORD_FETCH_MORE && (size_t)n < want ? RECORD_FETCH_SHORT : step;
}

/* Makes the kept bytes `want` many. Returns RECORD_FETCH_MORE when they are. */
static int
fill(struct record_conn *conn, int fd, size_t want)
{
    struct record_dir *rx = &conn->rec->rx;

    if (rx->len >= want) {
        return RECORD_FETCH_MORE;
    }
    rx->start = RECORD_SKEW;
    record_touch(rx, RECORD_SKEW + want + 1); /* the sentinel's byte may come behind it */
    ssize_t n = pull(conn, fd, incomplete(conn) + rx->len, want - rx->len, 0);
    if (n <= 0) {
        return (int)n;
    }
    rx->len += (uint32_t)n;
    return rx->len == want ? RECORD_FETCH_MORE : RECORD_FETCH_SHORT;
}

/*
 * Takes bytes of opened records out of the kernel, without a copy: tcp(7), MSG_TRUNC.
 * They are there: they have been peeked at, and only we read; anything else means that
 * the stream is lost.
 *
 *   unused  out  as long, for kernels that do copy
 */
static int
drop(struct record_conn *conn, int fd, uint8_t *unused, size_t len)
{
    const int flags = MSG_TRUNC | MSG_DONTWAIT;

    if (len > 0 && record_io.recv(fd, unused, len, flags) != (ssize_t)len) {
        return record_fail_alert(conn, fd, RECORD_ALERT_INTERNAL_ERROR, -EPROTO);
    }
    return 0;
}

/* With it goes whatever is left of a stream that has ended. */
static int
take_sentinel(struct record_conn *conn, int fd)
{
    uint32_t len = conn->rec->rx.sentinel;

    conn->rec->rx.sentinel = 0;
    int err = drop(conn, fd, conn->rx_buffer, len);
    if (err == 0 && conn->rec->rx.closed) {
        record_alert_end_input(fd);
    }
    return err;
}

/* Has opened records stay in the kernel, for what is kept of them. */
static int
leave(struct record_conn *conn, int fd, uint8_t *unused, size_t len)
{
#ifdef MTLS_SABOTAGE_SENTINEL
    return drop(conn, fd, unused, len);
#else
    (void)fd;
    (void)unused;
    conn->rec->rx.sentinel += (uint32_t)len;
    return 0;
#endif
}

/* Deals with the complete record in the buffer; with the sentinel set it is for keeping.
 */
static int
finish(struct record_conn *conn, int fd, size_t total, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;
    struct record_content content;

    rx->len = 0;
    int kind = open_record(conn, fd, incomplete(conn), total, NULL, &content);
    if (kind > 0 && rx->sentinel == 0) {
        record_iov_scatter(pos, content.data, content.len);
        return RECORD_FETCH_MORE;
    }
    if (kind > 0) {
        rx->leftover = true;
        rx->start = (uint32_t)(content.data - conn->rx_buffer);
        rx->len = (uint32_t)content.len;
        return RECORD_FETCH_MORE;
    }
    if (kind == 0 || kind == -ESHUTDOWN) {
        int err = take_sentinel(conn, fd);

        return err != 0 ? err : kind == 0 ? RECORD_FETCH_MORE : 0;
    }
    return kind;
}

int
record_fetch_one(struct record_conn *conn, int fd, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;

    int step = fill(conn, fd, RECORD_HEADER_LEN);
    if (step != RECORD_FETCH_MORE) {
        return step;
    }
    ssize_t total = check_header(conn, fd, incomplete(conn));
    if (total < 0) {
        return (int)total;
    }
    bool fits =
        pos != NULL && (size_t)total - record_protect_overhead(conn->rec) <= pos->left;

    step = fill(conn, fd, fits ? (size_t)total : (size_t)total - 1);
    if (step != RECORD_FETCH_MORE) {
        return step;
    }
    if (!fits) {
#ifdef MTLS_SABOTAGE_SENTINEL
        const int flags = 0;
#else
        const int flags = MSG_PEEK;
#endif
        ssize_t n = pull(conn, fd, incomplete(conn) + rx->len, 1, flags);
        if (n <= 0) {
            return (int)n;
        }
        rx->sentinel = flags == MSG_PEEK;
        rx->small_reads |= pos != NULL;
    }
    return finish(conn, fd, (size_t)total, pos);
}

int
record_fetch_leftover(struct record_conn *conn, int fd, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;
    size_t len = rx->len < pos->left ? rx->len : pos->left;

    record_iov_scatter(pos, conn->rx_buffer + rx->start, len);
    rx->start += (uint32_t)len;
    rx->len -= (uint32_t)len;
    if (rx->len > 0) {
        return 0;
    }
    rx->leftover = false;
    return take_sentinel(conn, fd);
}

/* Where the leftover goes on, with room for len bytes, which it has. */
static uint8_t *
end_of_leftover(struct record_conn *conn, size_t len)
{
    struct record_dir *rx = &conn->rec->rx;

    if (rx->start + rx->len + len > RECORD_RX_BUFFER_LEN) {
        memmove(conn->rx_buffer, conn->rx_buffer + rx->start, rx->len);
        rx->start = 0;
    }
    record_touch(rx, (size_t)rx->start + rx->len + len);
    return conn->rx_buffer + rx->start + rx->len;
}

/* What was opened at the end of the leftover is part of it, but for what the caller has
 * room for: then there was none before. */
static void
add_leftover(struct record_conn *conn, const struct record_content *content,
             struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;
    size_t room = pos != NULL ? pos->left : 0;
    size_t fits = content->len < room ? content->len : room;

    if (fits > 0) {
        record_iov_scatter(pos, content->data, fits);
        rx->start += (uint32_t)fits;
    }
    rx->len += (uint32_t)(content->len - fits);
    rx->leftover = rx->len > 0;
}

/*
 * Opens the records in the len bytes that were peeked at, as far as they are whole and
 * there is room for what is in them: first in pos (NULL: nowhere), then in the leftover.
 * What may not fit in pos is opened to its place in the leftover.
 *
 *   done  out  the length of what was opened: it is still in the kernel
 *
 * Returns  as record_control_handle() for the last one; 0 there was none.
 */
static int
open_peeked(struct record_conn *conn, int fd, uint8_t *buf, size_t len,
            struct record_iov *pos, size_t *done)
{
    struct record_dir *rx = &conn->rec->rx;
    size_t overhead = record_protect_overhead(conn->rec);
    int kind = 0;

    for (*done = 0; len - *done >= RECORD_HEADER_LEN && kind >= 0;) {
        struct record_content content;
        uint8_t *to = NULL;
        ssize_t total = check_header(conn, fd, buf + *done);

        if (total < 0) {
            return (int)total;
        }
        size_t most = (size_t)total - overhead + RECORD_INNER_TYPE_LEN;
        if ((size_t)total > len - *done || most > RECORD_RX_BUFFER_LEN - rx->len) {
            break;
        }
        if (pos == NULL || pos->left < most) {
            to = end_of_leftover(conn, most);
        }
        kind = open_record(conn, fd, buf + *done, (size_t)total, to, &content);
        *done += (size_t)total;
        if (kind > 0 && to != NULL) {
            add_leftover(conn, &content, pos);
        } else if (kind > 0) {
            record_iov_scatter(pos, content.data, content.len);
        }
    }
    return kind;
}

/* As record_fetch_ahead(), with room for what is peeked at. */
static int
look_ahead(struct record_conn *conn, int fd, struct record_iov *pos, uint8_t *buf)
{
    struct record_dir *rx = &conn->rec->rx;
    size_t want = wanted(conn->rec, SIZE_MAX);
    size_t done;

    ssize_t n = pull(conn, fd, buf, want, MSG_PEEK);
    if (n <= 0) {
        return (int)n;
    }
    rx->start = RECORD_SKEW + RECORD_HEADER_LEN;
    int kind = open_peeked(conn, fd, buf, (size_t)n, pos, &done);
    if (pos != NULL) {
        rx->small_reads = rx->leftover;
    }
    if (rx->leftover) {
        int err = leave(conn, fd, buf, done);

        return err != 0 ? err : RECORD_FETCH_MORE;
    }
    if (kind < 0 && kind != -ESHUTDOWN) {
        return kind;
    }
    rx->sentinel = (uint32_t)done;
    int err = take_sentinel(conn, fd);
    if (err != 0 || kind == -ESHUTDOWN) {
        return err;
    }
    if (done == 0) {
        return record_fetch_one(conn, fd, pos);
    }
    return done == (size_t)n && done < want ? RECORD_FETCH_SHORT : RECORD_FETCH_MORE;
}

int
record_fetch_ahead(struct record_conn *conn, int fd, struct record_iov *pos)
{
    uint8_t *stage = record_stage_take();

    if (stage == NULL) {
        return -ENOMEM;
    }
    int step = look_ahead(conn, fd, pos, stage);
    record_stage_give(stage);
    return step;
}

/* As record_fetch_extend(), with room for the sentinel and for records. */
static bool
extend(struct record_conn *conn, int fd, uint8_t *buf)
{
    struct record_dir *rx = &conn->rec->rx;
    size_t room = RECORD_RX_BUFFER_LEN - rx->len;
    size_t want = wanted(conn->rec, room);
    size_t done = 0;

    /* One byte will do: a longer sentinel would have to be copied. */
    if (drop(conn, fd, buf, rx->sentinel - 1) != 0) {
        return false;
    }
    rx->sentinel = 1;
    ssize_t n = record_io.recv(fd, buf, 1 + want, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 1) {
        return false;
    }
    int kind = open_peeked(conn, fd, buf + 1, (size_t)n - 1, NULL, &done);
    return leave(conn, fd, buf, done) == 0 && kind >= 0 && done > 0;
}

bool
record_fetch_extend(struct record_conn *conn, int fd)
{
    const struct record_dir *rx = &conn->rec->rx;

    if (!rx->leftover || rx->sentinel == 0 || rx->error != 0 || rx->closed) {
        return false;
    }
    uint8_t *stage = record_stage_take();
    bool more = stage != NULL && extend(conn, fd, stage);
    record_stage_give(stage);
    return more;
}

void
record_fetch_discard(int fd)
{
    uint8_t trash[1024];

    for (int i = 0; i < DISCARD_COUNT; i++) {
        if (record_io.recv(fd, trash, sizeof(trash), MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}
