#include "config/suites.h"

#include <stddef.h>
#include <string.h>

#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

const struct suites_entry suites_list[] = {
    {"TLS_AES_128_GCM_SHA256", TLS_1_3},
    {"TLS_AES_256_GCM_SHA384", TLS_1_3},
    {"TLS_CHACHA20_POLY1305_SHA256", TLS_1_3},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", TLS_1_2},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", TLS_1_2},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", TLS_1_2},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", TLS_1_2},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", TLS_1_2},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TLS_1_2},
    {NULL, 0},
};

const struct suites_entry *
suites_find(const char *name)
{
    for (const struct suites_entry *suite = suites_list; suite->name != NULL; suite++) {
        if (strcmp(suite->name, name) == 0) {
            return suite;
        }
    }
    return NULL;
}
