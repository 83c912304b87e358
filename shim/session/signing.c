#include "shim/session/signing.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <wolfssl/internal.h>

#include "config/sigalgs.h"

static void
add(Suites *suites, uint16_t number)
{
    if (suites->hashSigAlgoSz + 2 <= WOLFSSL_MAX_SIGALGO) {
        suites->hashSigAlgo[suites->hashSigAlgoSz++] = (byte)(number >> 8);
        suites->hashSigAlgo[suites->hashSigAlgoSz++] = (byte)number;
    }
}

int
signing_set(WOLFSSL_CTX *ctx, const struct policy_identity *identity)
{
    Suites *suites = ctx->suites;
    const char *const *name = identity->signature_algorithms;
    if (suites == NULL) {
        return -EINVAL;
    }
    suites->hashSigAlgoSz = 0;
    for (const struct sigalgs_entry *entry = sigalgs_list;
         name == NULL && entry->name != NULL; entry++) {
        add(suites, entry->number);
    }
    for (; name != NULL && *name != NULL; name++) {
        const struct sigalgs_entry *entry = sigalgs_find(*name);
        if (entry == NULL) {
            return -EINVAL;
        }
        add(suites, entry->number);
    }
    return suites->hashSigAlgoSz > 0 ? 0 : -EINVAL;
}

/* wolfSSL's two bytes as they were on the wire; RSA-PSS has two forms for each hash. */
static bool
is_number(uint16_t number, int hash, int kind)
{
    if (kind == ed25519_sa_algo) {
        return number == 0x0807;
    }
    if (kind == rsa_pss_sa_algo) {
        return number == (0x0800 | hash) || number == (0x0800 | (hash + 5));
    }
    return number == (hash << 8 | kind);
}

bool
signing_was_met(const WOLFSSL *ssl, const struct policy_identity *identity)
{
    int hash = ssl->options.peerHashAlgo;
    int kind = ssl->options.peerSigAlgo;
    for (const char *const *name = identity->signature_algorithms;
         name != NULL && *name != NULL; name++) {
        const struct sigalgs_entry *entry = sigalgs_find(*name);
        if (entry != NULL && is_number(entry->number, hash, kind)) {
            return true;
        }
    }
    return identity->signature_algorithms == NULL;
}
