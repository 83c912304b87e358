#include "tools/ctl/ca_der.h"

#include <stdio.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>

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

void
ca_der_integer(struct ca_der *der, const uint8_t *octets, size_t len)
{
    static const uint8_t zero = 0;
    size_t since = ca_der_len(der);

    while (len > 1 && octets[0] == 0) {
        octets++;
        len--;
    }
    ca_der_raw(der, octets, len);
    if (len == 0 || (octets[0] & 0x80) != 0) {
        ca_der_raw(der, &zero, 1);
    }
    ca_der_wrap(der, CA_DER_INTEGER, since);
}

void
ca_der_oid(struct ca_der *der, const char *oid, size_t len)
{
    ca_der_element(der, CA_DER_OID, oid, len);
}

void
ca_der_moment(struct ca_der *der, int64_t when)
{
    uint8_t text[CA_DER_TIME_LEN];
    size_t len = ca_der_time((time_t)when, text);

    if (len == 0) {
        der->overflow = true;
    }
    ca_der_raw(der, text, len);
}

void
ca_der_algorithm(struct ca_der *der, int signature)
{
    static const uint8_t ecdsa256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t ecdsa384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
    static const uint8_t rsa256[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                     0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
    static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};

    switch (signature) {
    case CTC_SHA256wECDSA:
        ca_der_raw(der, ecdsa256, sizeof(ecdsa256));
        break;
    case CTC_SHA384wECDSA:
        ca_der_raw(der, ecdsa384, sizeof(ecdsa384));
        break;
    case CTC_SHA256wRSA:
        ca_der_raw(der, rsa256, sizeof(rsa256));
        break;
    default:
        ca_der_raw(der, ed25519, sizeof(ed25519));
        break;
    }
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
