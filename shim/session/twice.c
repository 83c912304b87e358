#include "shim/session/twice.h"

#include <sys/uio.h>

enum {
    RULES = 64, /* that are warned of */
    /* RFC 8446, sections 4 and 5.1: type, version, length; then the type of the message
     */
    PREFIX_LEN = 6,
    CONTENT_HANDSHAKE = 0x16,
    VERSION_MAJOR = 3,
    VERSION_MINOR_MAX = 4,
    MESSAGE_CLIENT_HELLO = 1,
};

/* Hashes of names: rules themselves come and go with the policy. */
static _Atomic uint64_t warned[RULES];

static bool
is_client_hello(const uint8_t *bytes)
{
    return bytes[0] == CONTENT_HANDSHAKE && bytes[1] == VERSION_MAJOR &&
           bytes[2] <= VERSION_MINOR_MAX && bytes[5] == MESSAGE_CLIENT_HELLO;
}

/* Whether it is for this caller to warn of the rule. */
static bool
is_first(const char *rule)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */
    for (; *rule != '\0'; rule++) {
        hash = (hash ^ (uint8_t)*rule) * 0x100000001b3U;
    }
    for (int i = 0; i < RULES; i++) {
        uint64_t before = 0;
        if (atomic_compare_exchange_strong(&warned[i], &before, hash)) {
            return true;
        }
        if (before == hash) {
            return false;
        }
    }
    return false;
}

void
twice_check(const struct session *session, const struct iovec *iov, int count)
{
    if (count < 1 || iov[0].iov_len < PREFIX_LEN || !is_client_hello(iov[0].iov_base) ||
        !is_first(session->rule)) {
        return;
    }
    struct audit_record line = session_line(session, AUDIT_WARNING);
    line.detail =
        "the program has TLS of its own here, which is encrypted once more: switch "
        "it off, or give the connection a rule with mode = plaintext";
    audit_write(&line);
}
