#include "shim/session/ocsp_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/session/session.h"

enum {
    COUNT = 256,
    /* However long an answer counts for its responder: a process that runs for weeks is
     * to hear of a revocation. */
    KEPT_MS = 3600 * 1000,
    AGAIN_MS = 10000, /* before an answer that still counts is asked for once more */
};

struct entry {
    struct ocsp_key key;
    bool used;
    bool known;          /* answer is set */
    bool asking;         /* and the deadline */
    int64_t deadline_ms; /* CLOCK_MONOTONIC, as the next two */
    int64_t entered_ms;
    int64_t kept_ms; /* after entered_ms */
    struct ocsp_answer answer;
    uint8_t *response;
    size_t response_len;
};

static pthread_mutex_t cache_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[COUNT];

static bool
is_final(const struct ocsp_answer *answer)
{
    return answer->status == OCSP_GOOD || answer->status == OCSP_REVOKED;
}

/* Whether a good answer or "revoked" is there, and counts. */
static bool
counts(const struct entry *entry)
{
    return entry->known && is_final(&entry->answer) && entry->answer.until > time(NULL) &&
           session_now_ms() - entry->entered_ms < entry->kept_ms;
}

/* All of these under the lock. */
static struct entry *
find(const struct ocsp_key *key)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (entries[i].used && memcmp(&entries[i].key, key, sizeof(*key)) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

static struct entry *
oldest(void)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        if (!entries[i].used) {
            return &entries[i];
        }
        if (!entries[i].asking &&
            (found == NULL || entries[i].entered_ms < found->entered_ms)) {
            found = &entries[i];
        }
    }
    return found;
}

/* NULL: everything is being asked about. */
static struct entry *
find_or_make(const struct ocsp_key *key)
{
    struct entry *entry = find(key);
    if (entry == NULL) {
        entry = oldest();
        if (entry != NULL) {
            /* The next answer frees what was kept; without one it is not given out. */
            *entry =
                (struct entry){.key = *key, .used = true, .response = entry->response};
        }
    }
    return entry;
}

static enum ocsp_cached
read_entry(const struct entry *entry, int64_t patience_ms, struct ocsp_answer *answer)
{
    int64_t now = session_now_ms();
    bool failed_lately = entry->known && !is_final(&entry->answer) &&
                         now - entry->entered_ms < patience_ms;
    if (counts(entry) || failed_lately) {
        int64_t kept_until =
            time(NULL) + (entry->entered_ms + entry->kept_ms - now) / 1000 + 1;
        *answer = entry->answer;
        answer->until = kept_until < answer->until ? kept_until : answer->until;
        return OCSP_KNOWN;
    }
    if (!entry->asking) {
        return OCSP_ABSENT;
    }
    if (now < entry->deadline_ms) {
        return OCSP_PENDING;
    }
    /* A name that is looked up can take longer than anybody waits. */
    answer->status = OCSP_FAILED;
    snprintf(answer->words, sizeof(answer->words),
             "the responder does not answer in time");
    return OCSP_KNOWN;
}

enum ocsp_cached
ocsp_cache_find(const struct ocsp_key *key, int64_t patience_ms,
                struct ocsp_answer *answer)
{
    pthread_mutex_lock(&cache_mutex);
    const struct entry *entry = find(key);
    enum ocsp_cached state =
        entry != NULL ? read_entry(entry, patience_ms, answer) : OCSP_ABSENT;
    pthread_mutex_unlock(&cache_mutex);
    return state;
}

bool
ocsp_cache_begin(const struct ocsp_key *key, int64_t deadline_ms)
{
    pthread_mutex_lock(&cache_mutex);
    struct entry *entry = find_or_make(key);
    bool begun = entry != NULL && !entry->asking;
    if (begun) {
        entry->asking = true;
        entry->deadline_ms = deadline_ms;
    }
    pthread_mutex_unlock(&cache_mutex);
    return begun;
}

static void
enter(struct entry *entry, const struct ocsp_answer *answer, uint8_t *response,
      size_t len)
{
    int64_t left_s = answer->until - time(NULL);
    free(entry->response);
    entry->response = response;
    entry->response_len = len;
    entry->answer = *answer;
    entry->known = true;
    entry->entered_ms = session_now_ms();
    entry->kept_ms = left_s < KEPT_MS / 1000 ? left_s * 1000 : KEPT_MS;
}

void
ocsp_cache_put(const struct ocsp_key *key, const struct ocsp_answer *answer,
               const uint8_t *response, size_t len)
{
    uint8_t *copy = response != NULL ? malloc(len) : NULL;
    if (copy != NULL) {
        memcpy(copy, response, len);
    }
    pthread_mutex_lock(&cache_mutex);
    struct entry *entry = find_or_make(key);
    if (entry != NULL) {
        entry->asking = false;
        if (is_final(answer) || !counts(entry)) {
            enter(entry, answer, copy, copy != NULL ? len : 0);
            copy = NULL;
        }
    }
    pthread_mutex_unlock(&cache_mutex);
    free(copy);
}

uint8_t *
ocsp_cache_response(const struct ocsp_key *key, size_t *len)
{
    uint8_t *copy = NULL;
    pthread_mutex_lock(&cache_mutex);
    const struct entry *entry = find(key);
    if (entry != NULL && entry->response != NULL && counts(entry) &&
        entry->answer.status == OCSP_GOOD) {
        copy = malloc(entry->response_len);
        if (copy != NULL) {
            memcpy(copy, entry->response, entry->response_len);
            *len = entry->response_len;
        }
    }
    pthread_mutex_unlock(&cache_mutex);
    return copy;
}

bool
ocsp_cache_is_ageing(const struct ocsp_key *key)
{
    pthread_mutex_lock(&cache_mutex);
    const struct entry *entry = find(key);
    int64_t now = session_now_ms();
    bool ageing = entry != NULL && counts(entry) && !entry->asking &&
                  now - entry->entered_ms > entry->kept_ms / 2 &&
                  now - entry->deadline_ms > AGAIN_MS;
    pthread_mutex_unlock(&cache_mutex);
    return ageing;
}

void
ocsp_cache_fork_prepare(void)
{
    pthread_mutex_lock(&cache_mutex);
}

void
ocsp_cache_fork_parent(void)
{
    pthread_mutex_unlock(&cache_mutex);
}

void
ocsp_cache_fork_child(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        entries[i].asking = false; /* who asked has stayed with the parent */
    }
    pthread_mutex_unlock(&cache_mutex);
}
