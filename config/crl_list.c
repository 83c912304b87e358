#include "config/crl_list.h"

#include "config/certs.h"

#include <string.h>

enum tag {
    BOOLEAN = 0x01,
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    UTC_TIME = 0x17,
    GENERALIZED_TIME = 0x18,
    SEQUENCE = 0x30,
    EXTENSIONS = 0xa0, /* [0] of TBSCertList */
};

static bool
read_time(struct der_span *rest, int64_t *when)
{
    struct der_item item;

    return (der_expect(rest, UTC_TIME, &item) ||
            der_expect(rest, GENERALIZED_TIME, &item)) &&
           certs_read_time(item.whole.at, item.whole.len, when) == 0;
}

/* Whether a list of Extensions is well formed; is_critical is set if one of them is. */
static bool
read_extensions(struct der_span list, bool *is_critical)
{
    struct der_item extension;
    struct der_item item;

    while (der_expect(&list, SEQUENCE, &extension)) {
        (void)der_next(&extension.value, &item); /* extnID */
        if (der_expect(&extension.value, BOOLEAN, &item)) {
            *is_critical = *is_critical || item.value.len != 1 || item.value.at[0] != 0;
        }
    }
    return list.len == 0;
}

bool
crl_list_next(struct der_span *revoked, struct der_span *serial, bool *is_partial)
{
    struct der_span rest = *revoked;
    struct der_item entry;
    struct der_item item;
    int64_t when;

    if (!der_expect(&rest, SEQUENCE, &entry) ||
        !der_expect(&entry.value, INTEGER, &item)) {
        return false;
    }
    *serial = item.value;
    if (is_partial != NULL) {
        /* Only asked for once, when the list is loaded. */
        if (!read_time(&entry.value, &when) ||
            (der_expect(&entry.value, SEQUENCE, &item) &&
             !read_extensions(item.value, is_partial)) ||
            entry.value.len != 0) {
            return false;
        }
    }
    *revoked = rest;
    return true;
}

bool
crl_list_check(struct crl_list *list)
{
    struct der_span rest = list->revoked;
    struct der_span serial;

    while (crl_list_next(&rest, &serial, &list->is_partial)) {
    }
    return rest.len == 0;
}

static bool
read_signed_part(struct der_span rest, struct crl_list *list)
{
    struct der_item extensions;
    struct der_item item;

    (void)der_expect(&rest, INTEGER, &item); /* version */
    /* The signature's algorithm stands inside, too: both must be the same. */
    if (!der_expect(&rest, SEQUENCE, &item) ||
        !der_is(item.whole, list->algorithm.at, list->algorithm.len) ||
        !der_expect(&rest, SEQUENCE, &item)) {
        return false;
    }
    list->issuer = item.value;
    if (!read_time(&rest, &list->this_update) || !read_time(&rest, &list->next_update)) {
        return false;
    }
    if (der_expect(&rest, SEQUENCE, &item)) {
        list->revoked = item.value;
    }
    if (der_expect(&rest, EXTENSIONS, &extensions) &&
        (!der_expect(&extensions.value, SEQUENCE, &item) ||
         !read_extensions(item.value, &list->is_partial))) {
        return false;
    }
    return rest.len == 0;
}

bool
crl_list_read(struct der_span der, struct crl_list *list)
{
    struct der_item outer;
    struct der_item inner;
    struct der_item item;

    memset(list, 0, sizeof(*list));
    if (!der_expect(&der, SEQUENCE, &outer) || der.len != 0 ||
        !der_expect(&outer.value, SEQUENCE, &inner) ||
        !der_expect(&outer.value, SEQUENCE, &item)) {
        return false;
    }
    list->signed_part = inner.whole;
    list->algorithm = item.whole;
    /* The first byte of a BIT STRING counts the bits that are not used. */
    if (!der_expect(&outer.value, BIT_STRING, &item) || outer.value.len != 0 ||
        item.value.len < 2 || item.value.at[0] != 0) {
        return false;
    }
    list->signature = (struct der_span){item.value.at + 1, item.value.len - 1};
    return read_signed_part(inner.value, list);
}
