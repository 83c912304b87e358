#include "shim/session/hello.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECORD_HEADER = 5,
    MESSAGE_HEADER = 4, /* a type and three bytes of length */
    HANDSHAKE = 22,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
};

/* How long it will be with its header and the record's; 0 while that is not known. */
static size_t
whole_len(struct der_span record)
{
    if (record.len < RECORD_HEADER + MESSAGE_HEADER) {
        return 0;
    }
    const uint8_t *len = record.at + RECORD_HEADER + 1;
    return RECORD_HEADER + MESSAGE_HEADER +
           ((size_t)len[0] << 16 | (size_t)len[1] << 8 | len[2]);
}

static bool
is_whole(struct der_span record)
{
    size_t len = whole_len(record);
    return len > 0 && record.len >= len;
}

static bool
is_hello(struct der_span record)
{
    uint8_t type = record.at[RECORD_HEADER];
    return record.at[0] == HANDSHAKE && (type == CLIENT_HELLO || type == SERVER_HELLO);
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
    bool is_first = hello->bytes == NULL;
    *whole = record;
    if (is_first ? !is_hello(record) || is_whole(record) : record.at[0] != HANDSHAKE) {
        hello->is_seen = true;
        return 1;
    }
    int result = append(hello, record);
    if (result < 0) {
        return result;
    }
    *whole = (struct der_span){hello->bytes, hello->len};
    hello->is_seen = is_whole(*whole);
    /* Nobody waits for what will not be taken. */
    return whole_len(*whole) > HELLO_RECORD_MAX ? -EMSGSIZE : hello->is_seen;
}

void
hello_done(struct hello *hello)
{
    free(hello->bytes);
    hello->bytes = NULL;
}
