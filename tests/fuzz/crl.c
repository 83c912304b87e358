/*
 * Any bytes as a revocation list: it is refused, or its parts lie within it and what it
 * has is found again.
 */
#include "config/crl.h"
#include "config/crl_list.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/fuzz.h"

static void
check_within(struct der_span outer, struct der_span inner)
{
    require(inner.len == 0 || (inner.at >= outer.at && inner.len <= outer.len &&
                               (size_t)(inner.at - outer.at) <= outer.len - inner.len));
}

static void
check_parts(struct der_span der, const struct crl_list *list)
{
    check_within(der, list->signed_part);
    check_within(list->signed_part, list->issuer);
    check_within(list->signed_part, list->revoked);
    check_within(der, list->algorithm);
    check_within(der, list->signature);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of just this size, for ASan */
    struct der_span der = {copy, len};
    struct material_blob blob = {copy, len};
    struct crl_list list;
    struct der_span serial;

    require(copy != NULL);
    memcpy(copy, input, len);
    if (crl_list_read(der, &list)) {
        check_parts(der, &list);
        if (crl_list_check(&list)) {
            struct der_span rest = list.revoked;

            while (crl_list_next(&rest, &serial, NULL)) {
                check_within(list.revoked, serial);
                require(crl_look_up(&blob, list.issuer, serial, 0) == CRL_REVOKED);
            }
            require(rest.len == 0);
        }
    }
    (void)crl_look_up(&blob, (struct der_span){(const uint8_t *)"x", 1},
                      (struct der_span){(const uint8_t *)"\1", 1}, 0);
    free(copy);
    return 0;
}
