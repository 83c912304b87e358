#include "tools/ctl/ca_san.h"

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_der.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define TAG_DNS 0x82 /* GeneralName, RFC 5280, section 4.2.1.6 */
#define TAG_URI 0x86
#define TAG_IP 0x87
#define TAG_SEQUENCE 0x30

static size_t
parse_ip(const char *text, uint8_t out[16])
{
    if (inet_pton(AF_INET, text, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool
dns_valid(const char *text)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-_.";
    /* A wildcard is the whole first label or nothing (RFC 6125, section 6.4.3). */
    const char *rest = text[0] == '*' && text[1] == '.' ? text + 2 : text;
    size_t len = strlen(rest);

    return len > 0 && strlen(text) <= 253 && strspn(rest, fit) == len && rest[0] != '.' &&
           rest[len - 1] != '.' && strstr(rest, "..") == NULL;
}

static bool
uri_valid(const char *text)
{
    size_t scheme = strcspn(text, ":");

    if (scheme == 0 || text[scheme] == '\0' || text[scheme + 1] == '\0') {
        return false;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            return false;
        }
    }
    return strlen(text) <= 2048;
}

int
ca_san_check(const struct ca_san *san)
{
    uint8_t address[16];

    switch (san->kind) {
    case CA_SAN_DNS:
        return dns_valid(san->text) ? 0
                                    : ca_error(-EINVAL,
                                               "'%s' is not a DNS name; give "
                                               "another one with --dns",
                                               san->text);
    case CA_SAN_IP:
        return parse_ip(san->text, address) != 0
                   ? 0
                   : ca_error(-EINVAL, "--ip %s: not an IPv4 or IPv6 address", san->text);
    case CA_SAN_URI:
        return uri_valid(san->text)
                   ? 0
                   : ca_error(-EINVAL,
                              "--uri %s: not a URI (scheme:rest, ASCII, no spaces)",
                              san->text);
    }
    return -EINVAL;
}

int
ca_san_encode(const struct ca_san *san, size_t count, uint8_t *out, size_t size)
{
    struct ca_der der;
    uint8_t address[16];

    ca_der_init(&der, out, size);
    for (size_t i = count; i-- > 0;) {
        const char *text = san[i].text;

        if (san[i].kind == CA_SAN_IP) {
            ca_der_element(&der, TAG_IP, address, parse_ip(text, address));
        } else {
            ca_der_element(&der, san[i].kind == CA_SAN_DNS ? TAG_DNS : TAG_URI, text,
                           strlen(text));
        }
    }
    ca_der_wrap(&der, TAG_SEQUENCE, 0);
    if (der.overflow) {
        return ca_error(-E2BIG, "too many alternative names for one certificate");
    }
    memmove(out, out + der.start, ca_der_len(&der));
    return (int)ca_der_len(&der);
}
