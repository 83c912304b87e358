#include "config/sigalgs.h"

#include <stddef.h>
#include <string.h>

const struct sigalgs_entry sigalgs_list[] = {
    {"ecdsa_secp256r1_sha256", 0x0403}, {"ecdsa_secp384r1_sha384", 0x0503},
    {"ecdsa_secp521r1_sha512", 0x0603}, {"ed25519", 0x0807},
    {"rsa_pss_rsae_sha256", 0x0804},    {"rsa_pss_rsae_sha384", 0x0805},
    {"rsa_pss_rsae_sha512", 0x0806},    {"rsa_pss_pss_sha256", 0x0809},
    {"rsa_pss_pss_sha384", 0x080a},     {"rsa_pss_pss_sha512", 0x080b},
    {"rsa_pkcs1_sha256", 0x0401},       {"rsa_pkcs1_sha384", 0x0501},
    {"rsa_pkcs1_sha512", 0x0601},       {NULL, 0},
};

const struct sigalgs_entry *
sigalgs_find(const char *name)
{
    for (const struct sigalgs_entry *entry = sigalgs_list; entry->name != NULL; entry++) {
        if (strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

const struct sigalgs_entry *
sigalgs_find_number(uint16_t number)
{
    for (const struct sigalgs_entry *entry = sigalgs_list; entry->name != NULL; entry++) {
        if (entry->number == number) {
            return entry;
        }
    }
    return NULL;
}
