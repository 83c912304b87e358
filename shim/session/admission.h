/*
 * The part of a handshake that may take its time: whether OCSP has anything against the
 * peer, by what it has stapled or by what is fetched meanwhile; and the response that we
 * staple ourselves.
 */
#ifndef SHIM_SESSION_ADMISSION_H
#define SHIM_SESSION_ADMISSION_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "shim/session/ocsp.h"

struct admission {
    struct ocsp_asker asker;
    bool is_server;
    int64_t until_ms; /* what is waited for is given up; CLOCK_MONOTONIC, 0 = not begun */
    bool is_refused;  /* for what it stapled; failure says why */
    struct failure failure;
    struct chain_path path; /* filled in by whoever finds it */
    struct {
        uint8_t *at; /* malloc'ed; NULL = none */
        size_t len;
    } staples[CHAIN_COUNT_MAX]; /* by the places in what the peer has sent */
};

/* The ruling's reference is the owner's. */
void admission_init(struct admission *admission, const struct ruling *ruling,
                    bool is_server);
void admission_done(struct admission *admission);

/* Has handshakes of a context keep what is stapled, or offer it, in the admission to
 * which handshake_admission() leads.  Returns 0, -ENOMEM. */
int admission_prepare(WOLFSSL_CTX *ctx, const struct policy_identity *identity,
                      bool is_server);

/* Has a client ask for a staple. (That of a WOLFSSL_CTX wolfSSL takes for unasked.)
 * Returns 0, -ENOMEM. */
int admission_ask(const struct admission *admission, WOLFSSL *ssl);

/*
 * Judges the peer, as ocsp_judge().
 *
 *   chain    in  of the peer; that of the earlier session when resumed
 *   resumed  in  nothing could be stapled; before, ocsp_is_known_good() has said so
 */
int admission_judge(struct admission *admission, const struct chain *chain, bool resumed,
                    struct failure *failure);

/* Whether a server waits for the response that it is to staple, before its first word. */
bool admission_is_held(struct admission *admission);

#endif
