/*
 * Numbers of the protocol, and how it writes integers.
 */
#ifndef SHIM_RECORD_BYTES_H
#define SHIM_RECORD_BYTES_H

#include <stdint.h>

#define RECORD_TLS_1_2 0x0303
#define RECORD_TLS_1_3 0x0304

enum record_type { /* RFC 8446 section 5.1 */
                   RECORD_TYPE_CHANGE_CIPHER_SPEC = 20,
                   RECORD_TYPE_ALERT = 21,
                   RECORD_TYPE_HANDSHAKE = 22,
                   RECORD_TYPE_DATA = 23,
};

enum record_message { /* RFC 8446 section 4; RFC 5246 section 7.4 */
                      RECORD_MESSAGE_HELLO_REQUEST = 0,
                      RECORD_MESSAGE_CLIENT_HELLO = 1,
                      RECORD_MESSAGE_NEW_SESSION_TICKET = 4,
                      RECORD_MESSAGE_KEY_UPDATE = 24,
};

static inline uint16_t
record_bytes_get16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline void
record_bytes_put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void
record_bytes_put64(uint8_t *to, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8) {
        to[i] = (uint8_t)value;
    }
}

#endif
