/*
 * Whatever the first record of a handshake is: what it offers is told in text of bounded
 * length, and what is compared with ours has an answer.
 *
 * An input is the record; its last byte chooses the identity as well.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/session/offer.h"
#include "tests/lib/fuzz.h"

static void
require_text(const char text[OFFER_LEN])
{
    require(memchr(text, '\0', OFFER_LEN) != NULL);
    for (const char *at = text; *at != '\0'; at++) {
        require(*at >= ' ' && *at < 0x7f);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    static const char *const few[] = {"P-384", NULL};
    static const char *const suites[] = {"TLS_AES_256_GCM_SHA384", NULL};
    static const char *const signatures[] = {"rsa_pss_rsae_sha256", NULL};
    static const struct policy_identity identities[] = {
        {.min_version = 0x0303, .max_version = 0x0304},
        {.min_version = 0x0304, .max_version = 0x0304, .groups = few, .ciphers = suites},
        {.min_version = 0x0303,
         .max_version = 0x0303,
         .signature_algorithms = signatures},
    };
    static const enum reason reasons[] = {REASON_VERSION_MISMATCH,
                                          REASON_CIPHER_MISMATCH};
    const struct policy_identity *identity =
        &identities[len > 0 ? input[len - 1] % 3 : 0];
    char text[OFFER_LEN];
    for (int i = 0; i < 2; i++) {
        memset(text, 'x', sizeof(text));
        offer_of_peer(input, len, reasons[i], text);
        require_text(text);
        offer_of_identity(identity, reasons[i], text);
        require_text(text);
    }
    enum reason client = offer_check_client(input, len, identity);
    require(client == REASON_NONE || client == REASON_VERSION_MISMATCH ||
            client == REASON_CIPHER_MISMATCH);
    unsigned version = offer_version_of_server((struct der_span){input, len});
    require(version <= 0xffff);
    text[0] = '\0';
    enum reason server = offer_check_server(input, len, identity, text);
    require_text(text);
    require((server == REASON_NONE) ==
            (version == 0 ||
             (version >= identity->min_version && version <= identity->max_version)));
    require((server == REASON_NONE) == (text[0] == '\0'));
    return 0;
}
