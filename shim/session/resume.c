#include "shim/session/resume.h"

#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "shim/record/bytes.h"
#include "shim/session/chain_store.h"
#include "shim/session/context.h"
#include "shim/session/handshake.h"
#include "shim/session/judge.h"
#include "shim/session/ocsp.h"
#include "shim/session/resume_cache.h"
#include "shim/session/ticket_wolfssl.h"

#define LIFETIME_S TICKET_KEY_PERIOD_S
#define TLS_1_3 0x0304

static bool can_serve; /* there is the memory for it */

static int64_t
now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec;
}

/* ---- what a session is bound to ------------------------------------------------------
 */

static int
hash_text(wc_Sha256 *hash, const char *text)
{
    return wc_Sha256Update(hash, (const byte *)text, (word32)strlen(text) + 1);
}

static int
hash_list(wc_Sha256 *hash, const char *const *list)
{
    int rc = hash_text(hash, list != NULL ? "list" : "default");
    for (; rc == 0 && list != NULL && *list != NULL; list++) {
        rc = hash_text(hash, *list);
    }
    return rc == 0 ? hash_text(hash, "") : rc;
}

static int
hash_rule(wc_Sha256 *hash, const struct ruling *ruling)
{
    const struct policy_rule *rule = ruling->rule;
    const struct policy_identity *identity = rule->identity;
    const uint16_t versions[] = {identity->min_version, identity->max_version};
    uint8_t trust[CONTEXT_TRUST_ID_LEN];
    if (!context_trust_id(ruling_context(ruling), trust)) {
        return -1;
    }
    int rc = wc_Sha256Update(hash, trust, sizeof(trust));
    if (rc == 0) {
        rc = hash_text(hash, rule->direction == POLICY_INBOUND ? "inbound" : "outbound");
    }
    if (rc == 0) {
        rc = hash_text(hash, rule->name);
    }
    if (rc == 0) {
        rc = hash_text(hash, identity->name);
    }
    if (rc == 0) { /* ours is not shown again: once it is renewed, the new one is to be */
        rc = hash_text(hash, context_serial(ruling_context(ruling)));
    }
    if (rc == 0) {
        rc = wc_Sha256Update(hash, (const byte *)versions, sizeof(versions));
    }
    if (rc == 0) {
        rc = hash_list(hash, identity->ciphers);
    }
    return rc == 0 ? hash_list(hash, identity->groups) : rc;
}

/* What a client dials. */
static int
hash_dialled(wc_Sha256 *hash, const struct session *session, const struct ruling *ruling)
{
    const union session_address *remote = &session->remote;
    const char *peer_name = ruling->rule->peer_name;
    int rc = hash_text(hash, peer_name != NULL ? peer_name : "");
    if (rc == 0) {
        rc = hash_text(hash, session->dialled_name);
    }
    if (rc == 0 && remote->any.sa_family == AF_INET6) {
        rc = wc_Sha256Update(hash, (const byte *)&remote->in6.sin6_addr,
                             sizeof(remote->in6.sin6_addr));
        if (rc == 0) {
            rc = wc_Sha256Update(hash, (const byte *)&remote->in6.sin6_port,
                                 sizeof(remote->in6.sin6_port));
        }
    } else if (rc == 0) {
        rc = wc_Sha256Update(hash, (const byte *)&remote->in.sin_addr,
                             sizeof(remote->in.sin_addr));
        if (rc == 0) {
            rc = wc_Sha256Update(hash, (const byte *)&remote->in.sin_port,
                                 sizeof(remote->in.sin_port));
        }
    }
    return rc;
}

/* Whatever differs, the session is another one's. Returns whether it could be done. */
static bool
binding_of(const struct resume *resume, uint8_t binding[TICKET_BINDING_LEN])
{
    wc_Sha256 hash;
    if (wc_InitSha256(&hash) != 0) {
        return false;
    }
    int rc = hash_rule(&hash, resume->ruling);
    if (rc == 0 && !resume->session->is_server) {
        rc = hash_dialled(&hash, resume->session, resume->ruling);
    }
    if (rc == 0) {
        rc = wc_Sha256Final(&hash, binding);
    }
    wc_Sha256Free(&hash);
    return rc == 0;
}

/* Whether OCSP has nothing against the peer, as far as is known: to ask is for a full
 * handshake. */
static bool
is_known_good(const struct resume *resume, const struct chain *chain)
{
    struct ocsp_asker asker = ocsp_asker(resume->ruling);
    return ocsp_is_known_good(&asker, chain);
}

/* Whether the peer would be let in by these certificates; then it is the one to be. With
 * other trust anchors the session could not be found: they vouch as they did then. */
static bool
adopt(struct resume *resume, struct chain *chain, int64_t authenticated_s)
{
    struct failure failure; /* the full handshake that comes instead will tell */
    if (chain == NULL || now_s() >= authenticated_s + LIFETIME_S ||
        judge_dates(chain, time(NULL), &failure) < 0 || !is_known_good(resume, chain) ||
        judge_vouched(resume->session, resume->ruling, chain, &resume->peer, &failure) <
            0) {
        chain_unref(chain);
        return false;
    }
    chain_unref(resume->chain);
    resume->chain = chain;
    resume->authenticated_s = authenticated_s;
    return true;
}

struct chain *
resume_chain(struct resume *resume, WOLFSSL *ssl)
{
    if (resume->chain == NULL || !wolfSSL_session_reused(ssl)) {
        return NULL;
    }
    resume->session->peer = resume->peer;
    return chain_ref(resume->chain);
}

/* When certificates were shown last, in this handshake or before. */
static int64_t
authenticated_s(const struct resume *resume)
{
    return resume->session->resumed ? resume->authenticated_s : now_s();
}

/* ---- server --------------------------------------------------------------------------
 */

static int
seal(const struct resume *resume, const struct chain *chain, int64_t since_s,
     struct ticket *ticket)
{
    struct ticket_owner owner = {.authenticated_s = since_s};
    uint8_t binding[TICKET_BINDING_LEN];
    if (!binding_of(resume, binding)) {
        return -1;
    }
    if (chain != NULL && chain_store_put(chain)) {
        memcpy(owner.chain_id, chain_id(chain), sizeof(owner.chain_id));
    }
    return ticket_seal(binding, &owner, now_s(), ticket);
}

/*
 * wolfSSL asks for each ticket that a ClientHello of TLS 1.3 holds, but checks only of
 * the one that it chooses that the client knows its secret. Others may be stolen, so that
 * one alone is accepted: the peer is whom that one names. (A ClientHello may come twice.)
 */
static bool
is_second(const struct resume *resume, const struct ticket *ticket)
{
    return resume->chain != NULL &&
           memcmp(resume->ticket_iv, ticket->iv, TICKET_IV_LEN) != 0;
}

static bool
unseal(struct resume *resume, struct ticket *ticket)
{
    struct ticket_owner owner;
    uint8_t binding[TICKET_BINDING_LEN];
    if (is_second(resume, ticket) || !binding_of(resume, binding) ||
        ticket_open(binding, now_s(), ticket, &owner) < 0 ||
        !ticket_wolfssl_is_resumable(ticket->text, ticket->len) ||
        !adopt(resume, chain_store_get(owner.chain_id), owner.authenticated_s)) {
        return false;
    }
    memcpy(resume->ticket_iv, ticket->iv, TICKET_IV_LEN);
    return true;
}

/* wolfSSL has a ticket sealed (TLS 1.2 only) or opened. */
static int
serve_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
             unsigned char iv[WOLFSSL_TICKET_IV_SZ],
             unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int encrypt, unsigned char *text,
             int len, int *out_len, void *context)
{
    (void)context;
    struct resume *resume = handshake_resume(wolfSSL_GetIOReadCtx(ssl));
    struct ticket ticket = {
        .name = name, .iv = iv, .mac = mac, .text = text, .len = (size_t)len};
    bool good;
    if (encrypt) {
        bool usable = ticket_wolfssl_is_resumable(text, ticket.len);
        good = seal(resume, usable ? resume->shown : NULL, now_s(), &ticket) == 0;
    } else {
        good = unseal(resume, &ticket);
    }
    *out_len = (int)ticket.len;
    return good      ? WOLFSSL_TICKET_RET_OK
           : encrypt ? WOLFSSL_TICKET_RET_FATAL
                     : WOLFSSL_TICKET_RET_REJECT;
}

static uint8_t *
put_number(uint8_t *to, uint32_t value, int len)
{
    while (len-- > 0) {
        *to++ = (uint8_t)(value >> (8 * len));
    }
    return to;
}

/* A NewSessionTicket of TLS 1.3 (RFC 8446 section 4.6.1). Returns its length, 0 = none.
 */
static size_t
write_message(const struct resume *resume, WOLFSSL *ssl, const struct chain *chain,
              uint8_t message[RECORD_TICKET_LEN_MAX])
{
    enum { HEADER_LEN = 4, BEFORE_TICKET_LEN = HEADER_LEN + 4 + 4 + 2 + 2 };
    const struct session *session = resume->session;
    int64_t since_s = authenticated_s(resume);
    int64_t left_s = since_s + LIFETIME_S - now_s();
    uint32_t age_add;
    uint8_t *name = message + BEFORE_TICKET_LEN;
    struct ticket ticket = {.name = name, .iv = name + TICKET_KEY_NAME_LEN};
    _Static_assert(BEFORE_TICKET_LEN + TICKET_KEY_NAME_LEN + TICKET_IV_LEN + 2 +
                           TICKET_TEXT_LEN_MAX + TICKET_TAIL_LEN + TICKET_MAC_LEN + 2 <=
                       RECORD_TICKET_LEN_MAX,
                   "a ticket fits");
    ticket.text = ticket.iv + TICKET_IV_LEN + 2;
    if (left_s <= 0 || getrandom(&age_add, sizeof(age_add), 0) != sizeof(age_add)) {
        return 0;
    }
    int len =
        ticket_wolfssl_write(ssl, session->cipher, session->group, age_add, ticket.text);
    if (len < 0) {
        return 0;
    }
    ticket.len = (size_t)len;
    ticket.mac = ticket.text + ticket.len + TICKET_TAIL_LEN;
    if (seal(resume, chain, since_s, &ticket) < 0) {
        wc_ForceZero(ticket.text, ticket.len);
        return 0;
    }
    (void)put_number(ticket.iv + TICKET_IV_LEN, (uint32_t)ticket.len, 2);
    uint8_t *end = put_number(ticket.mac + TICKET_MAC_LEN, 0, 2); /* no extensions */
    uint8_t *at = put_number(message, RECORD_MESSAGE_NEW_SESSION_TICKET, 1);
    at = put_number(at, (uint32_t)(end - message) - HEADER_LEN, 3);
    at = put_number(at, (uint32_t)left_s, 4);
    at = put_number(at, age_add, 4);
    at = put_number(at, 1 << 8 | 0, 2); /* the nonce: one byte, 0 */
    (void)put_number(at, (uint32_t)(end - 2 - name), 2);
    return (size_t)(end - message);
}

static void
make_ticket(struct resume *resume, WOLFSSL *ssl, const struct chain *chain)
{
    resume->ticket_len = (uint16_t)write_message(resume, ssl, chain, resume->ticket);
}

/* ---- client --------------------------------------------------------------------------
 */

static bool
is_fresh(const struct ticket_session *session, const struct policy_identity *identity)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_s = now.tv_sec - session->seen_ms / 1000;
    uint32_t lifetime_s = session->lifetime_s != 0      ? session->lifetime_s
                          : session->version == TLS_1_3 ? 0
                                                        : LIFETIME_S;
    return age_s >= 0 && age_s < lifetime_s &&
           session->version >= identity->min_version &&
           session->version <= identity->max_version;
}

void
resume_offer(struct resume *resume, WOLFSSL *ssl)
{
    const struct policy_identity *identity = resume->ruling->rule->identity;
    struct resume_entry entry;
    uint8_t key[RESUME_CACHE_KEY_LEN];
    if (!identity->session_tickets || !binding_of(resume, key) ||
        !resume_cache_take(key, &entry)) {
        return;
    }
    if (!is_fresh(&entry.session, identity)) {
        chain_unref(entry.chain);
    } else if (adopt(resume, entry.chain, entry.authenticated_s)) {
        resume->seen_ms = entry.session.seen_ms;
        entry.session.lifetime_s = LIFETIME_S; /* looked at already */
        resume->offered_version = entry.session.version;
        resume->offered_group =
            entry.session.version == TLS_1_3 ? entry.session.group : 0;
        (void)ticket_wolfssl_offer(ssl, &entry.session);
    }
    wc_ForceZero(&entry, sizeof(entry));
}

void
resume_answered(struct resume *resume, WOLFSSL *ssl, unsigned version)
{
    if (version == 0 || resume->offered_version == 0) {
        return;
    }
    if (version != resume->offered_version) {
        ticket_wolfssl_withdraw(ssl);
    } else {
        ticket_wolfssl_go_on(ssl);
    }
}

void
resume_goes_on(const struct resume *resume, WOLFSSL *ssl)
{
    if (resume->offered_version != 0) {
        ticket_wolfssl_ignore_id(ssl);
    }
}

void
resume_failed(const struct resume *resume)
{
    struct resume_entry entry;
    uint8_t key[RESUME_CACHE_KEY_LEN];
    if (resume->offered_version == 0 || !binding_of(resume, key)) {
        return;
    }
    while (resume_cache_take(key, &entry)) {
        chain_unref(entry.chain);
    }
    wc_ForceZero(&entry, sizeof(entry));
}

static uint64_t
keep(const struct resume *resume, WOLFSSL *ssl, struct chain *chain)
{
    const struct session *session = resume->session;
    struct resume_entry entry = {
        .session = {.version = session->version,
                    .cipher = session->cipher,
                    .group = session->group},
        .authenticated_s = authenticated_s(resume),
    };
    uint8_t key[RESUME_CACHE_KEY_LEN];
    uint64_t number = 0;
    if (ticket_wolfssl_take(ssl, &entry.session) == 0 && binding_of(resume, key)) {
        if (session->resumed && session->version < TLS_1_3) {
            entry.session.seen_ms = resume->seen_ms; /* it may be the same ticket */
        }
        entry.chain = chain_ref(chain);
        number = resume_cache_put(key, &entry);
    }
    wc_ForceZero(&entry, sizeof(entry));
    return number;
}

/* The record layer has read a ticket. */
static void
take_ticket(struct record_conn *conn, const uint8_t *body, size_t len)
{
    const struct handle *handle =
        (const struct handle *)(const void *)((const char *)conn -
                                              offsetof(struct handle, conn));
    if (handle->resume_number != 0) {
        resume_cache_fill(handle->resume_number, body, len);
    }
}

/* ---- both ----------------------------------------------------------------------------
 */

void
resume_start(void)
{
    record_ticket_taker = take_ticket;
    can_serve = ticket_key_init() == 0 && chain_store_init() == 0;
}

void
resume_set_up(WOLFSSL_CTX *ctx, const struct policy_identity *identity, bool is_server)
{
    (void)wolfSSL_CTX_only_dhe_psk(ctx); /* without, a ticket's key would tell all */
    if (!is_server) {
        if (identity->session_tickets && identity->min_version < TLS_1_3) {
            (void)wolfSSL_CTX_UseSessionTicket(ctx);
        }
        return;
    }
    /* Of TLS 1.3 we make them ourselves, for the record to send with the first data. */
    (void)wolfSSL_CTX_no_ticket_TLSv13(ctx);
    if (identity->session_tickets && can_serve) {
        (void)wolfSSL_CTX_set_TicketEncCb(ctx, serve_ticket);
        (void)wolfSSL_CTX_set_TicketHint(ctx, LIFETIME_S);
        (void)wolfSSL_CTX_set_timeout(ctx, LIFETIME_S);
    } else {
        (void)wolfSSL_CTX_set_TicketEncCb(ctx, NULL);
        (void)wolfSSL_CTX_NoTicketTLSv12(ctx);
    }
}

void
resume_init(struct resume *resume, struct session *session, const struct ruling *ruling)
{
    resume->session = session;
    resume->ruling = ruling;
}

void
resume_done(struct resume *resume)
{
    chain_unref(resume->chain);
    resume->chain = NULL;
}

uint64_t
resume_prepare_next(struct resume *resume, WOLFSSL *ssl, struct chain *chain)
{
    if (!resume->ruling->rule->identity->session_tickets || chain == NULL) {
        return 0;
    }
    if (!resume->session->is_server) {
        return keep(resume, ssl, chain);
    }
    if (resume->session->version == TLS_1_3 && can_serve) {
        make_ticket(resume, ssl, chain);
    }
    return 0;
}
