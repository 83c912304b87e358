#include "config/peer_entry.h"

#include "config/host.h"

#include <string.h>

#define SHA256_DIGITS 64
#define SERIAL_DIGITS_MAX 40 /* RFC 5280, section 4.1.2.2: 20 octets */

/* Names by enum policy_peer_kind. */
static const char *const kind_names[] = {"dns",    "uri",    "cn",   "ou",    "o",
                                         "issuer", "sha256", "spki", "serial"};

const char *
policy_peer_kind_name(enum policy_peer_kind kind)
{
    return (size_t)kind < sizeof(kind_names) / sizeof(kind_names[0]) ? kind_names[kind]
                                                                     : "?";
}

static int
find_kind(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strlen(kind_names[i]) == len && strncmp(kind_names[i], text, len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Copies hex digits in lower case and drops colons between pairs; NULL for other text. */
static char *
copy_hex(struct arena *arena, const char *text)
{
    char *copy = arena_alloc(arena, strlen(text) + 1);
    size_t len = 0;

    for (; copy != NULL && *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'F') {
            copy[len++] = (char)(*text - 'A' + 'a');
        } else if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f')) {
            copy[len++] = *text;
        } else if (*text != ':' || len == 0 || text[1] == ':' || text[1] == '\0') {
            return NULL;
        }
    }
    return copy;
}

static const char *
copy_serial(struct arena *arena, const char *text)
{
    const char *copy = copy_hex(arena, text);

    if (copy == NULL || copy[0] == '\0') {
        return NULL;
    }
    while (copy[0] == '0' && copy[1] != '\0') {
        copy++;
    }
    return strlen(copy) <= SERIAL_DIGITS_MAX ? copy : NULL;
}

/* "scheme:more", RFC 3986, section 3; white space cannot be in a URI. */
static bool
is_uri(const char *text)
{
    static const char scheme[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789+.-";
    size_t len = strspn(text, scheme);

    return len > 0 && text[len] == ':' && text[len + 1] != '\0' &&
           strpbrk(text, " \t") == NULL;
}

/* Returns NULL, and what is wanted instead, when the text does not fit the kind. */
static const char *
normalise(struct arena *arena, enum policy_peer_kind kind, const char *text,
          const char **want)
{
    const char *copy;

    switch (kind) {
    case POLICY_PEER_DNS:
        *want = "the name of a host, or a glob such as *.db.internal";
        return host_copy(arena, text, strlen(text), true);
    case POLICY_PEER_URI:
        *want = "a URI, or a glob such as spiffe://corp/ns/*/sa/db";
        return is_uri(text) ? text : NULL;
    case POLICY_PEER_SHA256:
        *want = "the certificate's SHA-256 as 64 hex digits";
        copy = copy_hex(arena, text);
        return copy != NULL && strlen(copy) == SHA256_DIGITS ? copy : NULL;
    case POLICY_PEER_SPKI:
        *want = "the SHA-256 of the public key (SubjectPublicKeyInfo) as 64 hex digits";
        copy = copy_hex(arena, text);
        return copy != NULL && strlen(copy) == SHA256_DIGITS ? copy : NULL;
    case POLICY_PEER_SERIAL:
        *want = "a serial number in hex";
        return copy_serial(arena, text);
    default:
        *want = "a name";
        return text[0] != '\0' ? text : NULL;
    }
}

bool
peer_entry_parse(struct build *build, const char *key, const struct draft_item *item,
                 struct policy_peer *peer)
{
    size_t len = strcspn(item->text, ":");
    const char *text = item->text + len + (item->text[len] == ':' ? 1 : 0);
    const char *want = NULL;
    int kind = find_kind(item->text, len);

    text += strspn(text, " \t");
    if (kind < 0 || item->text[len] != ':') {
        build_problem(build, item->line,
                      "%s: '%s' begins with none of dns:, uri:, cn:, ou:, o:, issuer:, "
                      "sha256:, spki: and serial:",
                      key, item->text);
        return false;
    }
    text = normalise(build->arena, (enum policy_peer_kind)kind, text, &want);
    if (text == NULL) {
        build_problem(build, item->line, "%s: '%s': want %s", key, item->text, want);
        return false;
    }
    *peer = (struct policy_peer){.kind = (enum policy_peer_kind)kind, .text = text};
    return true;
}
