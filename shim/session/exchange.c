#include "shim/session/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "config/groups.h"

/* wolfSSL takes the numbers of the registry. */
static_assert(WOLFSSL_ECC_X25519 == 29 && WOLFSSL_ECC_SECP256R1 == 23 &&
                  WOLFSSL_ECC_SECP384R1 == 24 && WOLFSSL_ECC_SECP521R1 == 25,
              "numbers of groups");
#ifdef GROUPS_HAVE_HYBRID
static_assert(WOLFSSL_X25519MLKEM768 == GROUPS_X25519MLKEM768, "number of the hybrid");
#endif

static const char *const *
names_of(const struct policy_identity *identity)
{
    return identity->groups != NULL ? identity->groups : groups_usual;
}

int
exchange_set(WOLFSSL_CTX *ctx, const struct policy_identity *identity)
{
    int groups[GROUPS_COUNT_MAX];
    int count = 0;
    for (const char *const *name = names_of(identity);
         *name != NULL && count < GROUPS_COUNT_MAX; name++) {
        const struct groups_entry *group = groups_find(*name);
        if (group == NULL) {
            return -EINVAL;
        }
        groups[count++] = group->number;
    }
    return wolfSSL_CTX_set_groups(ctx, groups, count) == WOLFSSL_SUCCESS ? 0 : -EINVAL;
}

int
exchange_offer(WOLFSSL *ssl, const struct policy_identity *identity, uint16_t known)
{
    if (wolfSSL_version(ssl) < TLS1_3_VERSION) {
        return 0;
    }
    if (known != 0) {
        return wolfSSL_UseKeyShare(ssl, known) == WOLFSSL_SUCCESS ? 0 : -ENOMEM;
    }
    bool is_hybrid = true;
    for (const char *const *name = names_of(identity); is_hybrid && *name != NULL;
         name++) {
        const struct groups_entry *group = groups_find(*name);
        if (group == NULL || wolfSSL_UseKeyShare(ssl, group->number) != WOLFSSL_SUCCESS) {
            return -ENOMEM;
        }
        is_hybrid = group->number == GROUPS_X25519MLKEM768;
    }
    return 0;
}
