/*
 * What is known from OCSP about certificates, and about which of them somebody is asking.
 * Of this process alone; a forked child has a copy, without what was being asked.
 */
#ifndef SHIM_SESSION_OCSP_CACHE_H
#define SHIM_SESSION_OCSP_CACHE_H

#include <stddef.h>

#include "shim/session/ocsp_answer.h"

#define OCSP_KEY_LEN 32

/* Which certificate, in whose eyes: see ocsp_key() in ocsp.c. */
struct ocsp_key {
    uint8_t bytes[OCSP_KEY_LEN];
};

enum ocsp_cached {
    OCSP_ABSENT,
    OCSP_PENDING,
    OCSP_KNOWN,
};

/*
 * Looks an answer up.
 *
 *   patience_ms  in   how long an answer that is neither good nor "revoked" counts
 *   answer       out  when OCSP_KNOWN; until is when the cache forgets it
 *
 * Returns  OCSP_PENDING only as long as the deadline of who asks has not passed.
 * Safe     threads, as all of these; allocates nothing.
 */
enum ocsp_cached ocsp_cache_find(const struct ocsp_key *key, int64_t patience_ms,
                                 struct ocsp_answer *answer);

/* Notes that somebody begins to ask. False: somebody does already. */
bool ocsp_cache_begin(const struct ocsp_key *key, int64_t deadline_ms);

/*
 * Enters an answer; one that is no better than a good one that still counts does not
 * replace that.
 *
 *   response  in  the bytes that are stapled; NULL = not to be kept. Copied.
 */
void ocsp_cache_put(const struct ocsp_key *key, const struct ocsp_answer *answer,
                    const uint8_t *response, size_t len);

/* A copy of the response that was kept with a good answer, malloc'ed; NULL = none. */
uint8_t *ocsp_cache_response(const struct ocsp_key *key, size_t *len);

/* Whether a good answer that was kept has half its life behind it. */
bool ocsp_cache_is_ageing(const struct ocsp_key *key);

/* Around fork. */
void ocsp_cache_fork_prepare(void);
void ocsp_cache_fork_parent(void);
void ocsp_cache_fork_child(void);

#endif
