/*
 * Whether a text is one JSON object, strictly by RFC 8259, with no key twice.
 */
#ifndef TESTS_LIB_JSON_CHECK_H
#define TESTS_LIB_JSON_CHECK_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline const char *
json_skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* What follows a well-formed UTF-8 character of more than one byte; NULL = there is none.
 */
static inline const char *
json_skip_utf8(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    unsigned long code = 0;
    int more = byte[0] >= 0xf0 ? 3 : byte[0] >= 0xe0 ? 2 : 1;
    if (byte[0] < 0xc2 || byte[0] > 0xf4) {
        return NULL;
    }
    code = byte[0] & (0x3fU >> more);
    for (int i = 1; i <= more; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return NULL;
        }
        code = code << 6 | (byte[i] & 0x3fU);
    }
    bool is_long = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return is_long || is_surrogate || code > 0x10ffff ? NULL : at + more + 1;
}

static inline const char *
json_skip_string(const char *at)
{
    if (*at++ != '"') {
        return NULL;
    }
    while (at != NULL && *at != '"') {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20) {
            return NULL;
        }
        if (c >= 0x80) {
            at = json_skip_utf8(at);
        } else if (c != '\\') {
            at++;
        } else if (at[1] == 'u') {
            at = strspn(at + 2, "0123456789abcdefABCDEF") >= 4 ? at + 6 : NULL;
        } else {
            at = at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2 : NULL;
        }
    }
    return at != NULL ? at + 1 : NULL;
}

/* A string, an integer or a literal: the log has no other values. */
static inline const char *
json_skip_value(const char *at)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(at, literals[i], strlen(literals[i])) == 0) {
            return at + strlen(literals[i]);
        }
    }
    if (*at == '"') {
        return json_skip_string(at);
    }
    at += *at == '-' ? 1 : 0;
    size_t digits = strspn(at, "0123456789");
    return digits == 0 || (digits > 1 && *at == '0') ? NULL : at + digits;
}

static inline bool
json_is_object(const char *text)
{
    const char *keys[64];
    size_t count = 0;
    const char *at = json_skip_space(text);
    if (*at++ != '{') {
        return false;
    }
    at = json_skip_space(at);
    while (*at != '}') {
        const char *key = at;
        if (count == 64 || (at = json_skip_string(at)) == NULL || *at++ != ':') {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (strncmp(keys[i], key, (size_t)(at - key)) == 0) {
                return false;
            }
        }
        keys[count++] = key;
        if ((at = json_skip_value(json_skip_space(at))) == NULL) {
            return false;
        }
        at = json_skip_space(at);
        if (*at == ',' && at[1] == '"') {
            at++;
        } else if (*at != '}') {
            return false;
        }
    }
    return *json_skip_space(at + 1) == '\0';
}

#endif
