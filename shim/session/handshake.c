#include "shim/session/handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "shim/session/context.h"
#include "shim/session/exchange.h"
#include "shim/session/handshake_state.h"
#include "shim/session/heap.h"
#include "shim/session/refusal.h"

static int
receive(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    size_t len = handshake->shown.len - handshake->shown_read;
    if (len == 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    if (len > (size_t)size) {
        len = (size_t)size;
    }
    memcpy(buffer, handshake->shown.at + handshake->shown_read, len);
    handshake->shown_read += len;
    return (int)len;
}

static int
transmit(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    size_t need = handshake->out_len + (size_t)size;
    if (need > handshake->out_size) {
        size_t larger = need < 4096 ? 4096 : need * 2;
        uint8_t *out = realloc(handshake->out, larger);
        if (out == NULL) {
            return WOLFSSL_CBIO_ERR_GENERAL;
        }
        handshake->out = out;
        handshake->out_size = larger;
    }
    memcpy(handshake->out + handshake->out_len, buffer, (size_t)size);
    handshake->out_len = need;
    return size;
}

static bool
is_address(const char *name)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int
send_server_name(struct handshake *handshake)
{
    const struct policy_rule *rule = handshake->ruling.rule;
    const char *name = rule->peer_name != NULL ? rule->peer_name
                       : handshake->session->dialled_name[0] != '\0'
                           ? handshake->session->dialled_name
                           : NULL;
    if (name == NULL || is_address(name)) {
        return 0; /* RFC 6066 section 3: literal addresses are not permitted */
    }
    size_t len = strlen(name);
    while (len > 0 && name[len - 1] == '.') {
        len--;
    }
    return wolfSSL_UseSNI(handshake->ssl, WOLFSSL_SNI_HOST_NAME, name,
                          (unsigned short)len) == WOLFSSL_SUCCESS
               ? 0
               : -EPROTO;
}

static struct handshake *
make(WOLFSSL_CTX *ctx, struct session *session, const struct ruling *ruling)
{
    struct handshake *handshake = heap_alloc_zero(sizeof(*handshake));
    if (handshake == NULL) {
        return NULL;
    }
    handshake->session = session;
    handshake->ruling = *ruling;
    resume_init(&handshake->resume, session, &handshake->ruling);
    admission_init(&handshake->admission, ruling, session->is_server);
    handshake->ssl = wolfSSL_new(ctx);
    if (handshake->ssl == NULL ||
        (!session->is_server && send_server_name(handshake) < 0) ||
        admission_ask(&handshake->admission, handshake->ssl) < 0) {
        handshake_free(handshake);
        return NULL;
    }
    wolfSSL_SSLSetIORecv(handshake->ssl, receive);
    wolfSSL_SSLSetIOSend(handshake->ssl, transmit);
    wolfSSL_SetIOReadCtx(handshake->ssl, handshake);
    wolfSSL_SetIOWriteCtx(handshake->ssl, handshake);
    wolfSSL_SetCertCbCtx(handshake->ssl, handshake);
    wolfSSL_set_verify(handshake->ssl,
                       WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       handshake_verify);
    (void)wolfSSL_set_tls13_secret_cb(handshake->ssl, handshake_keep_secret, handshake);
    if (!session->is_server) {
        resume_offer(&handshake->resume, handshake->ssl);
        if (exchange_offer(handshake->ssl, ruling->rule->identity,
                           handshake->resume.offered_group) < 0) {
            handshake_free(handshake);
            return NULL;
        }
    }
    return handshake;
}

struct handshake *
handshake_new(struct session *session, const struct ruling *ruling)
{
    WOLFSSL_CTX *ctx = context_get(ruling_context(ruling), session->is_server);
    if (ctx == NULL) {
        return NULL;
    }
    heap_begin();
    struct handshake *handshake = make(ctx, session, ruling);
    heap_end();
    return handshake;
}

void
handshake_free(struct handshake *handshake)
{
    if (handshake == NULL) {
        return;
    }
    wolfSSL_free(handshake->ssl);
    resume_done(&handshake->resume);
    admission_done(&handshake->admission);
    chain_unref(handshake->chain);
    hello_done(&handshake->hello);
    free(handshake->out);
    wc_ForceZero(handshake->client_secret, sizeof(handshake->client_secret));
    wc_ForceZero(handshake->server_secret, sizeof(handshake->server_secret));
    wc_ForceZero(handshake->flight_secret, sizeof(handshake->flight_secret));
    heap_free(handshake);
}

int
handshake_step(struct handshake *handshake)
{
    if (handshake->is_done) {
        return 0;
    }
    handshake->is_begun = true;
    heap_begin();
    int negotiated = wolfSSL_negotiate(handshake->ssl);
    heap_end();
    if (negotiated == WOLFSSL_SUCCESS) {
        int result = handshake->vouched ? 0 : handshake_accept_resumed(handshake);
        result = result == 0 ? handshake_check_group(handshake) : result;
        result = result == 0 ? handshake_check_signature(handshake) : result;
        handshake->is_done = result == 0;
        return result;
    }
    int error = wolfSSL_get_error(handshake->ssl, 0);
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) {
        return -EAGAIN;
    }
    resume_failed(&handshake->resume);
    return handshake_explain(handshake, error);
}

const struct failure *
handshake_why(const struct handshake *handshake)
{
    return &handshake->failure;
}

static size_t
record_len(const uint8_t *header)
{
    return RECORD_HEADER_LEN + ((size_t)header[3] << 8 | header[4]);
}

/* Returns the length of the record at header; -EPROTO, it is none. */
static ssize_t
check_header(struct handshake *handshake, const uint8_t *header)
{
    enum { ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23, CHANGE_CIPHER_SPEC = 20 };
    size_t len = record_len(header);
    if (header[0] < CHANGE_CIPHER_SPEC || header[0] > APPLICATION_DATA ||
        header[1] != 3 ||
        (!handshake->saw_record && header[0] != HANDSHAKE && header[0] != ALERT)) {
        return handshake_refuse_record(
            handshake, ALERT_UNEXPECTED_MESSAGE,
            "what came is not a TLS record: the peer speaks plaintext or "
            "another protocol");
    }
    if (len == RECORD_HEADER_LEN || len > RECORD_CIPHERTEXT_MAX) {
        return handshake_refuse_record(handshake, ALERT_RECORD_OVERFLOW,
                                       "a record of impossible length came");
    }
    return (ssize_t)len;
}

/* The next record is whole. Returns 1 wolfSSL may see it; 0 it is part of a hello that is
 * not whole yet; -EPROTO. */
static int
show(struct handshake *handshake, size_t len)
{
    handshake->shown = (struct der_span){handshake->in + handshake->in_next, len};
    handshake->shown_read = 0;
    handshake->in_next += len;
    handshake->in_used = handshake->in_next;
    handshake->saw_record = true;
    if (!handshake->hello.is_seen) {
        return handshake_take_hello(handshake);
    }
    resume_goes_on(&handshake->resume, handshake->ssl);
    return 1;
}

int
handshake_next(struct handshake *handshake)
{
    int shown = 0;
    while (shown == 0 && handshake->in_len - handshake->in_next >= RECORD_HEADER_LEN) {
        ssize_t len = check_header(handshake, handshake->in + handshake->in_next);
        if (len < 0) {
            return (int)len;
        }
        if (handshake->in_len - handshake->in_next < (size_t)len) {
            break;
        }
        shown = show(handshake, (size_t)len);
    }
    if (shown == 0) {
        handshake->in_used = handshake->in_len;
    }
    return shown;
}

size_t
handshake_owed(const struct handshake *handshake)
{
    return handshake->in_used - handshake->in_taken;
}

void
handshake_taken(struct handshake *handshake)
{
    handshake->in_taken = handshake->in_used;
}

uint8_t *
handshake_room(struct handshake *handshake, size_t *len)
{
    handshake->in_len -= handshake->in_next;
    memmove(handshake->in, handshake->in + handshake->in_next, handshake->in_len);
    handshake->shown = (struct der_span){NULL, 0};
    handshake->shown_read = handshake->in_next = 0;
    handshake->in_used = handshake->in_taken = handshake->in_len;
    *len = sizeof(handshake->in) - handshake->in_len;
    return handshake->in + handshake->in_len;
}

void
handshake_got(struct handshake *handshake, size_t len)
{
    handshake->in_len += len;
}

size_t
handshake_lacks(const struct handshake *handshake)
{
    const uint8_t *header = handshake->in + handshake->in_next;
    size_t left = handshake->in_len - handshake->in_next;
    return left < RECORD_HEADER_LEN ? RECORD_HEADER_LEN - left
                                    : record_len(header) - left;
}

const uint8_t *
handshake_output(const struct handshake *handshake, size_t *len)
{
    *len = handshake->out_len - handshake->out_start;
    return handshake->out + handshake->out_start;
}

void
handshake_sent(struct handshake *handshake, size_t len)
{
    handshake->out_start += len;
    if (handshake->out_start == handshake->out_len) {
        handshake->out_start = handshake->out_len = 0;
    }
}

uint64_t
handshake_resume_number(const struct handshake *handshake)
{
    return handshake->resume_number;
}

struct resume *
handshake_resume(void *io_context)
{
    struct handshake *handshake = io_context;
    return &handshake->resume;
}
