#include "shim/record/queue.h"

#include <limits.h>

#include "shim/record/bytes.h"
#include "shim/record/protect.h"
#include "shim/record/stage.h"

/*
 * Opens a record in the caller's copy of the queue: only that shows what is padding, and
 * that it is not a ticket or an alert.  What does not open, since another key begins
 * before it, counts in full.
 *
 *   number  in   of the record in the queue: what its sequence number is away from ours
 *   last    out  it is an alert: what comes after it is nobody's
 */
static size_t
open_copy(struct record_conn *conn, uint8_t *buf, size_t total, uint64_t number,
          bool *last)
{
    struct record_dir *rx = &conn->rec->rx;
    struct record_content content;
    uint64_t seq = rx->seq;
    uint8_t alert;

    rx->seq += number;
    int err = record_protect_open(conn, buf, total, &content, &alert);
    rx->seq = seq;
    if (err != 0) {
        return total - record_protect_overhead(conn->rec);
    }
    *last = content.type == RECORD_TYPE_ALERT;
    return content.type == RECORD_TYPE_DATA ? content.len : 0;
}

/* Returns how much of the len bytes at buf complete records take, all of it after an
 * alert; adds up their plaintext. */
static size_t
count(struct record_conn *conn, uint8_t *buf, size_t len, size_t *plaintext_len)
{
    size_t at = 0;
    uint8_t alert;
    bool last = false;

    for (uint64_t number = 0; !last && len - at >= RECORD_HEADER_LEN; number++) {
        ssize_t total = record_protect_check(conn->rec, buf + at, &alert);

        if (total < 0 || (size_t)total > len - at) {
            break;
        }
        *plaintext_len += open_copy(conn, buf + at, (size_t)total, number, &last);
        at += (size_t)total;
    }
    return last ? len : at;
}

/* The plaintext of len bytes that nobody has looked at, or of which no record is
 * complete: never nothing. */
static size_t
estimate(const struct record *rec, size_t len)
{
    size_t overhead = record_protect_overhead(rec);
    size_t lost = (len / (RECORD_PLAINTEXT_MAX + overhead) + 1) * overhead;

    return len > lost ? len - lost : 1;
}

size_t
record_queue_plaintext(struct record_conn *conn, int fd)
{
    size_t start = conn->rec->rx.sentinel;
    size_t plaintext_len = 0;
    uint8_t *stage = record_stage_take();

    if (stage == NULL) {
        return 0;
    }
    ssize_t n = record_io.recv(fd, stage, RECORD_STAGE_LEN, MSG_PEEK | MSG_DONTWAIT);
    if (n > (ssize_t)start) {
        size_t end =
            start + count(conn, stage + start, (size_t)n - start, &plaintext_len);
        if (n == RECORD_STAGE_LEN) {
            /* With MSG_TRUNC tcp(7) copies nothing: all that counts is the length. */
            n = record_io.recv(fd, NULL, INT_MAX, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
            plaintext_len += n > (ssize_t)end ? estimate(conn->rec, (size_t)n - end) : 0;
        } else if ((size_t)n > end) {
            plaintext_len += 1;
        }
    }
    record_stage_give(stage);
    return plaintext_len;
}
