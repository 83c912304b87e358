#include "shim/session/ticket_key.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/lock.h"
#include "shim/session/shared.h"

struct kept_key {
    struct ticket_key key;
    int64_t born_s;
    bool made;
};

struct key_set {
    pthread_mutex_t lock;
    struct kept_key current, previous;
};

static struct key_set *set;

int
ticket_key_init(void)
{
    if (set != NULL) {
        return 0;
    }
    struct key_set *made = shared_map(sizeof(*made), true);
    if (made == NULL) {
        return -ENOMEM;
    }
    int result = record_lock_init(&made->lock);
    if (result == 0) {
        set = made;
    }
    return result;
}

/* Under the lock. */
static int
renew(int64_t now_s)
{
    struct kept_key fresh = {.born_s = now_s, .made = true};
    if (getrandom(&fresh.key, sizeof(fresh.key), 0) != (ssize_t)sizeof(fresh.key)) {
        return -EIO;
    }
    fresh.key.name[0] |= 1; /* wolfSSL takes zeros for a name that was not set */
    set->previous = set->current;
    set->current = fresh;
    wc_ForceZero(&fresh, sizeof(fresh));
    return 0;
}

static bool
seals(const struct kept_key *kept, int64_t now_s)
{
    return kept->made && now_s < kept->born_s + TICKET_KEY_PERIOD_S;
}

static bool
opens(const struct kept_key *kept, const uint8_t *name, int64_t now_s)
{
    return kept->made && now_s < kept->born_s + 2 * TICKET_KEY_PERIOD_S &&
           memcmp(kept->key.name, name, TICKET_KEY_NAME_LEN) == 0;
}

int
ticket_key_current(int64_t now_s, struct ticket_key *key)
{
    if (set == NULL || !shared_lock(&set->lock)) {
        return -ENOMEM;
    }
    int result = seals(&set->current, now_s) ? 0 : renew(now_s);
    if (result == 0) {
        *key = set->current.key;
    }
    pthread_mutex_unlock(&set->lock);
    return result;
}

int
ticket_key_find(const uint8_t name[TICKET_KEY_NAME_LEN], int64_t now_s,
                struct ticket_key *key)
{
    if (set == NULL || !shared_lock(&set->lock)) {
        return -ENOKEY;
    }
    const struct kept_key *found = opens(&set->current, name, now_s)    ? &set->current
                                   : opens(&set->previous, name, now_s) ? &set->previous
                                                                        : NULL;
    if (found != NULL) {
        *key = found->key;
    }
    pthread_mutex_unlock(&set->lock);
    return found != NULL ? 0 : -ENOKEY;
}
