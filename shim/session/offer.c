#include "shim/session/offer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/groups.h"
#include "config/sigalgs.h"
#include "shim/session/hello_read.h"
#include "shim/session/suite.h"

enum {
    TLS_1_2 = 0x0303,
    TLS_1_3 = 0x0304,
    LIST_LEN = 44, /* for one of three lists */
};

static unsigned
number_at(struct der_span list, size_t i)
{
    return (unsigned)list.at[i] << 8 | list.at[i + 1];
}

static bool
read_offer(const uint8_t *record, size_t len, struct hello_client *offer)
{
    enum { CLIENT_HELLO = 1 };
    struct der_span body;
    return hello_read_record((struct der_span){record, len}, CLIENT_HELLO, &body) &&
           hello_read_client(body, offer);
}

/* ---- words
 * ----------------------------------------------------------------------------- */

static const char *
suite_name(unsigned number)
{
    const struct suite *suite = suite_by_number((uint16_t)number);
    return suite != NULL ? suite->name : NULL;
}

static const char *
group_name(unsigned number)
{
    for (const struct groups_entry *group = groups_list; group->name != NULL; group++) {
        if (group->number == number) {
            return group->name;
        }
    }
    return NULL;
}

static const char *
signature_name(unsigned number)
{
    const struct sigalgs_entry *entry = sigalgs_find_number((uint16_t)number);
    return entry != NULL ? entry->name : NULL;
}

/* GREASE is there to be ignored: RFC 8701. */
static bool
is_grease(unsigned number)
{
    return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

/* Adds "what a b c and 4 more": as many as fit, one at least. */
static void
put_list(char *text, size_t size, const char *what, struct der_span list,
         const char *(*name_of)(unsigned number))
{
    size_t len = (size_t)snprintf(text, size, "%s", what);
    size_t left = 0;
    bool any = false;
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        unsigned number = number_at(list, i);
        const char *name = name_of(number);
        char word[48];
        if (is_grease(number)) {
            continue;
        }
        int word_len = name != NULL ? snprintf(word, sizeof(word), " %s", name)
                                    : snprintf(word, sizeof(word), " 0x%04x", number);
        if (left > 0 || (any && len + (size_t)word_len > LIST_LEN)) {
            left++;
            continue;
        }
        any = true;
        len += (size_t)snprintf(text + len, size - len, "%s", word);
        len = len < size ? len : size - 1;
    }
    if (left > 0) {
        snprintf(text + len, size - len, " and %zu more", left);
    } else if (!any) {
        snprintf(text + len, size - len, " none");
    }
}

static const char *
version_name(unsigned number)
{
    static const char *const names[] = {"SSL 3.0", "1.0", "1.1", "1.2", "1.3"};
    return number >= 0x0300 && number <= TLS_1_3 ? names[number & 0xff] : NULL;
}

static void
put(const struct hello_client *offer, enum reason reason, char text[OFFER_LEN])
{
    if (reason == REASON_VERSION_MISMATCH) {
        const uint8_t legacy[] = {(uint8_t)(offer->legacy_version >> 8),
                                  (uint8_t)offer->legacy_version};
        put_list(text, OFFER_LEN, "TLS",
                 offer->versions.len > 0 ? offer->versions
                                         : (struct der_span){legacy, sizeof(legacy)},
                 version_name);
        return;
    }
    const struct {
        const char *what;
        struct der_span list;
        const char *(*name_of)(unsigned number);
    } lists[] = {
        {"suites", offer->suites, suite_name},
        {"; groups", offer->groups, group_name},
        {"; signatures", offer->signatures, signature_name},
    };
    for (size_t i = 0, len = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        put_list(text + len, OFFER_LEN - len, lists[i].what, lists[i].list,
                 lists[i].name_of);
        len += strlen(text + len);
    }
}

void
offer_of_peer(const uint8_t *record, size_t len, enum reason reason, char text[OFFER_LEN])
{
    struct hello_client offer;
    text[0] = '\0';
    if (read_offer(record, len, &offer)) {
        put(&offer, reason, text);
    }
}

/* ---- ourselves
 * ---------------------------------------------------------------------------
 */

enum { NUMBERS_MAX = 32 };

static void
add(uint8_t numbers[NUMBERS_MAX], struct der_span *list, unsigned number)
{
    if (list->len + 2 <= NUMBERS_MAX) {
        numbers[list->len++] = (uint8_t)(number >> 8);
        numbers[list->len++] = (uint8_t)number;
    }
    list->at = numbers;
}

static void
add_suites(const struct policy_identity *identity, uint8_t numbers[NUMBERS_MAX],
           struct der_span *list)
{
    const char *const *name = identity->ciphers;
    for (const struct suite *suite = suite_list; name == NULL && suite->number != 0;
         suite++) {
        bool is_13 = suite->number >> 8 == 0x13;
        if (is_13 ? identity->max_version == TLS_1_3 : identity->min_version == TLS_1_2) {
            add(numbers, list, suite->number);
        }
    }
    for (; name != NULL && *name != NULL; name++) {
        const struct suite *suite = suite_by_name(*name);
        add(numbers, list, suite != NULL ? suite->number : 0);
    }
}

static void
add_groups(const struct policy_identity *identity, uint8_t numbers[NUMBERS_MAX],
           struct der_span *list)
{
    const char *const *name = identity->groups != NULL ? identity->groups : groups_usual;
    for (; *name != NULL; name++) {
        const struct groups_entry *group = groups_find(*name);
        add(numbers, list, group != NULL ? group->number : 0);
    }
}

static void
add_signatures(const struct policy_identity *identity, uint8_t numbers[NUMBERS_MAX],
               struct der_span *list)
{
    const char *const *name = identity->signature_algorithms;
    for (const struct sigalgs_entry *entry = sigalgs_list;
         name == NULL && entry->name != NULL; entry++) {
        add(numbers, list, entry->number);
    }
    for (; name != NULL && *name != NULL; name++) {
        const struct sigalgs_entry *entry = sigalgs_find(*name);
        add(numbers, list, entry != NULL ? entry->number : 0);
    }
}

void
offer_of_identity(const struct policy_identity *identity, enum reason reason,
                  char text[OFFER_LEN])
{
    uint8_t versions[NUMBERS_MAX];
    uint8_t suites[NUMBERS_MAX];
    uint8_t groups[NUMBERS_MAX];
    uint8_t signatures[NUMBERS_MAX];
    struct hello_client offer;
    memset(&offer, 0, sizeof(offer));
    for (unsigned version = identity->max_version; version >= identity->min_version;
         version--) {
        add(versions, &offer.versions, version);
    }
    add_suites(identity, suites, &offer.suites);
    add_groups(identity, groups, &offer.groups);
    add_signatures(identity, signatures, &offer.signatures);
    put(&offer, reason, text);
}

static bool
holds(struct der_span list, unsigned number)
{
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if (number_at(list, i) == number) {
            return true;
        }
    }
    return false;
}

/* RFC 8446 section 4.2.1: without the extension, the field's version or an older one. */
static bool
has_our_version(const struct hello_client *offer, const struct policy_identity *identity)
{
    if (offer->versions.len == 0) {
        return identity->min_version == TLS_1_2 && offer->legacy_version >= TLS_1_2;
    }
    for (unsigned version = identity->min_version; version <= identity->max_version;
         version++) {
        if (holds(offer->versions, version)) {
            return true;
        }
    }
    return false;
}

static bool
has_our_group(const struct hello_client *offer, const struct policy_identity *identity)
{
    uint8_t numbers[NUMBERS_MAX];
    struct der_span ours = {NULL, 0};
    add_groups(identity, numbers, &ours);
    for (size_t i = 0; i + 1 < ours.len; i += 2) {
        if (holds(offer->groups, number_at(ours, i))) {
            return true;
        }
    }
    return offer->groups.len == 0;
}

enum reason
offer_check_client(const uint8_t *record, size_t len,
                   const struct policy_identity *identity)
{
    struct hello_client offer;
    if (!read_offer(record, len, &offer)) {
        return REASON_NONE;
    }
    if (!has_our_version(&offer, identity)) {
        return REASON_VERSION_MISMATCH;
    }
    return has_our_group(&offer, identity) ? REASON_NONE : REASON_CIPHER_MISMATCH;
}

unsigned
offer_version_of_server(struct der_span record)
{
    enum { SERVER_HELLO = 2 };
    struct hello_server server;
    struct der_span body;
    return hello_read_record(record, SERVER_HELLO, &body) &&
                   hello_read_server(body, &server)
               ? server.version
               : 0;
}

enum reason
offer_check_server(const uint8_t *record, size_t len,
                   const struct policy_identity *identity, char text[OFFER_LEN])
{
    unsigned version = offer_version_of_server((struct der_span){record, len});
    const char *name = version_name(version);
    if (version == 0 ||
        (version >= identity->min_version && version <= identity->max_version)) {
        return REASON_NONE;
    }
    snprintf(text, OFFER_LEN, "TLS %s",
             name != NULL ? name : "of a version unknown to us");
    return REASON_VERSION_MISMATCH;
}
