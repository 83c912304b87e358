#include "shim/session/audit_json.h"

#include <string.h>

#define CLOSING_LEN 2 /* "}\n" */
#define NUMBER_LEN_MAX 20

static void
put(struct audit_json *json, const char *bytes, size_t len)
{
    memcpy(json->out + json->len, bytes, len);
    json->len += len;
}

static size_t
room_left(const struct audit_json *json)
{
    return json->size - json->len - CLOSING_LEN;
}

/* Puts ,"key": if it and need bytes of value have room. */
static bool
put_key(struct audit_json *json, const char *key, size_t need)
{
    size_t len = strlen(key);
    if (room_left(json) < len + 4 + need) {
        return false;
    }
    if (json->len > 1) {
        put(json, ",", 1);
    }
    put(json, "\"", 1);
    put(json, key, len);
    put(json, "\":", 2);
    return true;
}

void
audit_json_open(struct audit_json *json, char *out, size_t size)
{
    *json = (struct audit_json){out, size, 0};
    put(json, "{", 1);
}

/* The length of the UTF-8 sequence at at, which the final NUL ends; 0 = none.
 * RFC 3629 section 4. */
static size_t
utf8_len(const uint8_t *at)
{
    uint8_t c = at[0];
    size_t len = c < 0x80   ? 1
                 : c < 0xc2 ? 0
                 : c < 0xe0 ? 2
                 : c < 0xf0 ? 3
                 : c < 0xf5 ? 4
                            : 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) ||
        (c == 0xf0 && at[1] < 0x90) || (c == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* Escapes the next character of text. Returns what it takes in unit; moves text on. */
static size_t
next_unit(const char **text, char unit[6])
{
    static const char digits[] = "0123456789abcdef";
    static const char replacement[6] = "\\ufffd"; /* no NUL at the end */
    static const char escape[4] = "\\u00";
    const uint8_t *at = (const uint8_t *)*text;
    size_t len = utf8_len(at);
    *text += len > 0 ? len : 1;
    if (len == 0) {
        memcpy(unit, replacement, sizeof(replacement));
        return sizeof(replacement);
    }
    if (len > 1) {
        memcpy(unit, at, len);
        return len;
    }
    if (*at == '"' || *at == '\\') {
        unit[0] = '\\';
        unit[1] = (char)*at;
        return 2;
    }
    if (*at < 0x20 || *at == 0x7f) {
        memcpy(unit, escape, sizeof(escape));
        unit[4] = digits[*at >> 4];
        unit[5] = digits[*at & 15];
        return 6;
    }
    unit[0] = (char)*at;
    return 1;
}

void
audit_json_text(struct audit_json *json, const char *key, const char *text, size_t room)
{
    enum { MARK_LEN = 3, QUOTES_LEN = 2 };
    if (text == NULL || text[0] == '\0' ||
        !put_key(json, key, QUOTES_LEN + 2 * MARK_LEN)) {
        return;
    }
    size_t left = room_left(json) - QUOTES_LEN;
    size_t end = json->len + 1 + (left < room ? left : room);
    size_t cut = json->len + 1; /* up to here the mark still has room behind it */
    put(json, "\"", 1);
    while (*text != '\0') {
        char unit[6];
        size_t len = next_unit(&text, unit);
        if (json->len + len > end) {
            json->len = cut;
            put(json, "...", MARK_LEN);
            break;
        }
        put(json, unit, len);
        if (json->len + MARK_LEN <= end) {
            cut = json->len;
        }
    }
    put(json, "\"", 1);
}

size_t
audit_json_decimal(char *text, size_t len, uint64_t number, unsigned width)
{
    char reversed[NUMBER_LEN_MAX];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (; width > count; width--) {
        text[len++] = '0';
    }
    while (count > 0) {
        text[len++] = reversed[--count];
    }
    return len;
}

void
audit_json_number(struct audit_json *json, const char *key, int64_t number)
{
    char text[1 + NUMBER_LEN_MAX];
    size_t len = 0;
    if (number < 0) {
        text[len++] = '-';
    }
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    len = audit_json_decimal(text, len, size, 1);
    if (put_key(json, key, len)) {
        put(json, text, len);
    }
}

void
audit_json_bool(struct audit_json *json, const char *key, bool value)
{
    const char *text = value ? "true" : "false";
    if (put_key(json, key, strlen(text))) {
        put(json, text, strlen(text));
    }
}

size_t
audit_json_close(struct audit_json *json)
{
    put(json, "}\n", CLOSING_LEN);
    return json->len;
}
