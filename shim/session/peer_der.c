#include "shim/session/peer_der.h"

#include <string.h>

#include "config/certs.h"

enum { EXTENSION_COUNT_MAX = 64 };

/* Takes an Extension apart; whether it is critical does not matter here. */
static bool
next_extension(struct der_span *rest, struct der_span *oid, struct der_span *value)
{
    struct der_item item;
    if (!der_expect(rest, PEER_DER_SEQUENCE, &item)) {
        return false;
    }
    struct der_span inner = item.value;
    if (!der_expect(&inner, PEER_DER_OID, &item)) {
        return false;
    }
    *oid = item.value;
    (void)der_expect(&inner, PEER_DER_BOOLEAN, &item);
    if (!der_expect(&inner, PEER_DER_OCTET_STRING, &item) || inner.len != 0) {
        return false;
    }
    *value = item.value;
    return true;
}

/* Finds the names in what [3] Extensions holds. */
static bool
find_san(struct der_span list, struct der_span *names)
{
    static const uint8_t san[] = {0x55, 0x1d, 0x11}; /* 2.5.29.17 */
    struct der_item item;
    struct der_span oid;
    struct der_span value;
    if (!der_expect(&list, PEER_DER_SEQUENCE, &item) || list.len != 0) {
        return false;
    }
    list = item.value;
    while (next_extension(&list, &oid, &value)) {
        if (!der_is(oid, san, sizeof(san))) {
            continue;
        }
        if (names->at != NULL || !der_expect(&value, PEER_DER_SEQUENCE, &item) ||
            value.len != 0) {
            return false;
        }
        *names = item.value;
    }
    return list.len == 0;
}

static bool
take_sequence(struct der_span *list, struct der_span *content)
{
    struct der_item item;
    if (!der_expect(list, PEER_DER_SEQUENCE, &item)) {
        return false;
    }
    *content = item.value;
    return true;
}

bool
peer_der_certificate(struct der_span certificate, struct peer_parts *parts)
{
    struct der_item outer;
    struct der_item tbs;
    struct der_item item;
    memset(parts, 0, sizeof(*parts));
    if (!der_expect(&certificate, PEER_DER_SEQUENCE, &outer) || certificate.len != 0 ||
        !der_expect(&outer.value, PEER_DER_SEQUENCE, &tbs)) {
        return false;
    }
    struct der_span list = tbs.value;
    (void)der_expect(&list, PEER_DER_VERSION, &item);
    if (!der_expect(&list, PEER_DER_INTEGER, &item)) {
        return false;
    }
    parts->serial = item.value;
    struct der_span signature;
    if (!take_sequence(&list, &signature) || !take_sequence(&list, &parts->issuer) ||
        !take_sequence(&list, &parts->validity) ||
        !take_sequence(&list, &parts->subject) ||
        !der_expect(&list, PEER_DER_SEQUENCE, &item)) {
        return false;
    }
    parts->spki = item.whole;
    while (der_next(&list, &item)) {
        if (item.tag == PEER_DER_EXTENSIONS) {
            return list.len == 0 && find_san(item.value, &parts->san);
        }
    }
    return list.len == 0;
}

bool
peer_der_validity(struct der_span certificate, int64_t *from_s, int64_t *to_s)
{
    struct peer_parts parts;
    struct der_item from;
    struct der_item to;
    return peer_der_certificate(certificate, &parts) &&
           der_next(&parts.validity, &from) && der_next(&parts.validity, &to) &&
           certs_read_time(from.whole.at, from.whole.len, from_s) == 0 &&
           certs_read_time(to.whole.at, to.whole.len, to_s) == 0;
}

/* The list of Extension; empty where there are none. */
static struct der_span
extensions_of(struct der_span certificate)
{
    struct der_span none = {certificate.at, 0};
    struct der_item item;
    if (!der_expect(&certificate, PEER_DER_SEQUENCE, &item) ||
        !der_expect(&item.value, PEER_DER_SEQUENCE, &item)) {
        return none;
    }
    struct der_span list = item.value;
    while (der_next(&list, &item)) {
        if (item.tag == PEER_DER_EXTENSIONS) {
            return der_expect(&item.value, PEER_DER_SEQUENCE, &item) ? item.value : none;
        }
    }
    return none;
}

static bool
find_extension(struct der_span list, const void *oid, size_t oid_len,
               struct der_span *value)
{
    struct der_span name;
    while (next_extension(&list, &name, value)) {
        if (der_is(name, oid, oid_len)) {
            return true;
        }
    }
    return false;
}

bool
peer_der_extension(struct der_span certificate, const void *oid, size_t oid_len,
                   struct der_span *value)
{
    return find_extension(extensions_of(certificate), oid, oid_len, value);
}

bool
peer_der_extensions_are_sound(struct der_span certificate)
{
    struct der_span list = extensions_of(certificate);
    struct der_span seen[EXTENSION_COUNT_MAX];
    struct der_span oid;
    struct der_span value;
    for (int count = 0; next_extension(&list, &oid, &value); count++) {
        if (count == EXTENSION_COUNT_MAX) {
            return false;
        }
        for (int i = 0; i < count; i++) {
            if (der_is(seen[i], oid.at, oid.len)) {
                return false;
            }
        }
        seen[count] = oid;
    }
    return true;
}

struct der_span
peer_der_address(struct der_span address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address.len != 16 || memcmp(address.at, mapped, sizeof(mapped)) != 0) {
        return address;
    }
    return (struct der_span){address.at + sizeof(mapped), address.len - sizeof(mapped)};
}

bool
peer_der_attribute(struct der_span *rdn, struct der_span *oid, struct der_item *value)
{
    struct der_item item;
    if (!der_expect(rdn, PEER_DER_SEQUENCE, &item)) {
        return false;
    }
    struct der_span inner = item.value;
    if (!der_expect(&inner, PEER_DER_OID, &item)) {
        return false;
    }
    *oid = item.value;
    return der_next(&inner, value) && inner.len == 0;
}

/* Bytes that a character takes; 0 = not a string; UTF-8's vary. */
static size_t
char_size(uint8_t tag)
{
    switch (tag) {
    case PEER_DER_UTF8_STRING:
    case PEER_DER_NUMERIC_STRING:
    case PEER_DER_PRINTABLE_STRING:
    case PEER_DER_T61_STRING:
    case PEER_DER_IA5_STRING:
    case PEER_DER_VISIBLE_STRING:
        return 1;
    case PEER_DER_BMP_STRING:
        return 2;
    case PEER_DER_UNIVERSAL_STRING:
        return 4;
    default:
        return 0;
    }
}

bool
peer_der_is_string(uint8_t tag)
{
    return char_size(tag) != 0;
}

/* Reads a UTF-8 sequence of two bytes and more; 0 when it is none. RFC 3629 section 4. */
static size_t
read_utf8(const uint8_t *at, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || count > len) {
        return 0;
    }
    uint32_t value = at[0] & (0x7fU >> count);
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3fU);
    }
    if (value < least[count] || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *code = value;
    return count;
}

bool
peer_der_char(const struct der_item *string, size_t *at, uint32_t *code)
{
    const uint8_t *byte = string->value.at + *at;
    size_t left = string->value.len - *at;
    size_t size = char_size(string->tag);
    if (left == 0 || size == 0) {
        return false;
    }
    *code = PEER_DER_NO_CHAR + byte[0];
    if (size > 1 && left >= size) {
        uint32_t value = 0;
        for (size_t i = 0; i < size; i++) {
            value = value << 8 | byte[i];
        }
        if (value <= 0x10ffff && (value < 0xd800 || value > 0xdfff)) {
            *code = value;
            *at += size;
            return true;
        }
    }
    if (size == 1 && (byte[0] < 0x80 || string->tag == PEER_DER_T61_STRING)) {
        *code = byte[0]; /* T.61 as it is used: Latin-1 */
    } else if (string->tag == PEER_DER_UTF8_STRING) {
        size_t count = read_utf8(byte, left, code);
        *at += count > 0 ? count : 1;
        return true;
    }
    *at += 1;
    return true;
}

size_t
peer_der_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((0xf00U >> count & 0xf0U) | code);
    return count;
}
