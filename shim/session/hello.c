#include "shim/session/hello.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECORD_HEADER = 5,
    MESSAGE_HEADER = 4, /* a type and three bytes of length */
    HANDSHAKE = 22,
};

static bool
is_whole(struct der_span record)
{
    if (record.len < RECORD_HEADER + MESSAGE_HEADER) {
        return false;
    }
    const uint8_t *len = record.at + RECORD_HEADER + 1;
    return record.len - RECORD_HEADER - MESSAGE_HEADER >=
           ((size_t)len[0] << 16 | (size_t)len[1] << 8 | len[2]);
}

/* The header is kept once, with the length of all. */
static int
append(struct hello *hello, struct der_span record)
{
    size_t skipped = hello->bytes != NULL ? RECORD_HEADER : 0;
    size_t len = hello->len + record.len - skipped;
    if (len > HELLO_RECORD_MAX) {
        return -EMSGSIZE;
    }
    uint8_t *bytes = realloc(hello->bytes, len);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    memcpy(bytes + hello->len, record.at + skipped, record.len - skipped);
    bytes[3] = (uint8_t)((len - RECORD_HEADER) >> 8);
    bytes[4] = (uint8_t)(len - RECORD_HEADER);
    hello->bytes = bytes;
    hello->len = len;
    return 0;
}

int
hello_add(struct hello *hello, struct der_span record, struct der_span *whole)
{
    *whole = record;
    if (record.at[0] != HANDSHAKE || (hello->bytes == NULL && is_whole(record))) {
        hello->is_seen = true;
        return 1;
    }
    int result = append(hello, record);
    *whole = (struct der_span){hello->bytes, hello->len};
    hello->is_seen = result == 0 && is_whole(*whole);
    return result < 0 ? result : hello->is_seen;
}

void
hello_done(struct hello *hello)
{
    free(hello->bytes);
    hello->bytes = NULL;
}
