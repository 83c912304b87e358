/*
 * Any bytes as the body of a NewSessionTicket (RFC 8446 section 4.6.1): what is kept of
 * it is what it says, and a ClientHello offers just that.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/session/resume_cache.h"
#include "tests/lib/fuzz.h"

enum { TLS_1_3 = 0x0304, AES_128_GCM_SHA256 = 0x1301, X25519 = 0x001d };

struct hello {
    uint8_t bytes[2 * TICKET_LEN_MAX];
    size_t len;
};

/* Returns whether it was kept. */
static bool
keep(const uint8_t *body, size_t len, struct resume_entry *entry)
{
    static const uint8_t key[RESUME_CACHE_KEY_LEN] = "purpose";
    static const struct resume_entry none = {.session = {.version = TLS_1_3,
                                                         .cipher = AES_128_GCM_SHA256,
                                                         .group = X25519,
                                                         .secret = "secret"}};
    uint64_t number = resume_cache_put(key, &none);
    require(number != 0);
    resume_cache_fill(number, body, len);
    return resume_cache_take(key, entry);
}

static size_t
put(uint8_t *to, uint32_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    }
    return len;
}

/* Put together again it is what came, and only extensions are behind it. */
static void
require_same(const struct ticket_session *session, const uint8_t *body, size_t len)
{
    uint8_t again[4 + 4 + 1 + TICKET_NONCE_LEN_MAX + 2 + TICKET_LEN_MAX + 2];
    size_t at = 0;
    require(session->nonce_len <= TICKET_NONCE_LEN_MAX);
    require(session->ticket_len > 0 && session->ticket_len <= TICKET_LEN_MAX);
    at += put(again + at, session->lifetime_s, 4);
    at += put(again + at, session->age_add, 4);
    at += put(again + at, session->nonce_len, 1);
    memcpy(again + at, session->nonce, session->nonce_len);
    at += session->nonce_len;
    at += put(again + at, session->ticket_len, 2);
    memcpy(again + at, session->ticket, session->ticket_len);
    at += session->ticket_len;
    require(at + 2 <= len);
    at += put(again + at, (uint32_t)(len - at - 2), 2);
    require(memcmp(again, body, at) == 0);
}

static int
get_nothing(WOLFSSL *ssl, char *bytes, int len, void *context)
{
    (void)ssl, (void)bytes, (void)len, (void)context;
    return WOLFSSL_CBIO_ERR_WANT_READ;
}

static int
put_hello(WOLFSSL *ssl, char *bytes, int len, void *context)
{
    struct hello *hello = context;
    (void)ssl;
    require(len > 0 && (size_t)len <= sizeof(hello->bytes) - hello->len);
    memcpy(hello->bytes + hello->len, bytes, (size_t)len);
    hello->len += (size_t)len;
    return len;
}

static WOLFSSL_CTX *
make_context(void)
{
    WOLFSSL_CTX *ctx;
    require(wolfSSL_Init() == WOLFSSL_SUCCESS);
    ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    require(ctx != NULL);
    wolfSSL_CTX_SetIORecv(ctx, get_nothing);
    wolfSSL_CTX_SetIOSend(ctx, put_hello);
    return ctx;
}

static void
require_offer(struct ticket_session *session)
{
    static WOLFSSL_CTX *ctx;
    static struct hello hello;
    if (ctx == NULL) {
        ctx = make_context();
    }
    hello.len = 0;
    WOLFSSL *ssl = wolfSSL_new(ctx);
    require(ssl != NULL);
    wolfSSL_SetIOWriteCtx(ssl, &hello);
    session->lifetime_s = 7200; /* as it is done when it is fresh */
    require(ticket_wolfssl_offer(ssl, session) == 0);
    require(wolfSSL_connect(ssl) != WOLFSSL_SUCCESS &&
            wolfSSL_get_error(ssl, 0) == WOLFSSL_ERROR_WANT_READ);
    require(memmem(hello.bytes, hello.len, session->ticket, session->ticket_len) != NULL);
    wolfSSL_free(ssl);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    struct resume_entry entry;
    if (keep(input, len, &entry)) {
        require_same(&entry.session, input, len);
        require_offer(&entry.session);
    }
    return 0;
}
