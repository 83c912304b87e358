#include "shim/session/resume_cache.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "config/der.h"
#include "shim/session/hello_read.h"

struct place {
    uint64_t number; /* 0 = free; else the greater the younger */
    uint8_t key[RESUME_CACHE_KEY_LEN];
};

/* All of it is zero in a child: unlocked and empty.  What is looked through lies close
 * together: an entry is a page, and those that are not used cost no fault. */
struct cache {
    pthread_mutex_t lock;
    uint64_t last_number;
    struct place places[RESUME_CACHE_COUNT];
    struct resume_entry entries[RESUME_CACHE_COUNT];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct cache *cache;

static void
make(void)
{
    void *memory = mmap(NULL, sizeof(*cache), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    if (madvise(memory, sizeof(*cache), MADV_WIPEONFORK) != 0) {
        munmap(memory, sizeof(*cache)); /* better none than one that two processes use */
        return;
    }
    (void)madvise(memory, sizeof(*cache), MADV_DONTDUMP);
    cache = memory;
}

static struct resume_entry *
entry_at(const struct place *place)
{
    return &cache->entries[place - cache->places];
}

/* Numbers of a parent mean nothing in its children: each process counts from elsewhere.
 */
static uint64_t
next_number(void)
{
    if (cache->last_number == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        cache->last_number = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    }
    return ++cache->last_number;
}

/* Where the next one goes: the oldest for this purpose when it has its share of places,
 * else the oldest of all. */
static struct place *
choose(const uint8_t *key)
{
    struct place *oldest = &cache->places[0];
    struct place *oldest_same = NULL;
    int same = 0;
    for (struct place *at = cache->places; at < cache->places + RESUME_CACHE_COUNT;
         at++) {
        if (at->number < oldest->number) {
            oldest = at;
        }
        if (at->number != 0 && memcmp(at->key, key, sizeof(at->key)) == 0) {
            same++;
            if (oldest_same == NULL || at->number < oldest_same->number) {
                oldest_same = at;
            }
        }
    }
    return same >= RESUME_CACHE_SAME_COUNT ? oldest_same : oldest;
}

/* Returns the chain, which is the caller's to give back. */
static struct chain *
forget(struct place *place)
{
    struct resume_entry *entry = entry_at(place);
    struct chain *chain = entry->chain;
    if (place->number != 0) {
        wc_ForceZero(entry, sizeof(*entry));
        *place = (struct place){0};
    }
    return chain;
}

uint64_t
resume_cache_put(const uint8_t key[RESUME_CACHE_KEY_LEN],
                 const struct resume_entry *entry)
{
    pthread_once(&once, make);
    if (cache == NULL) {
        chain_unref(entry->chain);
        return 0;
    }
    pthread_mutex_lock(&cache->lock);
    struct place *place = choose(key);
    struct chain *old = forget(place);
    uint64_t number = next_number();
    place->number = number;
    memcpy(place->key, key, sizeof(place->key));
    *entry_at(place) = *entry;
    pthread_mutex_unlock(&cache->lock);
    chain_unref(old);
    return number;
}

static uint32_t
get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void
fill(struct ticket_session *session, const uint8_t *body, size_t len)
{
    enum { FIXED_LEN = 8 };
    struct der_span nonce;
    struct der_span ticket;
    struct der_span extensions;
    struct timespec now;
    if (len < FIXED_LEN) {
        return;
    }
    struct der_span rest = {body + FIXED_LEN, len - FIXED_LEN};
    if (!hello_read_vector(&rest, 1, &nonce) || !hello_read_vector(&rest, 2, &ticket) ||
        !hello_read_vector(&rest, 2, &extensions) || rest.len != 0 ||
        nonce.len > sizeof(session->nonce) || ticket.len == 0 ||
        ticket.len > sizeof(session->ticket)) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    session->seen_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    session->lifetime_s = get32(body);
    session->age_add = get32(body + 4);
    session->nonce_len = (uint8_t)nonce.len;
    memcpy(session->nonce, nonce.at, nonce.len);
    session->ticket_len = (uint16_t)ticket.len;
    memcpy(session->ticket, ticket.at, ticket.len);
}

void
resume_cache_fill(uint64_t number, const uint8_t *body, size_t len)
{
    if (cache == NULL || pthread_mutex_trylock(&cache->lock) != 0) {
        return; /* tickets are no loss */
    }
    for (struct place *at = cache->places; at < cache->places + RESUME_CACHE_COUNT;
         at++) {
        struct ticket_session *session = &entry_at(at)->session;
        if (at->number == number && session->ticket_len == 0) {
            fill(session, body, len);
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

bool
resume_cache_take(const uint8_t key[RESUME_CACHE_KEY_LEN], struct resume_entry *entry)
{
    struct place *found = NULL;
    if (cache == NULL) {
        return false;
    }
    pthread_mutex_lock(&cache->lock);
    for (struct place *at = cache->places; at < cache->places + RESUME_CACHE_COUNT;
         at++) {
        if (at->number != 0 && memcmp(at->key, key, sizeof(at->key)) == 0 &&
            entry_at(at)->session.ticket_len > 0 &&
            (found == NULL || at->number > found->number)) {
            found = at;
        }
    }
    if (found != NULL) {
        *entry = *entry_at(found);
        (void)forget(found);
    }
    pthread_mutex_unlock(&cache->lock);
    return found != NULL;
}
