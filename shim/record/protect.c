#include "shim/record/protect.h"

#include <errno.h>
#include <string.h>

#include "shim/record/aead.h"
#include "shim/record/alert.h"
#include "shim/record/bytes.h"
#include "shim/record/count.h"
#include "shim/record/nonce.h"

#define CIPHERTEXT_LEN_MAX                                                               \
    (RECORD_PLAINTEXT_MAX + 256) /* also for TLS 1.2: see check                          \
                                  */
#define AAD_LEN_MAX 13

size_t
record_protect_prefix(const struct record *rec)
{
    return RECORD_HEADER_LEN +
           (record_nonce_is_explicit(rec) ? RECORD_NONCE_EXPLICIT_LEN : 0);
}

static size_t
inner_type_len(const struct record *rec)
{
    return rec->version == RECORD_TLS_1_3 ? RECORD_INNER_TYPE_LEN : 0;
}

size_t
record_protect_overhead(const struct record *rec)
{
    return record_protect_prefix(rec) + inner_type_len(rec) + RECORD_AEAD_TAG_LEN;
}

ssize_t
record_protect_check(const struct record *rec, const uint8_t *header, uint8_t *alert)
{
    uint8_t type = header[0];
    size_t total = RECORD_HEADER_LEN + (size_t)record_bytes_get16(header + 3);

    /* TLS 1.3 says nothing of the version: "MUST be ignored for all purposes" (5.1). */
    if (rec->version == RECORD_TLS_1_2 &&
        record_bytes_get16(header + 1) != RECORD_TLS_1_2) {
        *alert = RECORD_ALERT_PROTOCOL_VERSION;
        return -EPROTO;
    }
    if (rec->version == RECORD_TLS_1_3
            ? type != RECORD_TYPE_DATA
            : type != RECORD_TYPE_DATA && type != RECORD_TYPE_HANDSHAKE &&
                  type != RECORD_TYPE_ALERT) {
        *alert = RECORD_ALERT_UNEXPECTED_MESSAGE;
        return -EPROTO;
    }
    /* TLS 1.2 allows 2^14 + 2048, but no AEAD suite can fill more than the limit of 1.3.
     */
    if (total > RECORD_HEADER_LEN + CIPHERTEXT_LEN_MAX) {
        *alert = RECORD_ALERT_RECORD_OVERFLOW;
        return -EPROTO;
    }
    if (total < record_protect_overhead(rec)) {
        *alert = RECORD_ALERT_BAD_RECORD_MAC;
        return -EPROTO;
    }
    return (ssize_t)total;
}

/* Returns the length of the additional data: RFC 8446 section 5.2, RFC 5246
 * section 6.2.3.3. */
static size_t
make_aad(const struct record *rec, const uint8_t *header, uint64_t seq, size_t len,
         uint8_t aad[AAD_LEN_MAX])
{
    if (rec->version == RECORD_TLS_1_3) {
        memcpy(aad, header, RECORD_HEADER_LEN);
        return RECORD_HEADER_LEN;
    }
    record_bytes_put64(aad, seq);
    memcpy(aad + 8, header, 3);
    record_bytes_put16(aad + 11, (uint16_t)len);
    return AAD_LEN_MAX;
}

ssize_t
record_protect_seal(struct record_conn *conn, uint8_t type, uint8_t *buf, size_t len)
{
    struct record *rec = conn->rec;
    size_t prefix = record_protect_prefix(rec);
    size_t inner_len = len + inner_type_len(rec);
    size_t total = prefix + inner_len + RECORD_AEAD_TAG_LEN;
    struct record_nonce nonce;
    uint8_t aad[AAD_LEN_MAX];

    int err = record_nonce_next(rec, &rec->tx, NULL, &nonce);
    if (err != 0) {
        return err;
    }
    buf[0] = rec->version == RECORD_TLS_1_3 ? RECORD_TYPE_DATA : type;
    record_bytes_put16(buf + 1, RECORD_TLS_1_2);
    record_bytes_put16(buf + 3, (uint16_t)(total - RECORD_HEADER_LEN));
    if (record_nonce_is_explicit(rec)) {
        record_bytes_put64(buf + RECORD_HEADER_LEN, nonce.seq);
    }
    if (rec->version == RECORD_TLS_1_3) {
        buf[prefix + len] = type;
    }
    struct record_aead_job job = {
        .nonce = nonce.bytes,
        .aad = aad,
        .aad_len = make_aad(rec, buf, nonce.seq, len, aad),
        .data = buf + prefix,
        .len = inner_len,
        .tag = buf + prefix + inner_len,
    };
    err = record_aead_seal(&conn->tx_aead, rec->suite, &rec->tx, &job);
    if (err != 0) {
        return err;
    }
    record_count_record(&conn->tx_count);
    return (ssize_t)total;
}

/* Finds type and end of a TLS 1.3 inner plaintext: content, type, zeros. */
static int
strip_padding(struct record_content *content, uint8_t *alert)
{
    if (content->len > RECORD_PLAINTEXT_MAX + 1) {
        *alert = RECORD_ALERT_RECORD_OVERFLOW;
        return -EPROTO;
    }
    while (content->len > 0 && content->data[content->len - 1] == 0) {
        content->len--;
    }
    if (content->len == 0) {
        *alert = RECORD_ALERT_UNEXPECTED_MESSAGE;
        return -EPROTO;
    }
    content->type = content->data[--content->len];
    return 0;
}

int
record_protect_open(struct record_conn *conn, uint8_t *buf, size_t total, uint8_t *to,
                    struct record_content *content, uint8_t *alert)
{
    struct record *rec = conn->rec;
    size_t prefix = record_protect_prefix(rec);
    uint8_t *out = to != NULL ? to : buf + prefix;
    size_t inner_len = total - prefix - RECORD_AEAD_TAG_LEN;
    struct record_nonce nonce;
    uint8_t aad[AAD_LEN_MAX];

    *alert = RECORD_ALERT_INTERNAL_ERROR;
    if (record_nonce_next(rec, &rec->rx, buf + RECORD_HEADER_LEN, &nonce) != 0) {
        return -EPROTO;
    }
    struct record_aead_job job = {
        .nonce = nonce.bytes,
        .aad = aad,
        .aad_len = make_aad(rec, buf, nonce.seq, inner_len, aad),
        .data = buf + prefix,
        .out = out,
        .len = inner_len,
        .tag = buf + prefix + inner_len,
    };
    int err = record_aead_open(&conn->rx_aead, rec->suite, &rec->rx, &job);
    if (err != 0) {
        *alert =
            err == -EBADMSG ? RECORD_ALERT_BAD_RECORD_MAC : RECORD_ALERT_INTERNAL_ERROR;
        return -EPROTO;
    }
    record_count_record(&conn->rx_count);
    *content = (struct record_content){.type = buf[0], .data = out, .len = inner_len};
    if (rec->version == RECORD_TLS_1_3) {
        return strip_padding(content, alert);
    }
    if (content->len > RECORD_PLAINTEXT_MAX) {
        *alert = RECORD_ALERT_RECORD_OVERFLOW;
        return -EPROTO;
    }
    return 0;
}
