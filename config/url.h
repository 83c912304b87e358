/*
 * Addresses of the form http://HOST[:PORT][/PATH].
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_LEN_MAX 1024
#define URL_HOST_LEN 254

struct url {
    char host[URL_HOST_LEN]; /* a name or an address, without brackets */
    uint16_t port;
    bool is_bracketed;      /* an IPv6 address */
    char path[URL_LEN_MAX]; /* with the query, "/" at least */
};

/*
 * Takes an URL apart.  Some come from certificates: what could say more to a server than
 * which of its pages is wanted (a user, a fragment, bytes that end a line) is refused.
 *
 *   text  in   len bytes, none of which need be a NUL
 *   url   out  untouched on failure
 *
 * Returns  whether it is such an URL.
 * Source   RFC 9110, section 4.2.1; RFC 3986, section 3.2.
 */
bool url_parse(const char *text, size_t len, struct url *url);

#endif
