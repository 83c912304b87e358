/*
 * What a session is to be resumed with, in and out of wolfSSL. Its public interface has
 * no way for it: a client's ticket of TLS 1.3 comes when the WOLFSSL is gone already, a
 * server's is sent after that, and a WOLFSSL_SESSION is far too large to be kept. So the
 * source file knows wolfSSL's own structures.
 */
#ifndef SHIM_SESSION_TICKET_WOLFSSL_H
#define SHIM_SESSION_TICKET_WOLFSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#define TICKET_SECRET_LEN 48
#define TICKET_NONCE_LEN_MAX 32 /* as wolfSSL was built: tools/build-wolfssl.sh */
#define TICKET_LEN_MAX 4096     /* of servers; theirs may hold our certificates */
#define TICKET_TEXT_LEN_MAX 256 /* of ours, as wolfSSL reads them */

/* A session as a client keeps it. */
struct ticket_session {
    uint16_t version, cipher, group;   /* numbers of TLS; group: TLS 1.3 only */
    uint8_t secret[TICKET_SECRET_LEN]; /* TLS 1.3: resumption master secret, before the
                                        * nonce; TLS 1.2: master secret */
    int64_t seen_ms;                   /* CLOCK_REALTIME when the ticket came */
    uint32_t lifetime_s;               /* as the server says; TLS 1.2: 0 = it does not */
    uint32_t age_add;                  /* from here to the nonce: TLS 1.3 */
    uint8_t nonce_len;
    uint8_t nonce[TICKET_NONCE_LEN_MAX];
    uint16_t ticket_len;
    uint8_t ticket[TICKET_LEN_MAX];
};

/*
 * Client, after the handshake: secret, and for TLS 1.2 the ticket.
 *
 *   session  in/out  version is set
 *
 * Returns  0; -EOPNOTSUPP such a session is not to be resumed: TLS 1.2 without extended
 *          master secret (RFC 7627 section 5.3), or with no ticket or too long a one.
 */
int ticket_wolfssl_take(WOLFSSL *ssl, struct ticket_session *session);

/* Client, before the handshake: has it offer this session. Returns 0; -ENOMEM. */
int ticket_wolfssl_offer(WOLFSSL *ssl, const struct ticket_session *session);

/* Client: the server has chosen the version of the session, which may go on. */
void ticket_wolfssl_go_on(WOLFSSL *ssl);

/*
 * Client: the handshake that was to resume is a full one. wolfSSL would take a
 * ServerHello of TLS 1.2 for the resumption of a session of TLS 1.3, and not look for the
 * sign of a downgrade (RFC 8446 section 4.1.3).
 */
void ticket_wolfssl_withdraw(WOLFSSL *ssl);

/*
 * Client, after the ServerHello: with TLS 1.2 what follows it tells whether the ticket
 * was taken, and not its session id, which wolfSSL goes by (RFC 5077 section 3.4).
 */
void ticket_wolfssl_ignore_id(WOLFSSL *ssl);

/*
 * Server, after a handshake of TLS 1.3: what its ticket is to say.
 *
 *   cipher, group  in   numbers of TLS
 *   text           out  TICKET_TEXT_LEN_MAX bytes; the caller wipes them
 *
 * Returns  its length; -EOVERFLOW.
 */
int ticket_wolfssl_write(WOLFSSL *ssl, uint16_t cipher, uint16_t group, uint32_t age_add,
                         uint8_t text[TICKET_TEXT_LEN_MAX]);

/* Server: whether a ticket's text, made by wolfSSL or by us, allows to resume: it is of
 * TLS 1.3, or of TLS 1.2 with extended master secret. */
bool ticket_wolfssl_is_resumable(const uint8_t *text, size_t len);

#endif
