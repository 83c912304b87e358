#include "config/address.h"

#include "config/glob.h"
#include "config/host.h"
#include "config/value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535
#define MAPPED_BITS 96 /* of ::ffff:0:0/96, RFC 4291, section 2.5.5.2 */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- reading ----------------------------------------------------------------------- */

static bool
parse_port(const char *text, size_t len, uint16_t *port)
{
    uint64_t number;

    if (!value_number(text, len, PORT_MAX, &number) || number == 0) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static bool
parse_ports(const char *text, struct address *address)
{
    size_t len = strcspn(text, "-");

    if (strcmp(text, "*") == 0) {
        address->first_port = 0;
        address->last_port = PORT_MAX;
        return true;
    }
    if (!parse_port(text, len, &address->first_port)) {
        return false;
    }
    address->last_port = address->first_port;
    return text[len] == '\0' ||
           (parse_port(text + len + 1, strlen(text + len + 1), &address->last_port) &&
            address->first_port <= address->last_port);
}

/* Reads "10.0.0.0/8" or "fd00::/8". */
static bool
parse_net(const char *text, size_t len, int family, struct address *address)
{
    char copy[INET6_ADDRSTRLEN + 8];
    unsigned bits = family == AF_INET ? 32 : 128;
    uint64_t prefix = bits;
    char *slash;

    if (len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (!value_number(slash + 1, strlen(slash + 1), bits, &prefix)) {
            return false;
        }
    }
    if (inet_pton(family, copy, address->bytes) != 1) {
        return false;
    }
    address->kind = family == AF_INET ? ADDRESS_V4 : ADDRESS_V6;
    address->prefix_len = (unsigned)prefix;
    if (family == AF_INET6 && prefix >= MAPPED_BITS &&
        memcmp(address->bytes, mapped, sizeof(mapped)) == 0) {
        memmove(address->bytes, address->bytes + sizeof(mapped), 4);
        address->kind = ADDRESS_V4;
        address->prefix_len -= MAPPED_BITS;
    }
    return true;
}

static bool
parse_host(struct arena *arena, const char *text, size_t len, bool names,
           struct address *address, const char **why)
{
    if (len == 1 && text[0] == '*') {
        address->kind = ADDRESS_ANY;
        return true;
    }
    if (text[0] == '[') {
        *why = "no IPv6 address or net in the brackets, such as [fd00::/8]";
        return text[len - 1] == ']' && parse_net(text + 1, len - 2, AF_INET6, address);
    }
    /* What looks like an address must be one: as a name it would never match. */
    if (strspn(text, "0123456789.*?/") >= len || memchr(text, '/', len) != NULL) {
        *why = "not an IPv4 address or net, such as 10.0.0.0/8";
        return parse_net(text, len, AF_INET, address);
    }
    if (!names) {
        *why = "want an address, a net or *: a name cannot stand here";
        return false;
    }
    *why = "not the name of a host";
    address->kind = ADDRESS_NAME;
    address->name = host_copy(arena, text, len, true);
    return address->name != NULL;
}

bool
address_parse(struct arena *arena, const char *text, bool names, struct address *address,
              const char **why)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');

    memset(address, 0, sizeof(*address));
    address->text = text;
    if (colon == NULL || (bracket != NULL && colon < bracket)) {
        *why = "no port: want HOST:PORT, HOST:FIRST-LAST or HOST:*";
        return false;
    }
    if (colon == text) {
        *why = "no host before the port: * stands for any";
        return false;
    }
    if (text[0] != '[' && memchr(text, ':', (size_t)(colon - text)) != NULL) {
        *why = "an IPv6 address stands in brackets: [::1]:443";
        return false;
    }
    if (!parse_ports(colon + 1, address)) {
        *why = "not a port from 1 to 65535, a range such as 6000-6010, or *";
        return false;
    }
    return parse_host(arena, text, (size_t)(colon - text), names, address, why);
}

/* ---- matching ---------------------------------------------------------------------- */

void
address_end(const struct sockaddr *socket, const char *name, struct address_end *end)
{
    const struct sockaddr_in *in = (const void *)socket;
    const struct sockaddr_in6 *in6 = (const void *)socket;

    memset(end, 0, sizeof(*end));
    end->port = -1;
    end->name = name;
    if (socket == NULL) {
        return;
    }
    if (socket->sa_family == AF_INET6) {
        end->port = ntohs(in6->sin6_port);
        if (memcmp(&in6->sin6_addr, mapped, sizeof(mapped)) == 0) {
            end->kind = ADDRESS_V4;
            memcpy(end->bytes, in6->sin6_addr.s6_addr + sizeof(mapped), 4);
        } else {
            end->kind = ADDRESS_V6;
            memcpy(end->bytes, &in6->sin6_addr, 16);
        }
    } else if (socket->sa_family == AF_INET || socket->sa_family == AF_UNSPEC) {
        end->port = ntohs(in->sin_port);
        if (socket->sa_family == AF_INET) {
            end->kind = ADDRESS_V4;
            memcpy(end->bytes, &in->sin_addr, 4);
        }
    }
    if (end->port == 0) {
        end->port = -1; /* not bound yet */
    }
}

void
address_end_is_remote(struct address_end *end)
{
    static const uint8_t zero[16];

    if (end->kind == ADDRESS_V4 && memcmp(end->bytes, zero, 4) == 0) {
        end->bytes[0] = 127;
        end->bytes[3] = 1;
    } else if (end->kind == ADDRESS_V6 && memcmp(end->bytes, zero, 16) == 0) {
        end->bytes[15] = 1;
    }
}

static bool
same_net(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    return memcmp(a, b, bits / 8) == 0 &&
           (rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0);
}

bool
address_matches(const struct address *address, const struct address_end *end)
{
    bool any_port = address->first_port == 0;

    if (!any_port &&
        (end->port < address->first_port || end->port > address->last_port)) {
        return false;
    }
    switch (address->kind) {
    case ADDRESS_ANY:
        return true;
    case ADDRESS_NAME:
        return end->any_name ||
               (end->name != NULL && glob_host(address->name, end->name));
    default:
        return end->kind == address->kind &&
               same_net(end->bytes, address->bytes, address->prefix_len);
    }
}

const char *
address_end_text(const struct address_end *end, char text[ADDRESS_TEXT_LEN])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const char *format = end->kind == ADDRESS_V6 ? "[%s]:%d" : "%s:%d";

    if (end->kind == ADDRESS_V4 || end->kind == ADDRESS_V6) {
        inet_ntop(end->kind == ADDRESS_V4 ? AF_INET : AF_INET6, end->bytes, host,
                  sizeof(host));
    }
    if (end->port < 0) {
        snprintf(text, ADDRESS_TEXT_LEN, "%s", end->kind == ADDRESS_ANY ? "?" : host);
    } else {
        snprintf(text, ADDRESS_TEXT_LEN, format, host, end->port);
    }
    return text;
}
