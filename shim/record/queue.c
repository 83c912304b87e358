#include "shim/record/queue.h"

#include "shim/record/fetch.h"
#include "shim/record/protect.h"

/* The plaintext of len bytes that nobody has looked at, were they full records: never
 * nothing, and never less than there is. */
static size_t
estimate(const struct record *rec, size_t len)
{
    size_t overhead = record_protect_overhead(rec);
    size_t full = RECORD_PLAINTEXT_MAX + overhead;
    size_t lost = (len + full - 1) / full * overhead;

    return len > lost ? len - lost : 1;
}

/* The bytes in the kernel behind the sentinel. */
static size_t
behind_sentinel(const struct record_dir *rx, int fd)
{
    int n = record_io.inq(fd);

    return n > (int)rx->sentinel ? (size_t)n - rx->sentinel : 0;
}

size_t
record_queue_plaintext(struct record_conn *conn, int fd)
{
    const struct record_dir *rx = &conn->rec->rx;

    for (;;) {
        size_t rest = behind_sentinel(rx, fd);

        if (rest == 0 || rx->closed || rx->error != 0) {
            return rx->len; /* what comes after an end is nobody's */
        }
        if (rx->len > RECORD_RX_BUFFER_LEN / 2) {
            return rx->len + estimate(conn->rec, rest);
        }
        if (!record_fetch_extend(conn, fd)) {
            return rx->len + (rx->closed || rx->error != 0 ? 0 : 1);
        }
    }
}
