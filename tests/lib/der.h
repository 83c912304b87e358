/*
 * Certificates as no CA would make them: any names, any usage, a signature of no worth.
 */
#ifndef TESTS_LIB_DER_H
#define TESTS_LIB_DER_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct der {
    uint8_t bytes[16384];
    size_t len;
};

/* What a certificate says; NULL where it says nothing. */
struct der_certificate {
    const char *subject; /* "O=Corp|CN=web": RDNs in the order of the certificate */
    const char *issuer;
    const char *san;   /* "D:a.test U:spiffe://b I:10.0.0.1 I:::1 E:a@b" */
    const char *usage; /* keyUsage: its BIT STRING's content */
    size_t usage_len;
    const char *purposes; /* extKeyUsage: s(erver), c(lient), a(ny), o(csp) */
    const char *serial;   /* content of the INTEGER */
    size_t serial_len;
    int san_count; /* how many times the extension occurs; 0 = once */
};

static inline void
der_add(struct der *der, const void *bytes, size_t len)
{
    if (len > sizeof(der->bytes) - der->len - 8) {
        abort();
    }
    memcpy(der->bytes + der->len, bytes, len);
    der->len += len;
}

/* Puts tag and length before everything from start on. */
static inline void
der_wrap(struct der *der, size_t start, uint8_t tag)
{
    size_t len = der->len - start;
    uint8_t header[4] = {tag, (uint8_t)len};
    size_t header_len = 2;
    if (len >= 0x100) {
        memcpy(header + 1, (const uint8_t[]){0x82, (uint8_t)(len >> 8), (uint8_t)len}, 3);
        header_len = 4;
    } else if (len >= 0x80) {
        memcpy(header + 1, (const uint8_t[]){0x81, (uint8_t)len}, 2);
        header_len = 3;
    }
    der_add(der, header, header_len);
    memmove(der->bytes + start + header_len, der->bytes + start, len);
    memcpy(der->bytes + start, header, header_len);
}

static inline void
der_put(struct der *der, uint8_t tag, const void *bytes, size_t len)
{
    size_t start = der->len;
    der_add(der, bytes, len);
    der_wrap(der, start, tag);
}

/* Text in which '@' stands for a NUL, '~' for an ESC and '_' for a blank. */
static inline void
der_put_text(struct der *der, uint8_t tag, const char *text, size_t len)
{
    size_t start = der->len;
    for (size_t i = 0; i < len; i++) {
        char c = text[i] == '@'   ? '\0'
                 : text[i] == '~' ? '\x1b'
                 : text[i] == '_' ? ' '
                                  : text[i];
        der_add(der, &c, 1);
    }
    der_wrap(der, start, tag);
}

/* An AttributeTypeAndValue alone in its RDN. */
static inline void
der_put_rdn(struct der *der, const char *kind, size_t kind_len, uint8_t tag,
            const char *value, size_t len)
{
    static const struct {
        const char *kind, *oid;
    } kinds[] = {{"CN", "\x55\x04\x03"},
                 {"O", "\x55\x04\x0a"},
                 {"OU", "\x55\x04\x0b"},
                 {"C", "\x55\x04\x06"},
                 {"?", "\x2a\x03\x8f\x7f"}};
    size_t start = der->len;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i].kind) == kind_len &&
            memcmp(kinds[i].kind, kind, kind_len) == 0) {
            der_put(der, 0x06, kinds[i].oid, strlen(kinds[i].oid));
        }
    }
    der_put_text(der, tag, value, len);
    der_wrap(der, start, 0x30);
    der_wrap(der, start, 0x31);
}

/* "CN=web" as UTF8String; "CN#1e=..." with another tag. */
static inline void
der_put_name(struct der *der, const char *text)
{
    size_t start = der->len;
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "|");
        size_t kind_len = strcspn(text, "#=");
        char *value = NULL;
        uint8_t tag = 0x0c;
        if (text[kind_len] == '#') {
            tag = (uint8_t)strtoul(text + kind_len + 1, &value, 16);
        }
        const char *from = value != NULL ? value + 1 : text + kind_len + 1;
        der_put_rdn(der, text, kind_len, tag, from, len - (size_t)(from - text));
        text += len + (text[len] == '|' ? 1 : 0);
    }
    der_wrap(der, start, 0x30);
}

static inline void
der_put_san_entry(struct der *der, const char *text, size_t len)
{
    char literal[64] = "";
    uint8_t address[16];
    switch (text[0]) {
    case 'D':
        der_put_text(der, 0x82, text + 2, len - 2);
        return;
    case 'U':
        der_put_text(der, 0x86, text + 2, len - 2);
        return;
    case 'E':
        der_put(der, 0x81, text + 2, len - 2); /* has a real '@' */
        return;
    case 'I':
        memcpy(literal, text + 2, len - 2 < sizeof(literal) ? len - 2 : 0);
        if (inet_pton(AF_INET, literal, address) == 1) {
            der_put(der, 0x87, address, 4);
        } else if (inet_pton(AF_INET6, literal, address) == 1) {
            der_put(der, 0x87, address, 16);
        } else {
            der_put(der, 0x87, literal, strlen(literal));
        }
        return;
    default:
        abort();
    }
}

static inline void
der_put_extension(struct der *der, size_t start, const char *oid, size_t oid_len)
{
    struct der value;
    value.len = der->len - start;
    memcpy(value.bytes, der->bytes + start, value.len);
    der->len = start;
    der_put(der, 0x06, oid, oid_len);
    der_put(der, 0x04, value.bytes, value.len);
    der_wrap(der, start, 0x30);
}

static inline void
der_put_san(struct der *der, const char *san)
{
    size_t start = der->len;
    while (*san != '\0') {
        size_t len = strcspn(san, " ");
        der_put_san_entry(der, san, len);
        san += len + (san[len] == ' ' ? 1 : 0);
    }
    der_wrap(der, start, 0x30);
    der_put_extension(der, start, "\x55\x1d\x11", 3);
}

static inline void
der_put_purposes(struct der *der, const char *purposes)
{
    size_t start = der->len;
    for (; *purposes != '\0'; purposes++) {
        static const char oid[] = "\x2b\x06\x01\x05\x05\x07\x03";
        char purpose[sizeof(oid)];
        memcpy(purpose, oid, sizeof(oid));
        purpose[sizeof(oid) - 1] = *purposes == 's' ? 1 : *purposes == 'c' ? 2 : 9;
        if (*purposes == 'a') {
            der_put(der, 0x06, "\x55\x1d\x25\x00", 4);
        } else {
            der_put(der, 0x06, purpose, sizeof(purpose));
        }
    }
    der_wrap(der, start, 0x30);
    der_put_extension(der, start, "\x55\x1d\x25", 3);
}

static inline void
der_put_extensions(struct der *der, const struct der_certificate *certificate)
{
    size_t start = der->len;
    if (certificate->usage != NULL) {
        size_t at = der->len;
        der_put(der, 0x03, certificate->usage, certificate->usage_len);
        der_put_extension(der, at, "\x55\x1d\x0f", 3);
    }
    if (certificate->purposes != NULL) {
        der_put_purposes(der, certificate->purposes);
    }
    for (int i = 0; certificate->san != NULL && i < 1 + certificate->san_count; i++) {
        der_put_san(der, certificate->san);
    }
    if (der->len > start) {
        der_wrap(der, start, 0x30);
        der_wrap(der, start, 0xa3);
    }
}

static inline void
der_put_algorithm(struct der *der)
{
    size_t start = der->len;
    der_put(der, 0x06, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8); /* ecdsa-with-SHA256 */
    der_wrap(der, start, 0x30);
}

/* The base point of P-256, as good as any. */
static inline void
der_put_key(struct der *der)
{
    static const char point[] =
        "\x00\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03"
        "\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a"
        "\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6"
        "\x40\x68\x37\xbf\x51\xf5";
    size_t start = der->len;
    der_put(der, 0x06, "\x2a\x86\x48\xce\x3d\x02\x01", 7);
    der_put(der, 0x06, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8);
    der_wrap(der, start, 0x30);
    der_put(der, 0x03, point, sizeof(point) - 1);
    der_wrap(der, start, 0x30);
}

static inline void
der_make(struct der *der, const struct der_certificate *certificate)
{
    bool has_serial = certificate->serial != NULL;
    der->len = 0;
    der_put(der, 0x02, "\2", 1);
    der_wrap(der, 0, 0xa0);
    der_put(der, 0x02, has_serial ? certificate->serial : "\x12\x34",
            has_serial ? certificate->serial_len : 2);
    der_put_algorithm(der);
    der_put_name(der, certificate->issuer);
    size_t at = der->len;
    der_put(der, 0x17, "260101000000Z", 13);
    der_put(der, 0x17, "460101000000Z", 13);
    der_wrap(der, at, 0x30);
    der_put_name(der, certificate->subject);
    der_put_key(der);
    der_put_extensions(der, certificate);
    der_wrap(der, 0, 0x30);
    der_put_algorithm(der);
    der_put(der, 0x03, "\x00\x30\x06\x02\x01\x01\x02\x01\x01", 9);
    der_wrap(der, 0, 0x30);
}

#endif
