#include "tools/ctl/json.h"

#include <inttypes.h>
#include <string.h>

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

static void
put_string(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    fputc('"', out);
    while (*at != '\0') {
        size_t len = utf8_len(at);

        if (len == 0) {
            fputs("\\ufffd", out);
            len = 1;
        } else if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < ' ' || *at == 0x7f) {
            fprintf(out, "\\u%04x", *at);
        } else {
            fwrite(at, 1, len, out);
        }
        at += len;
    }
    fputc('"', out);
}

/* What comes before a member: a comma, a new line, its key. */
static void
begin_member(struct json *json, const char *key)
{
    fputs(json->has_members ? ",\n" : "\n", json->out);
    fprintf(json->out, "%*s", json->depth * 2, "");
    if (key != NULL) {
        put_string(json->out, key);
        fputs(": ", json->out);
    }
    json->has_members = true;
}

static void
open_level(struct json *json, char opening, char closing)
{
    fputc(opening, json->out);
    if (json->depth < JSON_DEPTH_MAX) {
        json->closing[json->depth] = closing;
    }
    json->depth++;
    json->has_members = false;
}

void
json_start(struct json *json, FILE *out)
{
    memset(json, 0, sizeof(*json));
    json->out = out;
    open_level(json, '{', '}');
}

void
json_end(struct json *json)
{
    json_close(json);
    fputc('\n', json->out);
}

void
json_open(struct json *json, const char *key)
{
    begin_member(json, key);
    open_level(json, '{', '}');
}

void
json_open_list(struct json *json, const char *key)
{
    begin_member(json, key);
    open_level(json, '[', ']');
}

void
json_close(struct json *json)
{
    json->depth--;
    if (json->has_members) {
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    }
    fputc(json->depth < JSON_DEPTH_MAX ? json->closing[json->depth] : '?', json->out);
    json->has_members = true;
}

void
json_text(struct json *json, const char *key, const char *text)
{
    begin_member(json, key);
    if (text == NULL) {
        fputs("null", json->out);
    } else {
        put_string(json->out, text);
    }
}

void
json_number(struct json *json, const char *key, int64_t number)
{
    begin_member(json, key);
    fprintf(json->out, "%" PRId64, number);
}

void
json_bool(struct json *json, const char *key, bool value)
{
    begin_member(json, key);
    fputs(value ? "true" : "false", json->out);
}
