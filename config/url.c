#include "config/url.h"

#include "config/value.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define SCHEME "http://"
#define HTTP_PORT 80

static bool
is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.';
}

static bool
is_host(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_host_byte(text[i])) {
            return false;
        }
    }
    return len > 0;
}

/* The host, from the start of text to where port or path begin. Returns its length. */
static size_t
read_host(const char *text, size_t len, struct url *url)
{
    uint8_t address[16];
    const char *end;
    size_t host_len;

    url->is_bracketed = len > 0 && text[0] == '[';
    if (url->is_bracketed) {
        end = memchr(text, ']', len);
        text++;
        host_len = end != NULL ? (size_t)(end - text) : 0;
    } else {
        for (host_len = 0; host_len < len && is_host_byte(text[host_len]); host_len++) {
        }
    }
    if (host_len == 0 || host_len >= sizeof(url->host)) {
        return 0;
    }
    memcpy(url->host, text, host_len);
    url->host[host_len] = '\0';
    if (url->is_bracketed) {
        return inet_pton(AF_INET6, url->host, address) == 1 ? host_len + 2 : 0;
    }
    return is_host(url->host, host_len) ? host_len : 0;
}

static bool
read_path(const char *text, size_t len, struct url *url)
{
    if (len >= sizeof(url->path) || (len > 0 && text[0] != '/')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '#') {
            return false;
        }
    }
    memcpy(url->path, len > 0 ? text : "/", len > 0 ? len : 1);
    url->path[len > 0 ? len : 1] = '\0';
    return true;
}

bool
url_parse(const char *text, size_t len, struct url *url)
{
    struct url read = {.port = HTTP_PORT};
    size_t done = strlen(SCHEME);
    size_t host;

    if (len <= done || len >= URL_LEN_MAX || strncasecmp(text, SCHEME, done) != 0) {
        return false;
    }
    host = read_host(text + done, len - done, &read);
    if (host == 0) {
        return false;
    }
    done += host;
    if (done < len && text[done] == ':') {
        size_t digits = 0;
        uint64_t port = 0;

        for (done++; done + digits < len && text[done + digits] >= '0' &&
                     text[done + digits] <= '9';
             digits++) {
        }
        if (!value_number(text + done, digits, UINT16_MAX, &port) || port == 0) {
            return false;
        }
        read.port = (uint16_t)port;
        done += digits;
    }
    if (!read_path(text + done, len - done, &read)) {
        return false;
    }
    *url = read;
    return true;
}
