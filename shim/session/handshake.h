/*
 * One TLS handshake on wolfSSL, without I/O: records go in whole, bytes come out.
 */
#ifndef SHIM_SESSION_HANDSHAKE_H
#define SHIM_SESSION_HANDSHAKE_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "shim/session/admission.h"
#include "shim/session/chain.h"
#include "shim/session/generation.h"
#include "shim/session/session.h"

/* The longest record that may arrive before keys are handed over. */
#define HANDSHAKE_RECORD_MAX (RECORD_CIPHERTEXT_MAX + RECORD_HEADER_LEN)

struct handshake;
struct resume; /* resume.h */

/*
 * Begins a handshake.
 *
 *   session  in/out  gets the peer's identity as soon as its certificate is seen; must
 *                    outlive the handshake
 *   ruling   in      identity, verify, peer_name, allow, deny; the caller keeps its
 *                    reference until the handshake is freed
 *
 * Returns  the handshake, freed by handshake_free(); NULL with errno ENOMEM.
 * Safe     allocates; one thread at a time.
 */
struct handshake *handshake_new(struct session *session, const struct ruling *ruling);
void handshake_free(struct handshake *handshake);

/*
 * Goes on as far as the input given so far allows.
 *
 * Returns  0 done (output may still wait to be sent); -EAGAIN more input is needed;
 *          -EPROTO, -EACCES, -ECONNRESET failed, handshake_why() says why and the
 *          output may hold an alert.
 */
int handshake_step(struct handshake *handshake);
const struct failure *handshake_why(const struct handshake *handshake);

/*
 * Shows wolfSSL the next record of what has come.
 *
 * Returns  1 it is whole: call handshake_step(); 0 more is needed;
 *          -EPROTO what came is no TLS record (handshake_why() says so).
 */
int handshake_next(struct handshake *handshake);

/*
 * How much of what was peeked at belongs to the handshake, and is to be taken out of the
 * kernel before it may rest: the records shown, and what is there of one that is not
 * whole. What follows may be application data. handshake_taken() notes that it was done.
 */
size_t handshake_owed(const struct handshake *handshake);
void handshake_taken(struct handshake *handshake);

/*
 * Where input goes, when nothing is owed: room for `*len` bytes, to be peeked at. After
 * writing n of them call handshake_got(n), then handshake_next().
 */
uint8_t *handshake_room(struct handshake *handshake, size_t *len);
void handshake_got(struct handshake *handshake, size_t len);

/* How much is sure to be the handshake's: for who cannot peek. */
size_t handshake_lacks(const struct handshake *handshake);

/* What is to be sent; handshake_sent() takes it out. */
const uint8_t *handshake_output(const struct handshake *handshake, size_t *len);
void handshake_sent(struct handshake *handshake, size_t len);

/*
 * Whether the peer is let in, once handshake_step() is done: what OCSP says may have to
 * be fetched.
 *
 * Returns  0; -EAGAIN only time can tell; -EPROTO refused, as from handshake_step().
 */
int handshake_admit(struct handshake *handshake);

/* Whether a server is not to answer yet, for want of the OCSP response that it staples.
 */
bool handshake_is_held(struct handshake *handshake);

/*
 * Hands the keys over to session->record and fills in version, cipher and group.
 * Returns 0, or -EPROTO.
 */
int handshake_hand_over(struct handshake *handshake);

/* Server: the ticket that was made then, for record_give_ticket(); len 0 = none. */
const uint8_t *handshake_ticket(const struct handshake *handshake, size_t *len);

/* The secret under which a server of TLS 1.3 sends its certificates (RFC 8446
 * section 7.1), for a tool that shows what it sends; 48 bytes, of which the suite's hash
 * has so many. Zeros before the ServerHello. */
const uint8_t *handshake_flight_secret(const struct handshake *handshake);

/* The peer's certificates; the caller's from now on. NULL = none, or taken. */
struct chain *handshake_take_chain(struct handshake *handshake);

/* What handle->resume_number is to be. */
uint64_t handshake_resume_number(const struct handshake *handshake);

/* The part of resume.c, which wolfSSL's callbacks know by the context of its I/O. */
struct resume *handshake_resume(void *io_context);

/* Likewise that of admission.c. */
struct admission *handshake_admission(void *io_context);

#endif
