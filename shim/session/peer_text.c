#include "shim/session/peer_text.h"

#include <arpa/inet.h>
#include <string.h>

#define RDN_COUNT_MAX                                                                    \
    32 /* of a longer name the last ones, which are the most specific                    \
        */

struct text {
    char *out;
    size_t size, len;
    bool is_cut;
};

static const char digits[] = "0123456789abcdef";

/* Adds what must not be torn apart: all of it, or the mark that text was cut. */
static void
put(struct text *text, const char *unit, size_t len)
{
    static const char mark[] = "...";
    if (text->is_cut) {
        return;
    }
    if (text->len + len + sizeof(mark) > text->size) {
        text->is_cut = true;
        unit = mark;
        len = sizeof(mark) - 1;
    }
    memcpy(text->out + text->len, unit, len);
    text->len += len;
    text->out[text->len] = '\0';
}

static void
put_words(struct text *text, const char *words)
{
    put(text, words, strlen(words));
}

static void
put_hex(struct text *text, struct der_span bytes)
{
    for (size_t i = 0; i < bytes.len && !text->is_cut; i++) {
        put(text, (const char[]){digits[bytes.at[i] >> 4], digits[bytes.at[i] & 15]}, 2);
    }
}

/* Characters that a reader of the log would not see, or see elsewhere. */
static bool
is_invisible(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad ||
           code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0xfeff || code >= 0xe0000;
}

/* One character; special ones get a backslash, unreadable ones are given in hex. */
static void
put_char(struct text *text, uint32_t code, bool is_special)
{
    char unit[12];
    char bytes[4];
    size_t count = 1;
    if (code >= PEER_DER_NO_CHAR) {
        bytes[0] = (char)(code - PEER_DER_NO_CHAR);
    } else {
        count = peer_der_utf8(code, bytes);
    }
    if (!is_invisible(code)) {
        unit[0] = '\\';
        memcpy(unit + 1, bytes, count);
        put(text, is_special ? unit : unit + 1, is_special ? count + 1 : count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        unit[3 * i] = '\\';
        unit[3 * i + 1] = digits[(uint8_t)bytes[i] >> 4];
        unit[3 * i + 2] = digits[bytes[i] & 15];
    }
    put(text, unit, 3 * count);
}

static void
put_string(struct text *text, const struct der_item *string)
{
    size_t at = 0;
    uint32_t code;
    bool is_first = true;
    while (!text->is_cut && peer_der_char(string, &at, &code)) {
        bool is_last = at == string->value.len;
        bool is_special = (code < 0x80 && code != 0 && strchr("\"+,;<>\\", (int)code)) ||
                          (code == ' ' && (is_first || is_last)) ||
                          (code == '#' && is_first);
        put_char(text, code, is_special);
        is_first = false;
    }
}

static void
put_number(struct text *text, uint64_t number)
{
    char unit[20];
    size_t at = sizeof(unit);
    do {
        unit[--at] = digits[number % 10];
        number /= 10;
    } while (number > 0);
    put(text, unit + at, sizeof(unit) - at);
}

static void
put_oid(struct text *text, struct der_span oid)
{
    uint64_t arc = 0;
    bool is_first = true;
    for (size_t i = 0; i < oid.len && !text->is_cut; i++) {
        arc = arc << 7 | (oid.at[i] & 0x7fU); /* a giant wraps: only shown */
        if ((oid.at[i] & 0x80) != 0) {
            continue;
        }
        if (is_first) {
            uint64_t root = arc < 80 ? arc / 40 : 2;
            put_number(text, root);
            arc -= root * 40;
            is_first = false;
        }
        put_words(text, ".");
        put_number(text, arc);
        arc = 0;
    }
}

/* The names of RFC 4514 section 3, and some more that certificates use. */
static const char *
attribute_name(struct der_span oid)
{
    static const struct {
        const char *oid;
        size_t len;
        const char *name;
    } names[] = {
        {"\x55\x04\x03", 3, "CN"},
        {"\x55\x04\x07", 3, "L"},
        {"\x55\x04\x08", 3, "ST"},
        {"\x55\x04\x0a", 3, "O"},
        {"\x55\x04\x0b", 3, "OU"},
        {"\x55\x04\x06", 3, "C"},
        {"\x55\x04\x09", 3, "STREET"},
        {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10, "DC"},
        {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10, "UID"},
        {"\x55\x04\x05", 3, "serialNumber"},
        {"\x55\x04\x04", 3, "SN"},
        {"\x55\x04\x0c", 3, "title"},
        {"\x55\x04\x2a", 3, "GN"},
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9, "emailAddress"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (der_is(oid, names[i].oid, names[i].len)) {
            return names[i].name;
        }
    }
    return NULL;
}

static void
put_rdn(struct text *text, struct der_span rdn)
{
    struct der_span oid;
    struct der_item value;
    for (int i = 0; !text->is_cut && peer_der_attribute(&rdn, &oid, &value); i++) {
        if (i > 0) {
            put_words(text, "+");
        }
        const char *name = attribute_name(oid);
        if (name != NULL) {
            put_words(text, name);
        } else {
            put_oid(text, oid);
        }
        put_words(text, "=");
        if (name != NULL && peer_der_is_string(value.tag)) {
            put_string(text, &value);
        } else {
            put_words(text, "#"); /* RFC 4514 section 2.4 */
            put_hex(text, value.whole);
        }
    }
}

void
peer_text_name(struct der_span rdns, char *out, size_t size)
{
    struct text text = {out, size, 0, false};
    struct der_span last[RDN_COUNT_MAX];
    size_t count = 0;
    struct der_item item;
    out[0] = '\0';
    while (der_expect(&rdns, PEER_DER_SET, &item)) {
        last[count++ % RDN_COUNT_MAX] = item.value;
    }
    /* RFC 4514 section 2.1: starting with the last element of the sequence. */
    size_t first = count > RDN_COUNT_MAX ? count - RDN_COUNT_MAX : 0;
    for (size_t i = count; i > first; i--) {
        if (i < count) {
            put_words(&text, ",");
        }
        put_rdn(&text, last[(i - 1) % RDN_COUNT_MAX]);
    }
    if (first > 0) {
        put_words(&text, ",...");
    }
}

static void
put_address(struct text *text, struct der_span bytes)
{
    char address[INET6_ADDRSTRLEN];
    if (bytes.len != 4 && bytes.len != 16) {
        put_words(text, "#");
        put_hex(text, bytes);
        return;
    }
    inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.at, address, sizeof(address));
    put_words(text, address);
}

void
peer_text_san(struct der_span names, char *out, size_t size)
{
    struct text text = {out, size, 0, false};
    struct der_item item;
    out[0] = '\0';
    while (!text.is_cut && der_next(&names, &item)) {
        const char *kind = item.tag == PEER_DER_SAN_DNS     ? "DNS:"
                           : item.tag == PEER_DER_SAN_URI   ? "URI:"
                           : item.tag == PEER_DER_SAN_IP    ? "IP:"
                           : item.tag == PEER_DER_SAN_EMAIL ? "email:"
                                                            : NULL;
        if (kind == NULL) {
            continue;
        }
        if (text.len > 0) {
            put_words(&text, ", ");
        }
        put_words(&text, kind);
        if (item.tag == PEER_DER_SAN_IP) {
            put_address(&text, item.value);
            continue;
        }
        for (size_t i = 0; i < item.value.len && !text.is_cut; i++) {
            uint8_t byte = item.value.at[i];
            put_char(&text, byte < 0x80 ? byte : PEER_DER_NO_CHAR + byte,
                     byte == ',' || byte == '\\' || byte == ' ');
        }
    }
}

void
peer_text_hex(struct der_span bytes, char *out, size_t size)
{
    size_t count = bytes.len < (size - 1) / 2 ? bytes.len : (size - 1) / 2;
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes.at[i] >> 4];
        out[2 * i + 1] = digits[bytes.at[i] & 15];
    }
    out[2 * count] = '\0';
}

void
peer_text_number(struct der_span bytes, char *out, size_t size)
{
    while (bytes.len > 1 && bytes.at[0] == 0) {
        bytes.at++;
        bytes.len--;
    }
    peer_text_hex(bytes, out, size);
    if (out[0] == '0' && out[1] != '\0') {
        memmove(out, out + 1, strlen(out));
    }
}
