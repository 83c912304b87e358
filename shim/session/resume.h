/*
 * Resumption: when a session may be gone on with by ticket instead of certificates. Here
 * stands what must hold for it; each side judges the other's certificates anew, those of
 * the full handshake, and where anything is not so there is a full handshake.
 *
 * Both sides stay with the same rule, identity, certificate of their own and trust
 * anchors, with its versions, suites and groups; the client also with the name and the
 * address. After two hours at most certificates are shown again.
 */
#ifndef SHIM_SESSION_RESUME_H
#define SHIM_SESSION_RESUME_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "shim/session/chain.h"
#include "shim/session/session.h"
#include "shim/session/ticket.h"

/* A handshake's part in it. Zeroed at first. */
struct resume {
    struct session *session;
    const struct ruling *ruling;
    const struct chain
        *shown;          /* what the peer has shown in this handshake; the owner's */
    struct chain *chain; /* of the session to be resumed, judged in this handshake */
    struct peer peer;
    int64_t authenticated_s;          /* CLOCK_BOOTTIME of its full handshake */
    int64_t seen_ms;                  /* client: when its ticket came */
    uint16_t offered_version;         /* client: of the session offered; 0 = none */
    uint16_t offered_group;           /* client: the same */
    uint8_t ticket_iv[TICKET_IV_LEN]; /* server: of the one ticket that was accepted */
    uint16_t ticket_len;              /* server, TLS 1.3: of the next one; 0 = none */
    uint8_t ticket[RECORD_TICKET_LEN_MAX]; /* the message, for the record to send */
};

/* Makes what processes share, before the first fork; without it there are no tickets. */
void resume_start(void);

/* Prepares a context as session_tickets says. */
void resume_set_up(WOLFSSL_CTX *ctx, const struct policy_identity *identity,
                   bool is_server);

void resume_init(struct resume *resume, struct session *session,
                 const struct ruling *ruling);
void resume_done(struct resume *resume);

/* Client: offers a session, if there is one that may be resumed. */
void resume_offer(struct resume *resume, WOLFSSL *ssl);

/* Client: the server has chosen a version; called before wolfSSL sees the answer. A
 * session of another version is not gone on with (RFC 8446 section 4.6.1). */
void resume_answered(struct resume *resume, WOLFSSL *ssl, unsigned version);

/* Client: before wolfSSL sees what follows the answer. */
void resume_goes_on(const struct resume *resume, WOLFSSL *ssl);

/* Client: the handshake has failed. Whatever it was, the next one shall not meet it: what
 * else there is to be resumed with this server is forgotten. */
void resume_failed(const struct resume *resume);

/*
 * Whether the handshake, which is done and in which nobody has shown a certificate, has
 * resumed a session whose peer was judged in it.
 *
 * Returns  the peer's certificates, a reference; session->peer is filled in; NULL.
 */
struct chain *resume_chain(struct resume *resume, WOLFSSL *ssl);

/*
 * After the handshake, version and cipher are known, and the record has its keys: a
 * server makes its ticket, a client keeps what the session may be resumed with.
 *
 *   chain  in  of the peer
 *
 * Returns  client: the session's number for handle->resume_number; 0 = none.
 */
uint64_t resume_prepare_next(struct resume *resume, WOLFSSL *ssl, struct chain *chain);

#endif
