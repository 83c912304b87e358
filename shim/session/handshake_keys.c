#include "shim/session/handshake_state.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "config/groups.h"
#include "shim/session/suite.h"

int
handshake_keep_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len,
                      void *context)
{
    (void)ssl;
    struct handshake *handshake = context;
    uint8_t *kept = id == CLIENT_TRAFFIC_SECRET             ? handshake->client_secret
                    : id == SERVER_TRAFFIC_SECRET           ? handshake->server_secret
                    : id == SERVER_HANDSHAKE_TRAFFIC_SECRET ? handshake->flight_secret
                                                            : NULL;
    if (kept != NULL && len > 0 && (size_t)len <= sizeof(handshake->client_secret)) {
        memcpy(kept, secret, (size_t)len);
    }
    return 0;
}

const char *
handshake_group(const struct handshake *handshake)
{
    const char *name = wolfSSL_get_curve_name(handshake->ssl);
    return name != NULL ? groups_name(name) : "";
}

/* Fills in one direction; from_client says whose sending keys they are. */
static int
take_keys(struct handshake *handshake, bool from_client, bool is_13,
          struct record_secrets *keys)
{
    WOLFSSL *ssl = handshake->ssl;
    const uint8_t *key =
        from_client ? wolfSSL_GetClientWriteKey(ssl) : wolfSSL_GetServerWriteKey(ssl);
    const uint8_t *iv =
        from_client ? wolfSSL_GetClientWriteIV(ssl) : wolfSSL_GetServerWriteIV(ssl);
    int key_len = wolfSSL_GetKeySize(ssl);
    bool ours = from_client != handshake->session->is_server;
    word64 seq = 0;
    int got = ours ? wolfSSL_GetSequenceNumber(ssl, &seq)
                   : wolfSSL_GetPeerSequenceNumber(ssl, &seq);
    if (key == NULL || iv == NULL || key_len <= 0 ||
        (size_t)key_len > sizeof(keys->key) || got < 0) {
        return -EPROTO;
    }
    memcpy(keys->key, key, (size_t)key_len);
    memcpy(keys->iv, iv, is_13 ? 12 : (size_t)wolfSSL_GetIVSize(ssl));
    memcpy(keys->secret,
           from_client ? handshake->client_secret : handshake->server_secret,
           sizeof(keys->secret));
    keys->seq = seq;
    return 0;
}

int
handshake_hand_over(struct handshake *handshake)
{
    struct session *session = handshake->session;
    WOLFSSL *ssl = handshake->ssl;
    bool is_13 = wolfSSL_version(ssl) == TLS1_3_VERSION;
    WOLFSSL_CIPHER *cipher = wolfSSL_get_current_cipher(ssl);
    uint16_t number = (uint16_t)(wolfSSL_CIPHER_get_id(cipher) & 0xffff);
    const struct suite *suite = suite_by_number(number);
    if (suite == NULL) {
        failure_set(&handshake->failure, REASON_SHIM_ERROR, "cipher suite 0x%04x",
                    number);
        return -EPROTO;
    }
    session->version = is_13 ? 0x0304 : 0x0303;
    session->cipher = number;
    const struct groups_entry *group = groups_find(handshake_group(handshake));
    session->group = group != NULL ? group->number : 0;

    struct record_secrets client, server;
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    int result = take_keys(handshake, true, is_13, &client);
    if (result == 0) {
        result = take_keys(handshake, false, is_13, &server);
    }
    if (result == 0) {
        result = record_start(&session->record, session->version, suite->aead,
                              suite->hash_len, session->is_server ? &client : &server,
                              session->is_server ? &server : &client);
    }
    wc_ForceZero(&client, sizeof(client));
    wc_ForceZero(&server, sizeof(server));
    if (result < 0) {
        failure_set(&handshake->failure, REASON_SHIM_ERROR,
                    "the keys could not be taken over");
        return result;
    }
    handshake->resume_number =
        resume_prepare_next(&handshake->resume, ssl, handshake->chain);
    return 0;
}

const uint8_t *
handshake_flight_secret(const struct handshake *handshake)
{
    return handshake->flight_secret;
}

const uint8_t *
handshake_ticket(const struct handshake *handshake, size_t *len)
{
    *len = handshake->resume.ticket_len;
    return handshake->resume.ticket;
}
