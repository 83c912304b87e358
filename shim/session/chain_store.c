#include "shim/session/chain_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shim/record/lock.h"
#include "shim/session/shared.h"

struct place {
    uint64_t used; /* the clock when it was last asked for; 0 = empty */
    size_t len;
};

struct store {
    pthread_mutex_t lock;
    uint64_t clock;
    uint8_t ids[CHAIN_STORE_COUNT][CHAIN_ID_LEN];
    struct place places[CHAIN_STORE_COUNT];
    uint8_t flat[CHAIN_STORE_COUNT][CHAIN_STORE_FLAT_MAX];
};

static struct store *store;

int
chain_store_init(void)
{
    if (store != NULL) {
        return 0;
    }
    struct store *made = shared_map(sizeof(*made), false);
    if (made == NULL) {
        return -ENOMEM;
    }
    int result = record_lock_init(&made->lock);
    if (result == 0) {
        store = made;
    }
    return result;
}

/* Under the lock, as all that follow. Returns the place, -1 = it has none. */
static int
look_up(const uint8_t *id)
{
    for (int i = 0; i < CHAIN_STORE_COUNT; i++) {
        if (memcmp(store->ids[i], id, CHAIN_ID_LEN) == 0 && store->places[i].used != 0) {
            return i;
        }
    }
    return -1;
}

static int
oldest(void)
{
    int found = 0;
    for (int i = 1; i < CHAIN_STORE_COUNT; i++) {
        if (store->places[i].used < store->places[found].used) {
            found = i;
        }
    }
    return found;
}

static int
fill_oldest(const struct chain *chain)
{
    struct der_span flat = chain_flat(chain);
    int i = oldest();
    memcpy(store->ids[i], chain_id(chain), CHAIN_ID_LEN);
    memcpy(store->flat[i], flat.at, flat.len);
    store->places[i].len = flat.len;
    return i;
}

bool
chain_store_put(const struct chain *chain)
{
    if (store == NULL || chain_flat(chain).len > CHAIN_STORE_FLAT_MAX ||
        !shared_lock(&store->lock)) {
        return false;
    }
    int i = look_up(chain_id(chain));
    if (i < 0) {
        i = fill_oldest(chain);
    }
    store->places[i].used = ++store->clock;
    pthread_mutex_unlock(&store->lock);
    return true;
}

struct chain *
chain_store_get(const uint8_t id[CHAIN_ID_LEN])
{
    size_t len = 0;
    if (store == NULL || !shared_lock(&store->lock)) {
        return NULL;
    }
    int i = look_up(id);
    uint8_t *flat = i >= 0 ? malloc(CHAIN_STORE_FLAT_MAX) : NULL;
    if (flat != NULL && store->places[i].len <= CHAIN_STORE_FLAT_MAX) {
        store->places[i].used = ++store->clock;
        len = store->places[i].len;
        memcpy(flat, store->flat[i], len);
    }
    pthread_mutex_unlock(&store->lock);

    struct chain *chain = len > 0 ? chain_parse(flat, len) : NULL;
    free(flat);
    if (chain != NULL && memcmp(chain_id(chain), id, CHAIN_ID_LEN) != 0) {
        chain_unref(chain); /* whoever wrote it has died on the way */
        chain = NULL;
    }
    return chain;
}
