#include "shim/session/constraints.h"

#include <string.h>

#include "shim/session/peer_der.h"

enum {
    PERMITTED = 0xa0,
    EXCLUDED = 0xa1,
    DIRECTORY = 0xa4, /* GeneralName: [4] directoryName */
};

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool
is_equal(struct der_span a, struct der_span b)
{
    bool equal = a.len == b.len;
    for (size_t i = 0; equal && i < a.len; i++) {
        equal = lower(a.at[i]) == lower(b.at[i]);
    }
    return equal;
}

/* What is behind the first of these characters; empty where there is none. */
static struct der_span
behind(struct der_span text, char c)
{
    const uint8_t *found = text.len > 0 ? memchr(text.at, c, text.len) : NULL;
    if (found == NULL) {
        return (struct der_span){text.at, 0};
    }
    return (struct der_span){found + 1, text.len - (size_t)(found + 1 - text.at)};
}

static bool
ends_with(struct der_span name, struct der_span end)
{
    return name.len > end.len &&
           is_equal((struct der_span){name.at + name.len - end.len, end.len}, end);
}

static struct der_span
without_last_dot(struct der_span name)
{
    if (name.len > 0 && name.at[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

/* The name itself or one below it; ".corp.test" is for those below alone. */
static bool
dns_fits(struct der_span name, struct der_span tree, bool is_excluded)
{
    name = without_last_dot(name);
    tree = without_last_dot(tree);
    if (tree.len == 0) {
        return true;
    }
    bool below = ends_with(name, tree) &&
                 (tree.at[0] == '.' || name.at[name.len - tree.len - 1] == '.');
    if (below || is_equal(name, tree)) {
        return true;
    }
    /* *.corp.test is also a name for a.corp.test, which may be excluded. */
    return is_excluded && name.len > 2 && name.at[0] == '*' &&
           is_equal(behind(name, '.'), behind(tree, '.'));
}

/* "corp.test" is that host, ".corp.test" any below it. */
static bool
host_fits(struct der_span host, struct der_span tree)
{
    return tree.len > 0 && tree.at[0] == '.' ? ends_with(host, tree)
                                             : is_equal(host, tree);
}

/* The host of a URI: scheme://user@host:port/path. */
static struct der_span
host_of(struct der_span uri)
{
    static const char ends[] = {'/', '?', '#'};
    struct der_span none = {uri.at, 0};
    struct der_span rest = behind(uri, ':');
    if (rest.len < 2 || rest.at[0] != '/' || rest.at[1] != '/') {
        return none;
    }
    rest.at += 2;
    rest.len -= 2;
    size_t len = 0;
    while (len < rest.len && memchr(ends, rest.at[len], sizeof(ends)) == NULL) {
        len++;
    }
    rest.len = len;
    if (memchr(rest.at, '@', rest.len) != NULL) {
        rest = behind(rest, '@');
    }
    const uint8_t *port = rest.len > 0 ? memchr(rest.at, ':', rest.len) : NULL;
    if (port != NULL) {
        rest.len = (size_t)(port - rest.at);
    }
    return rest;
}

static bool
uri_fits(struct der_span uri, struct der_span tree, bool is_excluded)
{
    struct der_span host = host_of(uri);
    /* "MUST be rejected" where there is no host to compare, or it is an address. */
    if (host.len == 0 || host.at[0] == '[' ||
        (host.at[host.len - 1] >= '0' && host.at[host.len - 1] <= '9')) {
        return is_excluded;
    }
    return host_fits(host, tree);
}

static bool
mail_fits(struct der_span address, struct der_span tree)
{
    if (tree.len > 0 && memchr(tree.at, '@', tree.len) != NULL) {
        return is_equal(address, tree);
    }
    return host_fits(behind(address, '@'), tree);
}

static bool
is_in_net(struct der_span address, struct der_span tree)
{
    if (tree.len != 2 * address.len) {
        return false;
    }
    for (size_t i = 0; i < address.len; i++) {
        if (((address.at[i] ^ tree.at[i]) & tree.at[address.len + i]) != 0) {
            return false;
        }
    }
    return true;
}

/* A v4-mapped address stands for the IPv4 one, whatever net it is in itself. */
static bool
address_fits(struct der_span address, struct der_span tree, bool is_excluded)
{
    return is_in_net(peer_der_address(address), tree) ||
           (is_excluded && is_in_net(address, tree));
}

/* The next character of a value as it is compared: case and how many spaces there are do
 * not count, nor spaces at its ends (RFC 5280 section 7.1; letters of ASCII alone, as
 * OpenSSL has it). */
static bool
next_folded(const struct der_item *value, size_t *at, uint32_t *code)
{
    bool is_first = *at == 0;
    bool is_behind_space = false;
    size_t before = *at;
    bool more = peer_der_char(value, at, code);
    while (more && (*code == ' ' || (*code >= '\t' && *code <= '\r'))) {
        is_behind_space = true;
        before = *at;
        more = peer_der_char(value, at, code);
    }
    if (more && is_behind_space && !is_first) {
        *at = before;
        *code = ' ';
    }
    if (more && *code >= 'A' && *code <= 'Z') {
        *code |= 0x20;
    }
    return more;
}

/* Values in whatever type of string. */
static bool
is_same_value(const struct der_item *a, const struct der_item *b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    uint32_t code_a;
    uint32_t code_b;
    if (!peer_der_is_string(a->tag) || !peer_der_is_string(b->tag)) {
        return der_is(a->whole, b->whole.at, b->whole.len);
    }
    for (;;) {
        bool more_a = next_folded(a, &at_a, &code_a);
        bool more_b = next_folded(b, &at_b, &code_b);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        if (code_a != code_b) {
            return false;
        }
    }
}

static bool
is_same_rdn(struct der_span a, struct der_span b)
{
    struct der_span oid_a;
    struct der_span oid_b;
    struct der_item value_a;
    struct der_item value_b;
    while (peer_der_attribute(&a, &oid_a, &value_a)) {
        if (!peer_der_attribute(&b, &oid_b, &value_b) ||
            !der_is(oid_a, oid_b.at, oid_b.len) || !is_same_value(&value_a, &value_b)) {
            return false;
        }
    }
    return a.len == 0 && b.len == 0;
}

/* RDNs that begin with those of the tree. */
static bool
directory_fits(struct der_span name, struct der_span tree)
{
    struct der_item wanted;
    struct der_item rdn;
    while (der_expect(&tree, PEER_DER_SET, &wanted)) {
        if (!der_expect(&name, PEER_DER_SET, &rdn) ||
            !is_same_rdn(rdn.value, wanted.value)) {
            return false;
        }
    }
    return tree.len == 0;
}

/* Both are of this kind of GeneralName. */
static bool
fits(uint8_t kind, struct der_span name, struct der_span tree, bool is_excluded)
{
    switch (kind) {
    case PEER_DER_SAN_DNS:
        return dns_fits(name, tree, is_excluded);
    case PEER_DER_SAN_URI:
        return uri_fits(name, tree, is_excluded);
    case PEER_DER_SAN_EMAIL:
        return mail_fits(name, tree);
    case PEER_DER_SAN_IP:
        return address_fits(name, tree, is_excluded);
    case DIRECTORY: {
        struct der_item rdns;
        return der_expect(&tree, PEER_DER_SEQUENCE, &rdns) &&
               directory_fits(name, rdns.value);
    }
    default:
        return is_excluded;
    }
}

/* What a CA says: two lists of GeneralSubtree, either may be empty. */
struct trees {
    struct der_span permitted;
    struct der_span excluded;
};

static bool
may_have(const struct trees *trees, uint8_t kind, struct der_span name)
{
    struct der_span list = trees->excluded;
    struct der_item tree;
    struct der_item base;
    while (der_next(&list, &tree)) {
        if (der_next(&tree.value, &base) && base.tag == kind &&
            fits(kind, name, base.value, true)) {
            return false;
        }
    }
    list = trees->permitted;
    bool is_limited = false;
    while (der_next(&list, &tree)) {
        if (der_next(&tree.value, &base) && base.tag == kind) {
            if (fits(kind, name, base.value, false)) {
                return true;
            }
            is_limited = true;
        }
    }
    return !is_limited;
}

/* Each is a base of a known form alone: minimum and maximum are not used, RFC 5280. */
static bool
is_understood(struct der_span list)
{
    static const uint8_t kinds[] = {PEER_DER_SAN_DNS, PEER_DER_SAN_URI,
                                    PEER_DER_SAN_EMAIL, PEER_DER_SAN_IP, DIRECTORY};
    struct der_item tree;
    struct der_item base;
    while (der_expect(&list, PEER_DER_SEQUENCE, &tree)) {
        if (!der_next(&tree.value, &base) || tree.value.len != 0 ||
            memchr(kinds, base.tag, sizeof(kinds)) == NULL) {
            return false;
        }
    }
    return list.len == 0;
}

static bool
read_trees(struct der_span extension, struct trees *trees)
{
    struct der_item whole;
    struct der_item item;
    memset(trees, 0, sizeof(*trees));
    if (!der_expect(&extension, PEER_DER_SEQUENCE, &whole) || extension.len != 0) {
        return false;
    }
    if (der_expect(&whole.value, PERMITTED, &item)) {
        trees->permitted = item.value;
    }
    if (der_expect(&whole.value, EXCLUDED, &item)) {
        trees->excluded = item.value;
    }
    return whole.value.len == 0 && is_understood(trees->permitted) &&
           is_understood(trees->excluded);
}

/* RFC 5280 section 4.2.1.10 has constraints of addresses concern those in a subject, too,
 * where there are no alternative names; they do always, as with OpenSSL. */
static bool
may_have_address(const struct trees *trees, const struct der_item *value)
{
    uint8_t text[256];
    size_t len = 0;
    size_t at = 0;
    uint32_t code;
    while (peer_der_char(value, &at, &code)) {
        if (len == sizeof(text)) {
            return false;
        }
        text[len++] = code < 0x80 ? (uint8_t)code : '?';
    }
    return may_have(trees, PEER_DER_SAN_EMAIL, (struct der_span){text, len});
}

static bool
may_have_subject(const struct trees *trees, struct der_span subject)
{
    static const uint8_t email_address[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                            0x0d, 0x01, 0x09, 0x01};
    struct der_item rdn;
    struct der_item value;
    struct der_span oid;
    if (subject.len > 0 && !may_have(trees, DIRECTORY, subject)) {
        return false;
    }
    while (der_expect(&subject, PEER_DER_SET, &rdn)) {
        while (peer_der_attribute(&rdn.value, &oid, &value)) {
            if (der_is(oid, email_address, sizeof(email_address)) &&
                !may_have_address(trees, &value)) {
                return false;
            }
        }
    }
    return true;
}

bool
constraints_allow(struct der_span ca, struct der_span certificate)
{
    static const uint8_t name_constraints[] = {0x55, 0x1d, 0x1e}; /* 2.5.29.30 */
    struct der_span extension;
    struct peer_parts parts;
    struct trees trees;
    if (!peer_der_extension(ca, name_constraints, sizeof(name_constraints), &extension)) {
        return true;
    }
    if (!read_trees(extension, &trees) || !peer_der_certificate(certificate, &parts)) {
        return false;
    }
    if (!may_have_subject(&trees, parts.subject)) {
        return false;
    }
    struct der_item name;
    while (der_next(&parts.san, &name)) {
        struct der_item rdns;
        struct der_span value = name.value;
        if (name.tag == DIRECTORY) {
            if (!der_expect(&value, PEER_DER_SEQUENCE, &rdns)) {
                return false;
            }
            value = rdns.value;
        }
        if (!may_have(&trees, name.tag, value)) {
            return false;
        }
    }
    return true;
}
