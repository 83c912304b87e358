#include "tools/ctl/json.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

/* Bytes of the UTF-8 sequence at a place; 0 when it is none (RFC 3629, section 4). */
static size_t
utf8_len(const unsigned char *at)
{
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc2 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf5 ? 4
                                : 0;

    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* A copy in which U+FFFD stands for each byte that is not UTF-8; NULL without memory. */
static char *
replace_bad(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const unsigned char *at = (const unsigned char *)text;
    char *copy = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
    char *to = copy;

    while (copy != NULL && *at != '\0') {
        size_t len = utf8_len(at);
        const void *from = len > 0 ? (const void *)at : replacement;
        size_t from_len = len > 0 ? len : sizeof(replacement) - 1;

        memcpy(to, from, from_len);
        to += from_len;
        at += len > 0 ? len : 1;
    }
    if (copy != NULL) {
        *to = '\0';
    }
    return copy;
}

static bool
is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0' && utf8_len(at) > 0) {
        at += utf8_len(at);
    }
    return *at == '\0';
}

static void
put_string(struct json *json, const char *text)
{
    char *copy = is_utf8(text) ? NULL : replace_bad(text);
    const char *good = copy != NULL ? copy : is_utf8(text) ? text : "";

    (void)yajl_gen_string(json->gen, (const unsigned char *)good, strlen(good));
    free(copy);
}

static void
put_key(struct json *json, const char *key)
{
    if (key != NULL) {
        put_string(json, key);
    }
}

static void
print(void *context, const char *text, size_t len)
{
    fwrite(text, 1, len, context);
}

static void
open_level(struct json *json, bool is_list)
{
    json->is_list[json->depth++ % JSON_DEPTH_MAX] = is_list;
    (void)(is_list ? yajl_gen_array_open(json->gen) : yajl_gen_map_open(json->gen));
}

void
json_start(struct json *json, FILE *out)
{
    memset(json, 0, sizeof(*json));
    json->gen = yajl_gen_alloc(NULL);
    if (json->gen == NULL) {
        fputs("mtlsctl: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    (void)yajl_gen_config(json->gen, yajl_gen_beautify, 1);
    (void)yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
    (void)yajl_gen_config(json->gen, yajl_gen_print_callback, print, out);
    open_level(json, false);
}

void
json_end(struct json *json)
{
    json_close(json); /* yajl ends the line, too */
    yajl_gen_free(json->gen);
    json->gen = NULL;
}

void
json_open(struct json *json, const char *key)
{
    put_key(json, key);
    open_level(json, false);
}

void
json_open_list(struct json *json, const char *key)
{
    put_key(json, key);
    open_level(json, true);
}

void
json_close(struct json *json)
{
    bool is_list = json->is_list[--json->depth % JSON_DEPTH_MAX];

    (void)(is_list ? yajl_gen_array_close(json->gen) : yajl_gen_map_close(json->gen));
}

void
json_text(struct json *json, const char *key, const char *text)
{
    put_key(json, key);
    if (text == NULL) {
        (void)yajl_gen_null(json->gen);
    } else {
        put_string(json, text);
    }
}

void
json_number(struct json *json, const char *key, int64_t number)
{
    put_key(json, key);
    (void)yajl_gen_integer(json->gen, number);
}

void
json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    (void)yajl_gen_bool(json->gen, value);
}
