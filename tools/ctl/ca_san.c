#include "tools/ctl/ca_san.h"

#include "tools/ctl/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TAG_DNS 0x82 /* GeneralName, RFC 5280, section 4.2.1.6 */
#define TAG_URI 0x86
#define TAG_IP 0x87

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

void
ca_san_put(struct ca_der *der, const struct ca_san *san, size_t count)
{
    size_t since = ca_der_len(der);
    uint8_t address[16];

    for (size_t i = count; i-- > 0;) {
        const char *text = san[i].text;

        if (san[i].kind == CA_SAN_IP) {
            ca_der_element(der, TAG_IP, address, parse_ip(text, address));
        } else {
            ca_der_element(der, san[i].kind == CA_SAN_DNS ? TAG_DNS : TAG_URI, text,
                           strlen(text));
        }
    }
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
}

int
ca_san_read(const struct der_item *general_name, struct ca_san *san)
{
    char address[INET6_ADDRSTRLEN];
    const struct der_span value = general_name->value;
    const char *text = NULL;
    char *copy = NULL;

    if (general_name->tag == TAG_IP && (value.len == 4 || value.len == 16)) {
        san->kind = CA_SAN_IP;
        text = inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.at, address,
                         sizeof(address));
        copy = text != NULL ? strdup(text) : NULL;
    } else if ((general_name->tag == TAG_DNS || general_name->tag == TAG_URI) &&
               memchr(value.at, '\0', value.len) == NULL) {
        san->kind = general_name->tag == TAG_DNS ? CA_SAN_DNS : CA_SAN_URI;
        copy = strndup((const char *)value.at, value.len);
    } else {
        return ca_error(-EINVAL, "the request asks for a name that is neither DNS, nor "
                                 "IP, nor URI; leave out --take-names and say which "
                                 "names it gets with --dns, --ip and --uri");
    }
    san->text = copy;
    return copy != NULL ? ca_san_check(san) : ca_error(-ENOMEM, "%s", strerror(ENOMEM));
}

/* ---- name constraints -------------------------------------------------------------- */

/* Takes ADDRESS/BITS apart into address and mask; their length together, 0 = neither. */
static size_t
parse_net(const char *text, uint8_t out[32])
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : sizeof(address);
    unsigned long bits;
    char *end;

    if (len >= sizeof(address) || slash[1] < '0' || slash[1] > '9') {
        return 0;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    len = parse_ip(address, out);
    bits = strtoul(slash + 1, &end, 10);
    if (len == 0 || *end != '\0' || bits > len * 8) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        size_t left = bits > i * 8 ? bits - i * 8 : 0;

        out[len + i] = (uint8_t)(left >= 8 ? 0xff : 0xff00 >> left);
        out[i] &= out[len + i];
    }
    return 2 * len;
}

/* A leading dot has it mean what is below, without the host itself. */
static bool
domain_valid(const char *text)
{
    return text[0] != '*' && dns_valid(text[0] == '.' ? text + 1 : text);
}

int
ca_san_add_subtree(struct ca_subtrees *subtrees, const char *option, const char *text)
{
    static const char *const kinds[] = {
        [CA_SAN_DNS] = "dns:", [CA_SAN_IP] = "ip:", [CA_SAN_URI] = "uri:"};
    struct ca_san *san = &subtrees->at[subtrees->count];
    uint8_t net[32];

    if (subtrees->count == CA_MAX_SUBTREES) {
        return ca_error(-EINVAL, "--%s: more than %d of them", option, CA_MAX_SUBTREES);
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(text, kinds[i], len) != 0) {
            continue;
        }
        san->kind = (enum ca_san_kind)i;
        san->text = text + len;
        if (san->kind == CA_SAN_IP ? parse_net(san->text, net) != 0
                                   : domain_valid(san->text)) {
            subtrees->count++;
            return 0;
        }
    }
    return ca_error(-EINVAL,
                    "--%s %s: want dns:DOMAIN, ip:ADDRESS/BITS or uri:HOST, such as "
                    "dns:corp.internal, ip:10.0.0.0/8, uri:corp",
                    option, text);
}

void
ca_san_put_subtrees(struct ca_der *der, const struct ca_subtrees *subtrees)
{
    uint8_t net[32];

    for (size_t i = subtrees->count; i-- > 0;) {
        const struct ca_san *san = &subtrees->at[i];
        size_t since = ca_der_len(der);

        if (san->kind == CA_SAN_IP) {
            ca_der_element(der, TAG_IP, net, parse_net(san->text, net));
        } else {
            ca_der_element(der, san->kind == CA_SAN_DNS ? TAG_DNS : TAG_URI, san->text,
                           strlen(san->text));
        }
        ca_der_wrap(der, CA_DER_SEQUENCE, since);
    }
}
