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

/* Keeps the beginning of a record. */
static void
keep(struct record_conn *conn, const uint8_t *buf, size_t len)
{
    memcpy(conn->rx_buffer, buf, len);
    conn->rec->rx.start = 0;
    conn->rec->rx.len = (uint32_t)len;
    conn->rec->rx.touched = RECORD_TOUCHED;
}

/* Returns the length of the record at buf, or -EPROTO after the alert. */
static ssize_t
check_header(struct record_conn *conn, int fd, const uint8_t *buf)
{
    uint8_t alert;
    ssize_t total = record_protect_check(conn->rec, buf, &alert);

    return total < 0 ? record_fail_alert(conn, fd, alert, (int)total) : total;
}

/* Opens the record at buf and deals with it. Returns as record_control_handle(). */
static int
open_record(struct record_conn *conn, int fd, uint8_t *buf, size_t total,
            struct record_content *content)
{
    uint8_t alert;

    int err = record_protect_open(conn, buf, total, content, &alert);
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
        int kind = open_record(conn, fd, buf, (size_t)total, &content);
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

int
record_fetch_many(struct record_conn *conn, int fd, struct record_iov *pos)
{
    /*
     * Every complete record among left + overhead bytes fits: each one has at least that
     * overhead, and there is at least one.
     */
    size_t overhead = record_protect_overhead(conn->rec);
    size_t want =
        pos->left < RECORD_STAGE_LEN - overhead ? pos->left + overhead : RECORD_STAGE_LEN;
    uint8_t *stage = record_stage_take();

    if (stage == NULL) {
        return -ENOMEM;
    }
    ssize_t n = pull(conn, fd, stage, want, 0);
    int step = n > 0 ? deliver(conn, fd, stage, (size_t)n, pos) : (int)n;
    record_stage_give(stage);

    if (step == -ESHUTDOWN) {
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
    rx->start = 0;
    rx->touched = RECORD_TOUCHED;
    ssize_t n = pull(conn, fd, conn->rx_buffer + rx->len, want - rx->len, 0);
    if (n <= 0) {
        return (int)n;
    }
    rx->len += (uint32_t)n;
    return rx->len == want ? RECORD_FETCH_MORE : RECORD_FETCH_SHORT;
}

/*
 * Takes the byte that was left in the kernel.  It is there: it has been peeked at, and
 * only we read; anything else means that the stream is lost.
 */
static int
take_sentinel(struct record_conn *conn, int fd)
{
    struct record_dir *rx = &conn->rec->rx;
    uint8_t byte;

    if (rx->sentinel == 0) {
        return 0;
    }
    rx->sentinel = 0;
    if (pull(conn, fd, &byte, 1, 0) != 1) {
        return record_fail_alert(conn, fd, RECORD_ALERT_INTERNAL_ERROR, -EPROTO);
    }
    return 0;
}

/* Deals with the complete record in the buffer; with the sentinel set it is for keeping.
 */
static int
finish(struct record_conn *conn, int fd, size_t total, struct record_iov *pos)
{
    struct record_dir *rx = &conn->rec->rx;
    struct record_content content;

    rx->len = 0;
    int kind = open_record(conn, fd, conn->rx_buffer, total, &content);
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
    ssize_t total = check_header(conn, fd, conn->rx_buffer);
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
        ssize_t n = pull(conn, fd, conn->rx_buffer + rx->len, 1, flags);
        if (n <= 0) {
            return (int)n;
        }
        rx->sentinel = flags == MSG_PEEK;
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

/*
 * Copies the sentinel and the whole record behind it to buf; takes nothing.  Returns the
 * record's length, 0 when it is not there, not whole, too long, or none at all: that is
 * for record_fetch_one() to find.
 */
static size_t
look_behind_sentinel(struct record_conn *conn, int fd, uint8_t *buf)
{
    const int flags = MSG_PEEK | MSG_DONTWAIT;
    const ssize_t header_len = 1 + RECORD_HEADER_LEN;
    uint8_t alert;

    if (record_io.recv(fd, buf, (size_t)header_len, flags) != header_len) {
        return 0;
    }
    ssize_t total = record_protect_check(conn->rec, buf + 1, &alert);
    if (total < 0 || (size_t)total + conn->rec->rx.len > RECORD_RX_BUFFER_LEN ||
        record_io.recv(fd, buf, 1 + (size_t)total, flags) != 1 + total) {
        return 0;
    }
    return (size_t)total;
}

/* Adds plaintext to the leftover. */
static void
add_leftover(struct record_conn *conn, const struct record_content *content)
{
    struct record_dir *rx = &conn->rec->rx;

    if (rx->start + rx->len + content->len > RECORD_RX_BUFFER_LEN) {
        memmove(conn->rx_buffer, conn->rx_buffer + rx->start, rx->len);
        rx->start = 0;
    }
    memcpy(conn->rx_buffer + rx->start + rx->len, content->data, content->len);
    rx->len += (uint32_t)content->len;
}

/* As record_fetch_extend(), with room for the sentinel and a record. */
static bool
extend(struct record_conn *conn, int fd, uint8_t *buf)
{
    struct record_content content;

    size_t total = look_behind_sentinel(conn, fd, buf);
    if (total == 0) {
        return false;
    }
    /* Discards, without a copy, all but the last byte: tcp(7). */
    if (record_io.recv(fd, buf, total, MSG_TRUNC | MSG_DONTWAIT) != (ssize_t)total) {
        record_fail_alert(conn, fd, RECORD_ALERT_INTERNAL_ERROR, -EPROTO);
        return false;
    }
    int kind = open_record(conn, fd, buf + 1, total, &content);
    if (kind > 0) {
        add_leftover(conn, &content);
    }
    return kind >= 0;
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
