/*
 * Asking OCSP responders, each in a short-lived thread of its own: a handshake is never
 * held up by it, it only looks whether the answer has come.
 */
#ifndef SHIM_SESSION_OCSP_QUERY_H
#define SHIM_SESSION_OCSP_QUERY_H

#include "shim/session/ocsp_cache.h"

#define OCSP_ISSUER_COUNT_MAX 8

struct ocsp_query {
    struct ocsp_key key; /* where the answer is entered */
    struct der_span certificate;
    struct der_span issuers[OCSP_ISSUER_COUNT_MAX]; /* one of them has issued it */
    int issuer_count;
    const char *responder; /* NULL = the one that the certificate names */
    int64_t timeout_ms;
    bool staple; /* the response is for others: no nonce, and it is kept */
};

/*
 * Begins to ask; everything is copied. The answer, or why there is none, goes into the
 * cache.
 *
 * Returns  0 it is being asked, by us or others; -EAGAIN too many are, ask again.
 * Safe     threads; allocates.
 */
int ocsp_query_start(const struct ocsp_query *query);

/*
 * Around a copy of the process that is made past libc: in between no thread of these
 * holds a lock of libc. Waits for who looks up a responder's name, not for who awaits an
 * answer.
 */
void ocsp_query_hold(void);
void ocsp_query_release(void);

/* Around every copy; the cache's functions are called by these. */
void ocsp_query_fork_prepare(void);
void ocsp_query_fork_parent(void);
void ocsp_query_fork_child(void);

#endif
