#include "tools/ctl/ca_der.h"

#include <stdio.h>
#include <string.h>

void
ca_der_init(struct ca_der *der, uint8_t *buffer, size_t len)
{
    der->base = buffer;
    der->start = len;
    der->end = len;
    der->overflow = false;
}

size_t
ca_der_len(const struct ca_der *der)
{
    return der->end - der->start;
}

void
ca_der_raw(struct ca_der *der, const void *bytes, size_t len)
{
    if (der->overflow || len > der->start) {
        der->overflow = true;
        return;
    }
    der->start -= len;
    memcpy(der->base + der->start, bytes, len);
}

void
ca_der_wrap(struct ca_der *der, uint8_t tag, size_t since)
{
    size_t len = ca_der_len(der) - since;
    uint8_t head[2 + sizeof(size_t)];
    size_t at = sizeof(head);

    if (len < 0x80) {
        head[--at] = (uint8_t)len;
    } else {
        uint8_t octets = 0;

        for (; len > 0; len >>= 8) {
            head[--at] = (uint8_t)len;
            octets++;
        }
        head[--at] = (uint8_t)(0x80 | octets);
    }
    head[--at] = tag;
    ca_der_raw(der, head + at, sizeof(head) - at);
}

void
ca_der_element(struct ca_der *der, uint8_t tag, const void *bytes, size_t len)
{
    size_t since = ca_der_len(der);

    ca_der_raw(der, bytes, len);
    ca_der_wrap(der, tag, since);
}

size_t
ca_der_time(time_t when, uint8_t out[CA_DER_TIME_LEN])
{
    char text[32];
    struct tm tm;
    size_t len;

    if (gmtime_r(&when, &tm) == NULL || tm.tm_year < 70 || tm.tm_year > 9999 - 1900) {
        return 0;
    }
    len = strftime(text, sizeof(text),
                   tm.tm_year < 150 ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ", &tm);
    out[0] = tm.tm_year < 150 ? 0x17 : 0x18;
    out[1] = (uint8_t)len;
    memcpy(out + 2, text, len);
    return len + 2;
}
