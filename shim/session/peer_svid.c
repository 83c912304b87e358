#include "shim/session/peer_svid.h"

#include <string.h>
#include <strings.h>

#include "shim/session/peer_der.h"

#define SCHEME "spiffe:"
#define START "spiffe://"
enum { ID_LEN_MAX = 2048, DOMAIN_LEN_MAX = 255 };

static bool
is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

/* The name of a trust domain, or a segment of a path. */
static bool
is_part(const uint8_t *at, size_t len, bool is_domain)
{
    for (size_t i = 0; i < len; i++) {
        bool is_upper = at[i] >= 'A' && at[i] <= 'Z';
        if (!is_name_char(at[i]) && (is_domain || !is_upper)) {
            return false;
        }
    }
    bool is_dots = !is_domain && len <= 2 && memcmp(at, "..", len) == 0;
    return len > 0 && !is_dots && (!is_domain || len <= DOMAIN_LEN_MAX);
}

static bool
is_id(struct der_span uri)
{
    size_t start = strlen(START);
    if (uri.len <= start || uri.len > ID_LEN_MAX || memcmp(uri.at, START, start) != 0) {
        return false;
    }
    bool is_domain = true;
    for (size_t from = start; from <= uri.len; is_domain = false) {
        size_t to = from;
        while (to < uri.len && uri.at[to] != '/') {
            to++;
        }
        if (!is_part(uri.at + from, to - from, is_domain)) {
            return false;
        }
        from = to + 1;
    }
    return true;
}

bool
peer_svid_is_spiffe(struct der_span uri)
{
    return uri.len >= strlen(SCHEME) &&
           strncasecmp((const char *)uri.at, SCHEME, strlen(SCHEME)) == 0;
}

bool
peer_svid_has_id(struct der_span names)
{
    struct der_span id = {NULL, 0};
    struct der_item name;
    int count = 0;
    while (der_next(&names, &name)) {
        if (name.tag == PEER_DER_SAN_URI) {
            id = name.value;
            count++;
        }
    }
    return count == 1 && is_id(id);
}
