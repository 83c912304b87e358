#include "tools/ctl/probe_watch.h"

#include "shim/record/protect.h"
#include "shim/session/hello_read.h"
#include "shim/session/suite.h"

#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/kdf.h>
#include <wolfssl/wolfcrypt/memory.h>

enum { RECORD_HANDSHAKE = 22, RECORD_APPLICATION_DATA = 23 };

/* RFC 8446, section 4; RFC 5246, section 7.4. */
enum message {
    SERVER_HELLO = 2,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    SERVER_HELLO_DONE = 14,
    FINISHED = 20,
};

enum { EXTENSION_CERTIFICATE_AUTHORITIES = 47 };

/* ---- messages ---------------------------------------------------------------------- */

static void
read_hello(struct probe_watch *watch, struct der_span body)
{
    struct hello_server server;

    if (!hello_read_server(body, &server) || server.suite == 0) {
        watch->done = true;
        return;
    }
    watch->version = server.version;
    watch->suite = server.suite;
    watch->group = server.group != 0 ? server.group : watch->group;
}

static void
read_issuers(struct probe_watch *watch, struct der_span list)
{
    struct der_span name;

    while (watch->issuer_count < PROBE_ISSUERS_MAX &&
           hello_read_vector(&list, 2, &name)) {
        watch->issuers[watch->issuer_count++] = name;
    }
}

static void
read_request(struct probe_watch *watch, struct der_span body)
{
    struct der_span part;
    struct der_span extensions;
    size_t type;

    watch->asked = true;
    if (watch->version != 0x0304) {
        /* types, signature schemes, names */
        if (hello_read_vector(&body, 1, &part) && hello_read_vector(&body, 2, &part) &&
            hello_read_vector(&body, 2, &part)) {
            read_issuers(watch, part);
        }
        return;
    }
    if (!hello_read_vector(&body, 1, &part) ||
        !hello_read_vector(&body, 2, &extensions)) {
        return;
    }
    while (hello_read_number(&extensions, 2, &type) &&
           hello_read_vector(&extensions, 2, &part)) {
        if (type == EXTENSION_CERTIFICATE_AUTHORITIES) {
            struct der_span names;

            if (hello_read_vector(&part, 2, &names)) {
                read_issuers(watch, names);
            }
        }
    }
}

static void
read_certificates(struct probe_watch *watch, struct der_span body)
{
    bool is_13 = watch->version == 0x0304;
    struct der_span list;
    struct der_span part;

    if ((is_13 && !hello_read_vector(&body, 1, &part)) ||
        !hello_read_vector(&body, 3, &list)) {
        return;
    }
    while (watch->cert_count < PROBE_CERTS_MAX && hello_read_vector(&list, 3, &part)) {
        watch->certs[watch->cert_count++] = part;
        if (is_13 && !hello_read_vector(&list, 2, &part)) {
            break;
        }
    }
}

/* RFC 8422, section 5.4: a named curve. */
static void
read_key_exchange(struct probe_watch *watch, struct der_span body)
{
    enum { NAMED_CURVE = 3 };
    size_t type;
    size_t group;

    if (hello_read_number(&body, 1, &type) && type == NAMED_CURVE &&
        hello_read_number(&body, 2, &group)) {
        watch->group = (uint16_t)group;
    }
}

static void
read_message(struct probe_watch *watch, size_t type, struct der_span body)
{
    switch (type) {
    case SERVER_HELLO:
        read_hello(watch, body);
        break;
    case CERTIFICATE:
        read_certificates(watch, body);
        break;
    case SERVER_KEY_EXCHANGE:
        read_key_exchange(watch, body);
        break;
    case CERTIFICATE_REQUEST:
        read_request(watch, body);
        break;
    case SERVER_HELLO_DONE:
    case FINISHED:
        watch->done = true;
        break;
    default:
        break;
    }
}

/* Messages may be spread over records, and several may be in one. */
static void
add_messages(struct probe_watch *watch, const uint8_t *data, size_t len)
{
    if (len > sizeof(watch->flight) - watch->flight_len) {
        watch->done = true;
        return;
    }
    memcpy(watch->flight + watch->flight_len, data, len);
    watch->flight_len += len;
    while (!watch->done) {
        struct der_span rest = {watch->flight + watch->flight_read,
                                watch->flight_len - watch->flight_read};
        struct der_span body;
        size_t type;

        if (!hello_read_number(&rest, 1, &type) || !hello_read_vector(&rest, 3, &body)) {
            break;
        }
        read_message(watch, type, body);
        watch->flight_read = watch->flight_len - rest.len;
    }
}

/* ---- records ----------------------------------------------------------------------- */

static bool
expand(const uint8_t *secret, const struct suite *suite, const char *label, uint8_t *out,
       size_t len)
{
    static const uint8_t protocol[] = "tls13 ";

    return wc_Tls13_HKDF_Expand_Label(out, (word32)len, secret, suite->hash_len, protocol,
                                      sizeof(protocol) - 1, (const uint8_t *)label,
                                      (word32)strlen(label), NULL, 0,
                                      suite->hash_len == 48 ? WC_SHA384 : WC_SHA256) == 0;
}

/* RFC 8446, section 7.3. */
static bool
derive(const struct probe_watch *watch, const uint8_t *secret,
       struct record_secrets *keys, const struct suite **suite)
{
    *suite = suite_by_number(watch->suite);
    memset(keys, 0, sizeof(*keys));
    keys->seq = watch->seq;
    return *suite != NULL &&
           expand(secret, *suite, "key", keys->key,
                  (*suite)->aead == RECORD_AES_128_GCM ? 16 : 32) &&
           expand(secret, *suite, "iv", keys->iv, sizeof(keys->iv));
}

static void
open_record(struct probe_watch *watch, const uint8_t *secret)
{
    struct record_content content;
    struct record_secrets keys;
    const struct suite *suite;
    struct record_conn conn;
    struct record record;
    uint8_t alert;

    memset(&record, 0, sizeof(record));
    watch->done = true;
    if (!derive(watch, secret, &keys, &suite) || record_init(&record) != 0) {
        wc_ForceZero(&keys, sizeof(keys));
        return;
    }
    record_conn_init(&conn, &record, NULL, NULL);
    if (record_start(&record, 0x0304, suite->aead, suite->hash_len, &keys, &keys) == 0 &&
        record_protect_check(&record, watch->record, &alert) ==
            (ssize_t)watch->record_len &&
        record_protect_open(&conn, watch->record, watch->record_len, NULL, &content,
                            &alert) == 0) {
        watch->done = false;
        watch->seq++;
        if (content.type == RECORD_HANDSHAKE) {
            add_messages(watch, content.data, content.len);
        }
    }
    record_conn_done(&conn);
    record_done(&record);
    wc_ForceZero(&keys, sizeof(keys));
}

static void
read_record(struct probe_watch *watch, const uint8_t *secret)
{
    if (watch->record[0] == RECORD_HANDSHAKE) {
        add_messages(watch, watch->record + RECORD_HEADER_LEN,
                     watch->record_len - RECORD_HEADER_LEN);
    } else if (watch->record[0] == RECORD_APPLICATION_DATA && watch->version == 0x0304) {
        open_record(watch, secret);
    }
}

void
probe_watch_feed(struct probe_watch *watch, const uint8_t *data, size_t len,
                 const uint8_t *secret)
{
    while (len > 0 && !watch->done) {
        size_t want = RECORD_HEADER_LEN;
        size_t part;

        if (watch->record_len >= RECORD_HEADER_LEN) {
            want += (size_t)watch->record[3] << 8 | watch->record[4];
        }
        if (want > sizeof(watch->record)) {
            watch->done = true;
            return;
        }
        part = want - watch->record_len < len ? want - watch->record_len : len;
        memcpy(watch->record + watch->record_len, data, part);
        watch->record_len += part;
        data += part;
        len -= part;
        if (watch->record_len > RECORD_HEADER_LEN && watch->record_len == want) {
            read_record(watch, secret);
            watch->record_len = 0;
        }
    }
}
