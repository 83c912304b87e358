#include "shim/session/ticket_wolfssl.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <wolfssl/internal.h>

static_assert(TICKET_SECRET_LEN == SECRET_LEN &&
                  TICKET_NONCE_LEN_MAX <= MAX_TICKET_NONCE_STATIC_SZ &&
                  sizeof(InternalTicket) <= TICKET_TEXT_LEN_MAX,
              "sizes are wolfSSL's");

static int64_t
wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
take_ticket(const WOLFSSL_SESSION *from, struct ticket_session *session)
{
    if (!from->haveEMS || from->ticketLen == 0 ||
        from->ticketLen > sizeof(session->ticket)) {
        return -EOPNOTSUPP;
    }
    memcpy(session->ticket, from->ticket, from->ticketLen);
    session->ticket_len = from->ticketLen;
    session->lifetime_s = from->timeout;
    session->seen_ms = wall_ms();
    return 0;
}

int
ticket_wolfssl_take(WOLFSSL *ssl, struct ticket_session *session)
{
    WOLFSSL_SESSION *from = wolfSSL_get1_session(ssl);
    if (from == NULL) {
        return -EOPNOTSUPP;
    }
    int result = session->version < 0x0304 ? take_ticket(from, session) : 0;
    if (result == 0) {
        memcpy(session->secret, from->masterSecret, sizeof(session->secret));
    }
    wolfSSL_SESSION_free(from);
    return result;
}

static int
fill(WOLFSSL_SESSION *to, const struct ticket_session *from)
{
    to->side = WOLFSSL_CLIENT_END;
    to->version.major = (byte)(from->version >> 8);
    to->version.minor = (byte)from->version;
    to->cipherSuite0 = (byte)(from->cipher >> 8);
    to->cipherSuite = (byte)from->cipher;
    to->bornOn = (word32)(wall_ms() / 1000);
    to->timeout = from->lifetime_s;
    to->haveEMS = 1;
    /* Not its namedGroup: wolfSSL would offer no other, to whatever server is there now.
     */
    memcpy(to->masterSecret, from->secret, sizeof(to->masterSecret));
    to->ticketSeen = from->seen_ms;
    to->ticketAdd = from->age_add;
    to->ticketNonce.len = from->nonce_len;
    memcpy(to->ticketNonce.data, from->nonce, from->nonce_len);
    if (from->ticket_len > sizeof(to->staticTicket)) {
        return -EOVERFLOW;
    }
    memcpy(to->staticTicket, from->ticket, from->ticket_len);
    to->ticket = to->staticTicket;
    to->ticketLen = from->ticket_len;
    to->isSetup = 1;
    /* By its echo a server of TLS 1.2 says that it resumes (RFC 5077 section 3.4). */
    to->sessionIDSz = ID_LEN;
    return getrandom(to->sessionID, ID_LEN, 0) == ID_LEN ? 0 : -EIO;
}

/* wolfSSL would offer no newer version beside a session of TLS 1.2, and be refused by a
 * server that has given up the old one. So the ticket goes into a ClientHello of TLS 1.3
 * as of a client that does not resume yet. (What is meant for its own use is marked.) */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static int
offer_beside_newer(WOLFSSL *ssl)
{
    SessionTicket *ticket = TLSX_SessionTicket_Create(0, ssl->session->ticket,
                                                      ssl->session->ticketLen, ssl->heap);
    if (ticket == NULL) {
        return -ENOMEM;
    }
    if (TLSX_UseSessionTicket(&ssl->extensions, ticket, ssl->heap) != WOLFSSL_SUCCESS) {
        TLSX_SessionTicket_Free(ticket, ssl->heap);
        return -ENOMEM;
    }
    return 0;
}
#pragma GCC diagnostic pop

int
ticket_wolfssl_offer(WOLFSSL *ssl, const struct ticket_session *session)
{
    const ProtocolVersion newest = ssl->version;
    WOLFSSL_SESSION *offered = wolfSSL_SESSION_new();
    if (offered == NULL) {
        return -ENOMEM;
    }
    int result = fill(offered, session);
    if (result == 0 && wolfSSL_set_session(ssl, offered) != WOLFSSL_SUCCESS) {
        result = -ENOMEM;
    }
    wolfSSL_SESSION_free(offered);
    if (result == 0 && newest.minor > ssl->version.minor) {
        ssl->version = newest;
        ssl->options.resuming = 0;
        result = offer_beside_newer(ssl);
    }
    return result;
}

void
ticket_wolfssl_go_on(WOLFSSL *ssl)
{
    ssl->options.resuming = ssl->session->ticketLen > 0;
}

void
ticket_wolfssl_withdraw(WOLFSSL *ssl)
{
    ssl->options.resuming = 0;
    ssl->session->ticketLen = 0;
}

void
ticket_wolfssl_ignore_id(WOLFSSL *ssl)
{
    if (ssl->arrays != NULL && !IsAtLeastTLSv1_3(ssl->version)) {
        ssl->arrays->sessionIDSz = 0;
    }
}

static void
put(byte *to, uint64_t value, size_t len)
{
    while (len-- > 0) {
        to[len] = (byte)value;
        value >>= 8;
    }
}

int
ticket_wolfssl_write(WOLFSSL *ssl, uint16_t cipher, uint16_t group, uint32_t age_add,
                     uint8_t text[TICKET_TEXT_LEN_MAX])
{
    WOLFSSL_SESSION *from = wolfSSL_get1_session(ssl);
    InternalTicket *ticket = (InternalTicket *)(void *)text;
    if (from == NULL) {
        return -EOVERFLOW;
    }
    /* No name and no protocol are bound: our servers look at neither. */
    memset(ticket, 0, sizeof(*ticket));
    ticket->pv.major = SSLv3_MAJOR;
    ticket->pv.minor = TLSv1_3_MINOR;
    put(ticket->suite, cipher, sizeof(ticket->suite));
    memcpy(ticket->msecret, from->masterSecret, sizeof(ticket->msecret));
    wolfSSL_SESSION_free(from);
    put(ticket->timestamp, (uint64_t)wall_ms(), sizeof(ticket->timestamp));
    put(ticket->ageAdd, age_add, sizeof(ticket->ageAdd));
    put(ticket->namedGroup, group, sizeof(ticket->namedGroup));
    ticket->ticketNonceLen = 1; /* one ticket a session: its nonce is 0 */
    return sizeof(*ticket);
}

bool
ticket_wolfssl_is_resumable(const uint8_t *text, size_t len)
{
    const InternalTicket *ticket = (const InternalTicket *)(const void *)text;
    return len == sizeof(*ticket) && ticket->pv.major == SSLv3_MAJOR &&
           (ticket->pv.minor == TLSv1_3_MINOR ||
            (ticket->pv.minor == TLSv1_2_MINOR && ticket->haveEMS == 1));
}
