#include "shim/session/peer_list.h"

#include <string.h>
#include <strings.h>

#include "config/glob.h"
#include "shim/session/peer_svid.h"
#include "shim/session/peer_text.h"

#define ATTRIBUTE_LEN_MAX                                                                \
    512                     /* of a CN, OU or O in UTF-8; RFC 5280 allows 64 characters  \
                             */
#define ISSUER_LEN_MAX 2048 /* as text */

static char
fold(char c, bool ignore_case)
{
    return ignore_case && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* A '*' at p that makes up a whole segment of the pattern. */
static bool
is_whole_segment(const char *pattern, const char *p, char separator)
{
    return (p == pattern || p[-1] == separator) && (p[1] == separator || p[1] == '\0');
}

bool
peer_list_glob(const char *pattern, struct der_span text, char separator,
               bool ignore_case)
{
    const char *p = pattern;
    const char *star = NULL; /* the last '*'; it grows up to the next separator */
    size_t star_end = 0;     /* what it has taken so far ends here */
    size_t i = 0;
    while (i < text.len || *p != '\0') {
        char c = i < text.len ? (char)text.at[i] : '\0';
        if (*p == '*') {
            star_end = i;
            if (is_whole_segment(pattern, p, separator)) {
                if (i == text.len || c == separator) {
                    return false;
                }
                star_end = ++i;
            }
            star = p++;
        } else if (i < text.len && *p != '\0' &&
                   (*p == '?' ? c != separator
                              : fold(*p, ignore_case) == fold(c, ignore_case))) {
            p++;
            i++;
        } else if (star != NULL && star_end < text.len &&
                   (char)text.at[star_end] != separator) {
            i = ++star_end;
            p = star + 1;
        } else {
            return false;
        }
    }
    return true;
}

static bool
is_printable(struct der_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] <= ' ' || name.at[i] >= 0x7f) {
            return false;
        }
    }
    return name.len > 0;
}

/* The length of a label, up to '.' or the end. */
static size_t
label_len(struct der_span name)
{
    const uint8_t *dot = name.len > 0 ? memchr(name.at, '.', name.len) : NULL;
    return dot != NULL ? (size_t)(dot - name.at) : name.len;
}

/* Whether some name that a DNS SAN with wildcards covers fits a pattern: label by label,
 * where a label with a wildcard, even an illegal one, covers any. */
static bool
covers(struct der_span name, const char *pattern)
{
    for (;;) {
        char label[256];
        size_t len = label_len(name);
        size_t pattern_len = strcspn(pattern, ".");
        if (pattern_len >= sizeof(label)) {
            return true;
        }
        memcpy(label, pattern, pattern_len);
        label[pattern_len] = '\0';
        if ((len == 0 || memchr(name.at, '*', len) == NULL) &&
            !peer_list_glob(label, (struct der_span){name.at, len}, '.', true)) {
            return false;
        }
        if (len == name.len || pattern[pattern_len] == '\0') {
            return len == name.len && pattern[pattern_len] == '\0';
        }
        name.at += len + 1;
        name.len -= len + 1;
        pattern += pattern_len + 1;
    }
}

static bool
dns_fits(struct der_span name, const char *pattern, bool is_deny)
{
    if (name.len > 0 && name.at[name.len - 1] == '.') {
        name.len--;
    }
    if (!is_printable(name)) {
        return is_deny;
    }
    if (memchr(name.at, '*', name.len) == NULL) {
        return peer_list_glob(pattern, name, '.', true);
    }
    if (is_deny) {
        return covers(name, pattern);
    }
    return strlen(pattern) == name.len &&
           strncasecmp(pattern, (const char *)name.at, name.len) == 0;
}

static bool
uri_fits(struct der_span uri, const char *pattern, bool is_deny, bool is_svid)
{
    /* To let in: a SPIFFE ID is one only in a certificate that is fit for it. */
    if (!is_deny && !is_svid && peer_svid_is_spiffe(uri)) {
        return false;
    }
    return is_printable(uri) ? peer_list_glob(pattern, uri, '/', is_deny) : is_deny;
}

static bool
any_san(const struct peer_list_names *all, const struct policy_peer *entry, bool is_deny)
{
    struct der_span names = all->san;
    bool is_dns = entry->kind == POLICY_PEER_DNS;
    struct der_item item;
    while (der_next(&names, &item)) {
        if (item.tag == (is_dns ? PEER_DER_SAN_DNS : PEER_DER_SAN_URI) &&
            (is_dns ? dns_fits(item.value, entry->text, is_deny)
                    : uri_fits(item.value, entry->text, is_deny, all->is_svid))) {
            return true;
        }
    }
    return false;
}

/* Puts an attribute's value into UTF-8; false when it cannot be compared. */
static bool
decode(const struct der_item *value, char text[ATTRIBUTE_LEN_MAX])
{
    size_t at = 0;
    size_t len = 0;
    uint32_t code;
    while (peer_der_char(value, &at, &code)) {
        bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
        if (is_control || code >= PEER_DER_NO_CHAR || len + 4 >= ATTRIBUTE_LEN_MAX) {
            return false;
        }
        len += peer_der_utf8(code, text + len);
    }
    text[len] = '\0';
    return peer_der_is_string(value->tag);
}

/* RFC 5280 section 7.1 has no two names that differ in case alone: who is turned away as
 * one of them is not to come in as the other. */
static bool
text_fits(const char *pattern, const char *text, bool is_deny)
{
    return is_deny ? glob_any_case(pattern, text) : policy_glob(pattern, text);
}

static bool
any_attribute(struct der_span subject, const struct policy_peer *entry, bool is_deny)
{
    static const uint8_t cn[] = {0x55, 0x04, 0x03}; /* 2.5.4.3 */
    static const uint8_t ou[] = {0x55, 0x04, 0x0b}; /* 2.5.4.11 */
    static const uint8_t o[] = {0x55, 0x04, 0x0a};  /* 2.5.4.10 */
    const uint8_t *wanted = entry->kind == POLICY_PEER_CN   ? cn
                            : entry->kind == POLICY_PEER_OU ? ou
                                                            : o;
    struct der_item rdn;
    while (der_expect(&subject, PEER_DER_SET, &rdn)) {
        struct der_span oid;
        struct der_item value;
        char text[ATTRIBUTE_LEN_MAX];
        while (peer_der_attribute(&rdn.value, &oid, &value)) {
            if (der_is(oid, wanted, sizeof(cn)) &&
                (decode(&value, text) ? text_fits(entry->text, text, is_deny)
                                      : is_deny)) {
                return true;
            }
        }
    }
    return false;
}

/* Text that was cut ends like this; so may one that was not, and is then not compared. */
static bool
is_cut(const char *text)
{
    size_t len = strlen(text);
    return len >= 3 && strcmp(text + len - 3, "...") == 0;
}

static bool
issuer_fits(struct der_span issuer, const char *pattern, bool is_deny)
{
    char text[ISSUER_LEN_MAX];
    peer_text_name(issuer, text, sizeof(text));
    return is_cut(text) ? is_deny : text_fits(pattern, text, is_deny);
}

static bool
fits(const struct policy_peer *entry, const struct peer_list_names *names, bool is_deny)
{
    switch (entry->kind) {
    case POLICY_PEER_DNS:
    case POLICY_PEER_URI:
        return any_san(names, entry, is_deny);
    case POLICY_PEER_CN:
    case POLICY_PEER_OU:
    case POLICY_PEER_O:
        return any_attribute(names->subject, entry, is_deny);
    case POLICY_PEER_SHA256:
        return strcmp(entry->text, names->sha256) == 0;
    case POLICY_PEER_ISSUER:
        return issuer_fits(names->issuer, entry->text, is_deny);
    case POLICY_PEER_SPKI:
        return names->spki[0] != '\0' ? strcmp(entry->text, names->spki) == 0 : is_deny;
    case POLICY_PEER_SERIAL:
        return strcmp(entry->text, names->serial) == 0;
    }
    return is_deny;
}

const struct policy_peer *
peer_list_find(const struct policy_peer *entries, size_t count,
               const struct peer_list_names *names, bool is_deny)
{
    for (size_t i = 0; i < count; i++) {
        if (fits(&entries[i], names, is_deny)) {
            return &entries[i];
        }
    }
    return NULL;
}
