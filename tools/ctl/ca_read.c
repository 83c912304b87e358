#include "tools/ctl/ca_read.h"

#include "config/certs.h"
#include "tools/ctl/ca_der.h"

#include <string.h>

bool
ca_read_extension(struct der_span *list, struct ca_extension *extension)
{
    struct der_item item;
    struct der_span inner;

    memset(extension, 0, sizeof(*extension));
    if (!der_expect(list, CA_DER_SEQUENCE, &item)) {
        return false;
    }
    extension->whole = item.whole;
    inner = item.value;
    if (!der_expect(&inner, CA_DER_OID, &item)) {
        return false;
    }
    extension->oid = item.value;
    if (der_expect(&inner, CA_DER_BOOLEAN, &item)) {
        extension->critical = item.value.len == 1 && item.value.at[0] != 0;
    }
    if (!der_expect(&inner, CA_DER_OCTETS, &item) || inner.len != 0) {
        return false;
    }
    extension->value = item.value;
    return true;
}

bool
ca_read_is(const struct ca_extension *extension, enum ca_extension_id id)
{
    const uint8_t oid[] = {0x55, 0x1d, (uint8_t)id};

    return der_is(extension->oid, oid, sizeof(oid));
}

bool
ca_read_find(struct der_span list, enum ca_extension_id id,
             struct ca_extension *extension)
{
    while (ca_read_extension(&list, extension)) {
        if (ca_read_is(extension, id)) {
            return true;
        }
    }
    return false;
}

int
ca_read_path_len(const struct ca_extension *extension)
{
    struct der_span list = extension->value;
    struct der_item item;

    if (!der_expect(&list, CA_DER_SEQUENCE, &item)) {
        return -1;
    }
    list = item.value;
    (void)der_expect(&list, CA_DER_BOOLEAN, &item);
    if (!der_expect(&list, CA_DER_INTEGER, &item) || item.value.len == 0) {
        return -1;
    }
    /* More than this is no limit to anybody. */
    return item.value.len == 1 && item.value.at[0] < 0x80 ? item.value.at[0] : -1;
}

/* The parts that certificates and requests have in common: subject and key. */
static bool
take(struct der_span *list, uint8_t tag, struct der_span *whole)
{
    struct der_item item;

    if (!der_expect(list, tag, &item)) {
        return false;
    }
    *whole = item.whole;
    return true;
}

/* What is signed: the first element of the outer one. */
static bool
signed_part(struct der_span der, struct der_span *list)
{
    struct der_item outer;
    struct der_item item;

    if (!der_expect(&der, CA_DER_SEQUENCE, &outer) || der.len != 0 ||
        !der_expect(&outer.value, CA_DER_SEQUENCE, &item)) {
        return false;
    }
    *list = item.value;
    return true;
}

bool
ca_read_certificate(struct der_span der, struct ca_read *parts)
{
    struct der_span list;
    struct der_span other;
    struct der_item item;

    memset(parts, 0, sizeof(*parts));
    if (!signed_part(der, &list)) {
        return false;
    }
    (void)der_expect(&list, CA_DER_CONTEXT_0, &item);
    if (!der_expect(&list, CA_DER_INTEGER, &item)) {
        return false;
    }
    parts->serial = item.value;
    if (!take(&list, CA_DER_SEQUENCE, &other) ||
        !take(&list, CA_DER_SEQUENCE, &parts->issuer) ||
        !take(&list, CA_DER_SEQUENCE, &parts->validity) ||
        !take(&list, CA_DER_SEQUENCE, &parts->subject) ||
        !take(&list, CA_DER_SEQUENCE, &parts->spki)) {
        return false;
    }
    while (der_next(&list, &item)) {
        if (item.tag == CA_DER_CONTEXT_3) {
            struct der_item extensions;

            if (!der_expect(&item.value, CA_DER_SEQUENCE, &extensions)) {
                return false;
            }
            parts->extensions = extensions.value;
        }
    }
    return list.len == 0;
}

bool
ca_read_times(const struct ca_read *parts, struct ca_times *times)
{
    struct der_span list = parts->validity;
    struct der_item item;

    if (!der_expect(&list, CA_DER_SEQUENCE, &item)) {
        return false;
    }
    list = item.value;
    return der_next(&list, &item) &&
           certs_read_time(item.whole.at, item.whole.len, &times->not_before) == 0 &&
           der_next(&list, &item) &&
           certs_read_time(item.whole.at, item.whole.len, &times->not_after) == 0;
}

/* One Attribute of a request: only the one that asks for extensions matters. */
static bool
take_attribute(struct der_span attribute, struct ca_read *parts)
{
    static const uint8_t wanted[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, /* 1.2.840.113549 */
                                     0x0d, 0x01, 0x09, 0x0e};      /* .1.9.14 */
    struct der_item item;
    struct der_item values;

    if (!der_expect(&attribute, CA_DER_OID, &item)) {
        return false;
    }
    if (!der_is(item.value, wanted, sizeof(wanted))) {
        return true;
    }
    if (parts->extensions.at != NULL || !der_expect(&attribute, CA_DER_SET, &values) ||
        !der_expect(&values.value, CA_DER_SEQUENCE, &item)) {
        return false;
    }
    parts->extensions = item.value;
    return true;
}

bool
ca_read_request(struct der_span der, struct ca_read *parts)
{
    struct der_span list;
    struct der_span attributes;
    struct der_item item;

    memset(parts, 0, sizeof(*parts));
    if (!signed_part(der, &list) || !der_expect(&list, CA_DER_INTEGER, &item) ||
        !take(&list, CA_DER_SEQUENCE, &parts->subject) ||
        !take(&list, CA_DER_SEQUENCE, &parts->spki)) {
        return false;
    }
    if (!der_expect(&list, CA_DER_CONTEXT_0, &item)) {
        return list.len == 0;
    }
    attributes = item.value;
    while (der_expect(&attributes, CA_DER_SEQUENCE, &item)) {
        if (!take_attribute(item.value, parts)) {
            return false;
        }
    }
    return attributes.len == 0 && list.len == 0;
}
