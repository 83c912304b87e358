#include "config/keys.h"

#include <stddef.h>
#include <string.h>

#define LATER true

/* policy.5 documents each of them: tests/tools/policy_page.sh compares the two. */
static const struct keys_entry keys[] = {
    {"log", KEYS_SHIM, KEYS_TEXT, false},
    {"log_level", KEYS_SHIM, KEYS_TEXT, false},
    {"log_rate", KEYS_SHIM, KEYS_TEXT, false},
    {"metrics_dir", KEYS_SHIM, KEYS_TEXT, false},
    {"handshake_timeout", KEYS_SHIM, KEYS_TEXT, false},
    {"connect_wait", KEYS_SHIM, KEYS_TEXT, false},
    {"default_inbound", KEYS_SHIM, KEYS_TEXT, false},
    {"default_outbound", KEYS_SHIM, KEYS_TEXT, false},
    {"recheck", KEYS_SHIM, KEYS_TEXT, false},
    {"expired_sessions", KEYS_SHIM, KEYS_TEXT, false},
    {"expiry_warning", KEYS_SHIM, KEYS_TEXT, false},

    {"certificate", KEYS_IDENTITY, KEYS_TEXT, false},
    {"private_key", KEYS_IDENTITY, KEYS_TEXT, false},
    {"passphrase_file", KEYS_IDENTITY, KEYS_TEXT, false},
    {"pkcs12", KEYS_IDENTITY, KEYS_TEXT, false},
    {"trust", KEYS_IDENTITY, KEYS_TEXT, false},
    {"crl", KEYS_IDENTITY, KEYS_TEXT, false},
    {"crl_expired", KEYS_IDENTITY, KEYS_TEXT, false},
    {"ocsp", KEYS_IDENTITY, KEYS_TEXT, false},
    {"ocsp_responder", KEYS_IDENTITY, KEYS_TEXT, false},
    {"ocsp_timeout", KEYS_IDENTITY, KEYS_TEXT, false},
    {"min_version", KEYS_IDENTITY, KEYS_TEXT, false},
    {"max_version", KEYS_IDENTITY, KEYS_TEXT, false},
    {"ciphers", KEYS_IDENTITY, KEYS_WORDS, false},
    {"groups", KEYS_IDENTITY, KEYS_WORDS, false},
    {"session_tickets", KEYS_IDENTITY, KEYS_TEXT, false},
    {"signature_algorithms", KEYS_IDENTITY, KEYS_WORDS, false},

    {"service", KEYS_RULE, KEYS_TEXT, false},
    {"program", KEYS_RULE, KEYS_TEXT, false},
    {"user", KEYS_RULE, KEYS_TEXT, false},
    {"remote", KEYS_RULE, KEYS_LIST, false},
    {"local", KEYS_RULE, KEYS_LIST, false},
    {"mode", KEYS_RULE, KEYS_TEXT, false},
    {"identity", KEYS_RULE, KEYS_TEXT, false},
    {"peer_name", KEYS_OUTBOUND, KEYS_TEXT, false},
    {"verify", KEYS_RULE, KEYS_TEXT, false},
    {"allow", KEYS_RULE, KEYS_LIST, false},
    {"deny", KEYS_RULE, KEYS_LIST, false},
    {"truncation", KEYS_RULE, KEYS_TEXT, false},
    {"permissive_wait", KEYS_INBOUND, KEYS_TEXT, false},
};

const struct keys_entry *
keys_find(const char *name, unsigned sections)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if ((keys[i].sections & sections) != 0 && strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

const char *
keys_section_name(unsigned sections)
{
    switch (sections) {
    case KEYS_SHIM:
        return "shim";
    case KEYS_IDENTITY:
        return "identity";
    case KEYS_OUTBOUND:
        return "outbound";
    case KEYS_INBOUND:
        return "inbound";
    default:
        return "rule";
    }
}
