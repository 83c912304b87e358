#include "shim/record/iov.h"

#include <limits.h>
#include <string.h>

struct record_iov
record_iov_make(const struct iovec *iov, int count)
{
    struct record_iov pos = {.next = iov, .count = count > 0 ? count : 0};

    for (int i = 0; i < pos.count; i++) {
        if (iov[i].iov_len > (size_t)SSIZE_MAX - pos.left) {
            pos.left = SSIZE_MAX;
            break;
        }
        pos.left += iov[i].iov_len;
    }
    return pos;
}

/* Returns the next piece of at most `want` bytes, and steps over it. */
static uint8_t *
step(struct record_iov *pos, size_t want, size_t *len)
{
    while (pos->at == pos->next->iov_len) {
        pos->next++;
        pos->count--;
        pos->at = 0;
    }
    uint8_t *piece = (uint8_t *)pos->next->iov_base + pos->at;
    size_t have = pos->next->iov_len - pos->at;

    *len = want < have ? want : have;
    pos->at += *len;
    pos->left -= *len;
    return piece;
}

void
record_iov_gather(struct record_iov *pos, uint8_t *to, size_t len)
{
    size_t n = 0;

    for (; len > 0; len -= n, to += n) {
        const uint8_t *piece = step(pos, len, &n);

        if (piece != to) {
            memcpy(to, piece, n);
        }
    }
}

void
record_iov_scatter(struct record_iov *pos, const uint8_t *from, size_t len)
{
    size_t n = 0;

    for (; len > 0; len -= n, from += n) {
        uint8_t *piece = step(pos, len, &n);

        memcpy(piece, from, n);
    }
}
