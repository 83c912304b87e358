#include "config/der.h"

#include <string.h>

bool
der_next(struct der_span *rest, struct der_item *item)
{
    const uint8_t *at = rest->at;
    if (rest->len < 2 || (at[0] & 0x1f) == 0x1f) {
        return false;
    }
    size_t header = 2;
    size_t len = at[1];
    if (len >= 0x80) {
        size_t count = len & 0x7f;
        if (count == 0 || count > 3 || rest->len < 2 + count) {
            return false;
        }
        header += count;
        len = 0;
        for (size_t i = 2; i < header; i++) {
            len = len << 8 | at[i];
        }
        if (len < 0x80 || at[2] == 0) {
            return false;
        }
    }
    if (len > rest->len - header) {
        return false;
    }
    rest->at += header + len; /* first, since it may be a part of item */
    rest->len -= header + len;
    item->tag = at[0];
    item->value = (struct der_span){at + header, len};
    item->whole = (struct der_span){at, header + len};
    return true;
}

bool
der_expect(struct der_span *rest, uint8_t tag, struct der_item *item)
{
    return rest->len > 0 && rest->at[0] == tag && der_next(rest, item);
}

bool
der_is(struct der_span span, const void *bytes, size_t len)
{
    return span.len == len && memcmp(span.at, bytes, len) == 0;
}
