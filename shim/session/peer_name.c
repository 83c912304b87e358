#include "shim/session/peer_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "shim/session/peer.h"

#define NAME_LEN_MAX 253 /* RFC 1035 section 3.1, as text without the last dot */
#define LABEL_LEN_MAX 63

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_label_char(uint8_t c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
}

static struct der_span
without_last_dot(struct der_span name)
{
    if (name.len > 0 && name.at[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

/* A decimal or hexadecimal number, as inet_aton() takes it. */
static bool
is_number(const uint8_t *label, size_t len)
{
    bool is_hex = len >= 2 && label[0] == '0' && lower(label[1]) == 'x';
    for (size_t i = is_hex ? 2 : 0; i < len; i++) {
        uint8_t c = lower(label[i]);
        if (!is_digit(c) && !(is_hex && c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return true;
}

/*
 * Labels of letters, digits, '-' and '_', none empty, the last one no number: something
 * that ends in a number is an address to whoever dials it, however it is written.
 */
static bool
is_host_name(struct der_span name)
{
    size_t label_len = 0;
    if (name.len > NAME_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '.' && label_len > 0) {
            label_len = 0;
        } else if (!is_label_char(name.at[i]) || ++label_len > LABEL_LEN_MAX) {
            return false;
        }
    }
    return label_len > 0 && !is_number(name.at + name.len - label_len, label_len);
}

static bool
is_equal(struct der_span a, struct der_span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

bool
peer_dns_matches(const char *pattern, size_t pattern_len, const char *name)
{
    struct der_span presented =
        without_last_dot((struct der_span){(const uint8_t *)pattern, pattern_len});
    struct der_span wanted =
        without_last_dot((struct der_span){(const uint8_t *)name, strlen(name)});
    if (!is_host_name(wanted)) {
        return false;
    }
    /* RFC 9525 section 6.3: the wildcard is the whole of the left-most label. */
    if (presented.len > 2 && presented.at[0] == '*' && presented.at[1] == '.') {
        const uint8_t *dot = memchr(wanted.at, '.', wanted.len);
        if (dot == NULL) {
            return false;
        }
        wanted.len -= (size_t)(dot + 1 - wanted.at);
        wanted.at = dot + 1;
        presented.at += 2;
        presented.len -= 2;
    }
    return is_equal(presented, wanted); /* which makes it a host name, too */
}

/* Reads an address into these bytes; empty when it is none. */
static struct der_span
read_address(const char *name, uint8_t address[16])
{
    char literal[INET6_ADDRSTRLEN];
    struct in_addr v4;
    size_t len = strcspn(name, "%"); /* fe80::1%eth0: the zone is not in certificates */
    if (len < sizeof(literal)) {
        memcpy(literal, name, len);
        literal[len] = '\0';
        if (inet_pton(AF_INET6, literal, address) == 1) {
            return peer_der_address((struct der_span){address, 16});
        }
    }
    /* inet_aton() takes anything behind white space. */
    if (name[strspn(name, "0123456789abcdefABCDEFxX.")] == '\0' && inet_aton(name, &v4)) {
        memcpy(address, &v4, sizeof(v4));
        return (struct der_span){address, sizeof(v4)};
    }
    return (struct der_span){address, 0};
}

bool
peer_name_matches(struct der_span names, const char *name)
{
    uint8_t bytes[16];
    const struct der_span address = read_address(name, bytes);
    struct der_item item;
    while (der_next(&names, &item)) {
        if (address.len > 0 && item.tag == PEER_DER_SAN_IP &&
            der_is(peer_der_address(item.value), address.at, address.len)) {
            return true;
        }
        if (address.len == 0 && item.tag == PEER_DER_SAN_DNS &&
            peer_dns_matches((const char *)item.value.at, item.value.len, name)) {
            return true;
        }
    }
    return false;
}
