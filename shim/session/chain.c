#include "shim/session/chain.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/hash.h>

#include "shim/session/peer_der.h"

enum { PATH_COUNT_LEN = 1, LENGTH_LEN = 3, BUCKETS = 256 };

struct chain {
    struct chain *next; /* in its bucket */
    unsigned refs;      /* under chain_mutex */
    int count, path_count;
    struct der_span at[CHAIN_COUNT_MAX]; /* within flat */
    uint8_t id[CHAIN_ID_LEN];
    size_t flat_len;
    uint8_t flat[];
};

static pthread_mutex_t chain_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct chain *buckets[BUCKETS];

/* Fills in at[] from the flat form. */
static bool
parse(struct chain *chain)
{
    size_t done = PATH_COUNT_LEN;
    chain->path_count = chain->flat[0];
    while (done < chain->flat_len) {
        const uint8_t *at = chain->flat + done;
        size_t left = chain->flat_len - done;
        if (left < LENGTH_LEN || chain->count == CHAIN_COUNT_MAX) {
            return false;
        }
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (len == 0 || len > left - LENGTH_LEN) {
            return false;
        }
        chain->at[chain->count++] = (struct der_span){at + LENGTH_LEN, len};
        done += LENGTH_LEN + len;
    }
    return chain->path_count > 0 && chain->path_count <= chain->count;
}

/* Under the lock. Takes the new chain over, or frees it for one that is there. */
static struct chain *
enter(struct chain *chain)
{
    struct chain **bucket = &buckets[chain->id[0]];
    for (struct chain *old = *bucket; old != NULL; old = old->next) {
        if (memcmp(old->id, chain->id, CHAIN_ID_LEN) == 0) {
            old->refs++;
            free(chain);
            return old;
        }
    }
    chain->refs = 1;
    chain->next = *bucket;
    *bucket = chain;
    return chain;
}

static struct chain *
new_chain(size_t flat_len)
{
    struct chain *chain = flat_len > 0 && flat_len <= CHAIN_FLAT_MAX
                              ? malloc(sizeof(*chain) + flat_len)
                              : NULL;
    if (chain != NULL) {
        memset(chain, 0, sizeof(*chain));
        chain->flat_len = flat_len;
    }
    return chain;
}

/* The flat form is filled in. */
static struct chain *
finish(struct chain *chain)
{
    if (!parse(chain) ||
        wc_Sha256Hash(chain->flat, (word32)chain->flat_len, chain->id) != 0) {
        free(chain);
        return NULL;
    }
    pthread_mutex_lock(&chain_mutex);
    chain = enter(chain);
    pthread_mutex_unlock(&chain_mutex);
    return chain;
}

static struct chain *
make(const struct der_span *certificates, int count, int path_count)
{
    size_t len = PATH_COUNT_LEN;
    for (int i = 0; i < count; i++) {
        len += LENGTH_LEN + certificates[i].len;
    }
    struct chain *chain = new_chain(len);
    if (chain == NULL) {
        return NULL;
    }
    uint8_t *to = chain->flat;
    *to++ = (uint8_t)path_count;
    for (int i = 0; i < count; i++) {
        to[0] = (uint8_t)(certificates[i].len >> 16);
        to[1] = (uint8_t)(certificates[i].len >> 8);
        to[2] = (uint8_t)certificates[i].len;
        memcpy(to + LENGTH_LEN, certificates[i].at, certificates[i].len);
        to += LENGTH_LEN + certificates[i].len;
    }
    return finish(chain);
}

struct chain *
chain_intern(const struct der_span *certificates, int count)
{
    return make(certificates, count, count);
}

struct chain *
chain_order(const struct chain *chain, const struct chain_path *path)
{
    struct der_span ordered[CHAIN_COUNT_MAX];
    bool is_taken[CHAIN_COUNT_MAX] = {false};
    int count = 0;
    for (int i = 0; i < path->count; i++) {
        is_taken[path->at[i]] = true;
        ordered[count++] = chain->at[path->at[i]];
    }
    for (int i = 0; i < chain->count; i++) {
        if (!is_taken[i]) {
            ordered[count++] = chain->at[i];
        }
    }
    return make(ordered, count, path->count);
}

struct chain *
chain_parse(const uint8_t *flat, size_t len)
{
    struct chain *chain = new_chain(len);
    if (chain == NULL) {
        return NULL;
    }
    memcpy(chain->flat, flat, len);
    return finish(chain);
}

struct chain *
chain_ref(struct chain *chain)
{
    pthread_mutex_lock(&chain_mutex);
    chain->refs++;
    pthread_mutex_unlock(&chain_mutex);
    return chain;
}

void
chain_unref(struct chain *chain)
{
    if (chain == NULL) {
        return;
    }
    pthread_mutex_lock(&chain_mutex);
    bool last = --chain->refs == 0;
    if (last) {
        struct chain **link = &buckets[chain->id[0]];
        while (*link != chain) {
            link = &(*link)->next;
        }
        *link = chain->next;
    }
    pthread_mutex_unlock(&chain_mutex);
    if (last) {
        free(chain);
    }
}

int
chain_count(const struct chain *chain)
{
    return chain->count;
}

int
chain_path_count(const struct chain *chain)
{
    return chain->path_count;
}

struct der_span
chain_at(const struct chain *chain, int i)
{
    return chain->at[i];
}

static int64_t
end_of(struct der_span certificate)
{
    int64_t first;
    int64_t last;
    return peer_der_validity(certificate, &first, &last) ? last + 1 : 0;
}

int64_t
chain_end(const struct chain *chain)
{
    int64_t end = INT64_MAX;
    for (int i = 0; i < chain->path_count; i++) {
        int64_t one = end_of(chain->at[i]);
        end = one < end ? one : end;
    }
    return end;
}

struct der_span
chain_flat(const struct chain *chain)
{
    return (struct der_span){chain->flat, chain->flat_len};
}

const uint8_t *
chain_id(const struct chain *chain)
{
    return chain->id;
}

void
chain_fork_prepare(void)
{
    pthread_mutex_lock(&chain_mutex);
}

void
chain_fork_done(void)
{
    pthread_mutex_unlock(&chain_mutex);
}
