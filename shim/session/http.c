#include "shim/session/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define REQUEST_TYPE "application/ocsp-request"
#define RESPONSE_TYPE "application/ocsp-response"

/* What the header says of the body. */
struct header {
    size_t len; /* of the header, with the empty line */
    bool has_length;
    size_t length;
    bool chunked;
    bool other_type;
};

/* A piece of the data: a line without its end, the value of a field. */
struct text {
    const char *at;
    size_t len;
};

size_t
http_post(const struct url *url, size_t body_len, char header[HTTP_REQUEST_MAX])
{
    char port[8] = "";
    if (url->port != 80) {
        snprintf(port, sizeof(port), ":%u", url->port);
    }
    int len = snprintf(header, HTTP_REQUEST_MAX,
                       "POST %s HTTP/1.1\r\n"
                       "Host: %s%s%s%s\r\n"
                       "Content-Type: " REQUEST_TYPE "\r\n"
                       "Accept: " RESPONSE_TYPE "\r\n"
                       "Content-Length: %zu\r\n"
                       "Connection: close\r\n\r\n",
                       url->path, url->is_bracketed ? "[" : "", url->host,
                       url->is_bracketed ? "]" : "", port, body_len);
    return (size_t)len;
}

/* Takes the next line off. Returns false when its end has not come. */
static bool
next_line(struct text *rest, struct text *line)
{
    const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    if (end == NULL) {
        return false;
    }
    line->at = rest->at;
    line->len = (size_t)(end - rest->at);
    rest->len -= line->len + 1;
    rest->at = end + 1;
    if (line->len > 0 && line->at[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK". Returns the status; 0 = no such line. */
static int
read_status(struct text line)
{
    if (line.len < strlen("HTTP/1.1 200") || memcmp(line.at, "HTTP/1.", 7) != 0 ||
        !is_digit(line.at[7]) || line.at[8] != ' ') {
        return 0;
    }
    const char *digit = line.at + 9;
    if (!is_digit(digit[0]) || !is_digit(digit[1]) || !is_digit(digit[2]) ||
        digit[0] == '0' || (line.len > 12 && digit[3] != ' ')) {
        return 0;
    }
    return (digit[0] - '0') * 100 + (digit[1] - '0') * 10 + (digit[2] - '0');
}

/* The value when the line is this field's. */
static bool
is_field(struct text line, const char *name, struct text *value)
{
    size_t len = strlen(name);
    if (line.len <= len || line.at[len] != ':' || strncasecmp(line.at, name, len) != 0) {
        return false;
    }
    value->at = line.at + len + 1;
    value->len = line.len - len - 1;
    while (value->len > 0 && (value->at[0] == ' ' || value->at[0] == '\t')) {
        value->at++;
        value->len--;
    }
    while (value->len > 0 &&
           (value->at[value->len - 1] == ' ' || value->at[value->len - 1] == '\t')) {
        value->len--;
    }
    return true;
}

static bool
is_word(struct text value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.at, word, value.len) == 0;
}

/* A number that fits an answer; hex for the length of a chunk. */
static bool
read_number(struct text text, unsigned base, size_t *number)
{
    static const char digits[] = "0123456789abcdef";
    size_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        const char *digit = c != '\0' ? strchr(digits, c) : NULL;
        if (digit == NULL || digit - digits >= (ptrdiff_t)base) {
            return false;
        }
        sum = sum * base + (size_t)(digit - digits);
        if (sum > HTTP_ANSWER_MAX) {
            return false;
        }
    }
    *number = sum;
    return text.len > 0;
}

/* Returns false for what makes the length of the body uncertain. */
static bool
read_field(struct text line, struct header *header)
{
    struct text value;
    if (is_field(line, "Content-Length", &value)) {
        if (header->has_length || !read_number(value, 10, &header->length)) {
            return false;
        }
        header->has_length = true;
    } else if (is_field(line, "Transfer-Encoding", &value)) {
        if (header->chunked || !is_word(value, "chunked")) {
            return false;
        }
        header->chunked = true;
    } else if (is_field(line, "Content-Type", &value)) {
        const char *end = value.len > 0 ? memchr(value.at, ';', value.len) : NULL;
        value.len = end != NULL ? (size_t)(end - value.at) : value.len;
        header->other_type = !is_word(value, RESPONSE_TYPE);
    }
    return !(header->has_length && header->chunked);
}

/* Returns HTTP_WHOLE when the header is. */
static enum http_state
read_header(const uint8_t *data, size_t len, struct http_answer *answer,
            struct header *header)
{
    struct text rest = {(const char *)data, len};
    struct text line;
    if (!next_line(&rest, &line)) {
        return HTTP_MORE;
    }
    int status = read_status(line);
    if (status == 0) {
        return HTTP_MALFORMED;
    }
    while (next_line(&rest, &line)) {
        if (line.len == 0) {
            answer->status = status;
            header->len = len - rest.len;
            return HTTP_WHOLE;
        }
        if (!read_field(line, header)) {
            return HTTP_MALFORMED;
        }
    }
    return HTTP_MORE;
}

/* Walks over the chunks; joins them when join is set, which wants them to be whole. */
static enum http_state
read_chunks(uint8_t *data, size_t len, bool join, size_t *joined)
{
    struct text rest = {(const char *)data, len};
    struct text line;
    size_t size;
    *joined = 0;
    while (next_line(&rest, &line)) {
        const char *end = line.len > 0 ? memchr(line.at, ';', line.len) : NULL;
        line.len = end != NULL ? (size_t)(end - line.at) : line.len;
        if (!read_number(line, 16, &size)) {
            return HTTP_MALFORMED;
        }
        if (size == 0) {
            return HTTP_WHOLE; /* trailers say nothing that we want to know */
        }
        if (rest.len < size + 1) {
            return HTTP_MORE;
        }
        if (join) {
            memmove(data + *joined, rest.at, size);
        }
        *joined += size;
        rest.at += size;
        rest.len -= size;
        if (rest.at[0] == '\r' && rest.len < 2) {
            return HTTP_MORE;
        }
        if (!next_line(&rest, &line) || line.len != 0) {
            return HTTP_MALFORMED;
        }
    }
    return rest.len > 64 ? HTTP_MALFORMED : HTTP_MORE;
}

static enum http_state
read_body(uint8_t *data, size_t len, bool ended, const struct header *header,
          struct http_answer *answer)
{
    answer->body = data;
    if (header->chunked) {
        enum http_state state = read_chunks(data, len, false, &answer->body_len);
        return state == HTTP_WHOLE ? read_chunks(data, len, true, &answer->body_len)
                                   : state;
    }
    answer->body_len = header->has_length ? header->length : len;
    if (header->has_length) {
        return len >= header->length ? HTTP_WHOLE : HTTP_MORE;
    }
    return ended ? HTTP_WHOLE : HTTP_MORE;
}

enum http_state
http_read(uint8_t *data, size_t len, bool ended, struct http_answer *answer)
{
    struct header header = {0};
    *answer = (struct http_answer){0};
    enum http_state state = read_header(data, len, answer, &header);
    if (state == HTTP_WHOLE) {
        if (answer->status != 200) {
            return HTTP_REFUSED;
        }
        if (header.other_type) {
            return HTTP_OTHER;
        }
        state = read_body(data + header.len, len - header.len, ended, &header, answer);
    }
    if (state == HTTP_MORE && (ended || len >= HTTP_ANSWER_MAX)) {
        return HTTP_MALFORMED;
    }
    return state;
}
