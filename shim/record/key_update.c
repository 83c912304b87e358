#include "shim/record/key_update.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/kdf.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/aead.h"
#include "shim/record/bytes.h"
#include "shim/record/fail.h"
#include "shim/record/lock.h"
#include "shim/record/nonce.h"
#include "shim/record/send.h"

/* AES-GCM is good for 2^24.5 full records under one key (RFC 8446 section 5.5). */
#define RECORDS_PER_KEY (UINT64_C(1) << 23)

static int
expand(uint8_t *out, size_t len, const uint8_t *secret, size_t hash_len,
       const char *label)
{
    static const uint8_t protocol[] = "tls13 ";
    int digest = hash_len == WC_SHA384_DIGEST_SIZE ? WC_SHA384 : WC_SHA256;

    return wc_Tls13_HKDF_Expand_Label(
               out, (word32)len, secret, (word32)hash_len, protocol, sizeof(protocol) - 1,
               (const uint8_t *)label, (word32)strlen(label), NULL, 0, digest) == 0
               ? 0
               : -EIO;
}

static int
step(const struct record *rec, struct record_dir *dir)
{
    uint8_t secret[sizeof(dir->secret)];

    int err = expand(secret, rec->hash_len, dir->secret, rec->hash_len, "traffic upd");
    if (err == 0) {
        memcpy(dir->secret, secret, rec->hash_len);
        err = expand(dir->key, record_aead_key_len(rec->suite), secret, rec->hash_len,
                     "key");
    }
    if (err == 0) {
        err = expand(dir->iv, RECORD_NONCE_LEN, secret, rec->hash_len, "iv");
    }
    wc_ForceZero(secret, sizeof(secret));
    dir->seq = 0;
    dir->epoch++;
    return err;
}

int
record_key_update_receive(struct record_conn *conn)
{
    return step(conn->rec, &conn->rec->rx);
}

bool
record_key_update_is_due(const struct record *rec)
{
    return rec->version == RECORD_TLS_1_3 &&
           (rec->key_update_wanted || rec->key_update_request ||
            rec->tx.seq >= RECORDS_PER_KEY);
}

int
record_key_update_send(struct record_conn *conn, int fd)
{
    struct record *rec = conn->rec;
    const uint8_t message[] = {RECORD_MESSAGE_KEY_UPDATE, 0, 0, 1,
                               rec->key_update_request};

    int sent =
        record_send_control(conn, fd, RECORD_TYPE_HANDSHAKE, message, sizeof(message), 0);
    if (sent != 0 && sent != -EAGAIN) {
        return sent;
    }
    rec->key_update_wanted = false;
    rec->key_update_request = false;
    int err = step(rec, &rec->tx);
    return err != 0 ? record_fail_both(conn, fd, err) : sent;
}

void
record_key_update_answer(struct record_conn *conn, int fd)
{
    struct record_dir *tx = &conn->rec->tx;
    RECORD_LOCK_SCOPE lock = {0};

    conn->rec->key_update_wanted = true;
    if (record_lock_try(&lock, conn, tx, fd) == 0 && tx->error == 0 && !tx->closed &&
        tx->len == 0) {
        /* Whether it is out or pending, or failed: the next write sees to it. */
        int err = record_key_update_send(conn, fd);
        (void)err;
    }
}

int
record_key_update(struct record_conn *conn, int fd, bool request_peer)
{
    struct record *rec = conn->rec;
    RECORD_LOCK_SCOPE lock = {0};

    if (rec->version != RECORD_TLS_1_3) {
        return -EOPNOTSUPP;
    }
    int err = record_lock_take(&lock, conn, &rec->tx, fd);
    if (err != 0) {
        return err;
    }
    if (rec->tx.error != 0) {
        return rec->tx.error;
    }
    rec->key_update_wanted = true;
    rec->key_update_request |= request_peer;
    return 0;
}
