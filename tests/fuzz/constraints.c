/*
 * Whatever a CA says in its name constraints, and whatever names are below it: there is
 * an answer, and names that nobody has are within all constraints that can be read.
 *
 * An input is two certificates, each behind its length in two bytes: the CA's first.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "shim/session/constraints.h"
#include "shim/session/peer_der.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static struct der_span
take(const uint8_t **at, size_t *left)
{
    struct der_span taken = {*at, 0};
    if (*left < 2) {
        return taken;
    }
    taken.at += 2;
    taken.len = (size_t)(*at)[0] << 8 | (*at)[1];
    taken.len = taken.len < *left - 2 ? taken.len : *left - 2;
    *at = taken.at + taken.len;
    *left -= 2 + taken.len;
    return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    static const uint8_t name_constraints[] = {0x55, 0x1d, 0x1e};
    struct der_span ca = take(&input, &len);
    struct der_span certificate = take(&input, &len);
    struct der_span extension;
    struct peer_parts parts;
    bool allowed = constraints_allow(ca, certificate);
    bool constrains =
        peer_der_extension(ca, name_constraints, sizeof(name_constraints), &extension);
    if ((!constrains && !allowed) ||
        (constrains && allowed && !peer_der_certificate(certificate, &parts))) {
        abort();
    }
    return 0;
}
