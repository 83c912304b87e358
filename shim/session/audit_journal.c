#include "shim/session/audit_journal.h"

#include <string.h>

#include "shim/session/audit_socket.h"

static const char replacement[] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */
static const char prefix[] = {'M', 'T', 'L', 'S', '_'};
#define SIZE_LEN 8        /* of a value that has newlines in it */
#define NEWLINE "\\u000a" /* as audit_json.c writes it */

int
audit_journal_open(const struct audit_io *io)
{
    return audit_socket_open("/run/systemd/journal/socket", io);
}

struct field {
    const char *key, *value;
    size_t key_len, value_len; /* as in the JSON */
    bool is_text;
};

/* Takes ,"key":value; returns what is behind it, NULL at the end. */
static const char *
next_field(const char *at, const char *end, struct field *field)
{
    if (end - at < 2 || at[1] != '"') {
        return NULL;
    }
    field->key = at + 2;
    const char *quote = memchr(field->key, '"', (size_t)(end - field->key));
    if (quote == NULL || end - quote < 3) {
        return NULL;
    }
    field->key_len = (size_t)(quote - field->key);
    field->is_text = quote[2] == '"';
    field->value = quote + (field->is_text ? 3 : 2);
    for (at = field->value; at < end; at++) {
        if (field->is_text ? *at == '"' : *at == ',' || *at == '}') {
            field->value_len = (size_t)(at - field->value);
            return field->is_text ? at + 1 : at;
        }
        at += *at == '\\' ? 1 : 0;
    }
    return NULL;
}

static unsigned
hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Only control characters, and U+FFFD for what is not UTF-8, are written by number. */
static size_t
put_value(const struct field *field, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < field->value_len; i++) {
        const char *at = field->value + i;
        size_t left = field->value_len - i;
        if (at[0] != '\\' || left < 2) {
            out[len++] = at[0];
        } else if (at[1] != 'u') {
            out[len++] = at[1];
            i += 1;
        } else if (left >= 6) {
            if (at[2] == 'f') {
                memcpy(out + len, replacement, sizeof(replacement));
                len += sizeof(replacement);
            } else {
                out[len++] = (char)(hex_digit(at[4]) << 4 | hex_digit(at[5]));
            }
            i += 5;
        }
    }
    return len;
}

static size_t
put_field(const struct field *field, char *out)
{
    size_t len = sizeof(prefix);
    memcpy(out, prefix, len);
    for (size_t i = 0; i < field->key_len; i++) {
        char c = field->key[i];
        out[len++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    if (memmem(field->value, field->value_len, NEWLINE, strlen(NEWLINE)) == NULL) {
        out[len++] = '=';
        len += put_value(field, out + len);
    } else {
        out[len++] = '\n';
        size_t size = put_value(field, out + len + SIZE_LEN);
        for (size_t i = 0; i < SIZE_LEN; i++) {
            out[len++] = (char)(uint8_t)(size >> 8 * i); /* little end first */
        }
        len += size;
    }
    out[len++] = '\n';
    return len;
}

size_t
audit_journal_fields(const char *json, size_t json_len, char out[AUDIT_JOURNAL_LEN])
{
    enum { AROUND = sizeof(prefix) + SIZE_LEN + 2 };
    const char *end = json + json_len;
    size_t len = 0;
    struct field field;
    while ((json = next_field(json, end, &field)) != NULL) {
        if (AUDIT_JOURNAL_LEN - len < AROUND + field.key_len + field.value_len) {
            break;
        }
        len += put_field(&field, out + len);
    }
    return len;
}

bool
audit_journal_write(int fd, struct audit_sink_line *line)
{
#define HEAD(priority)                                                                   \
    "SYSLOG_IDENTIFIER=mtls-shim\nSYSLOG_FACILITY=3\nPRIORITY=" priority "\nMESSAGE="
    static const char warning[] = HEAD("4");
    static const char info[] = HEAD("6");
    const char *head = line->is_warning ? warning : info;
    char fields[AUDIT_JOURNAL_LEN];
    struct iovec parts[] = {
        {(void *)head, strlen(head)},
        {audit_sink_text(line), line->len}, /* its newline ends MESSAGE */
        {fields, audit_journal_fields(audit_sink_text(line), line->len, fields)},
    };
    return audit_socket_send(fd, parts, 3);
}
