#include "shim/session/suite.h"

#include <stddef.h>
#include <string.h>

const struct suite suite_list[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", RECORD_AES_128_GCM, 32},
    {0x1302, "TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", RECORD_AES_256_GCM, 48},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256",
     RECORD_CHACHA20_POLY1305, 32},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
     RECORD_AES_128_GCM, 32},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
     RECORD_AES_128_GCM, 32},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
     RECORD_AES_256_GCM, 48},
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
     RECORD_AES_256_GCM, 48},
    {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-ECDSA-CHACHA20-POLY1305", RECORD_CHACHA20_POLY1305, 32},
    {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
     RECORD_CHACHA20_POLY1305, 32},
    {0, NULL, NULL, 0, 0},
};

const struct suite *
suite_by_number(uint16_t number)
{
    for (const struct suite *suite = suite_list; suite->number != 0; suite++) {
        if (suite->number == number) {
            return suite;
        }
    }
    return NULL;
}

const struct suite *
suite_by_name(const char *name)
{
    for (const struct suite *suite = suite_list; suite->number != 0; suite++) {
        if (strcmp(suite->name, name) == 0) {
            return suite;
        }
    }
    return NULL;
}
