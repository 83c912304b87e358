#include "shim/record/record.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/aead.h"
#include "shim/record/alert.h"
#include "shim/record/bytes.h"
#include "shim/record/lock.h"
#include "shim/record/start.h"

/* The struct is in memory shared with processes that may have another build of us. */
_Static_assert(sizeof(struct record) == 448,
               "the layout of struct record is an interface");

struct record_io record_io;
void (*record_ticket_taker)(struct record_conn *conn, const uint8_t *body, size_t len);

int
record_init(struct record *rec)
{
    int err = record_lock_init(&rec->rx.lock);
    if (err != 0) {
        return err;
    }
    err = record_lock_init(&rec->tx.lock);
    if (err != 0) {
        pthread_mutex_destroy(&rec->rx.lock);
        return err;
    }
    rec->alert_sent = RECORD_ALERT_NONE;
    rec->alert_received = RECORD_ALERT_NONE;
    return 0;
}

void
record_start_dir(struct record_dir *dir, const struct record_secrets *from)
{
    memcpy(dir->key, from->key, sizeof(dir->key));
    memcpy(dir->iv, from->iv, sizeof(dir->iv));
    memcpy(dir->secret, from->secret, sizeof(dir->secret));
    dir->seq = from->seq;
    dir->epoch++;
}

bool
record_is_known(uint16_t version, unsigned suite, uint8_t hash_len)
{
    return (version == RECORD_TLS_1_2 || version == RECORD_TLS_1_3) &&
           (suite == RECORD_AES_128_GCM || suite == RECORD_AES_256_GCM ||
            suite == RECORD_CHACHA20_POLY1305) &&
           (hash_len == 32 || hash_len == 48);
}

int
record_start(struct record *rec, uint16_t version, enum record_suite suite,
             uint8_t hash_len, const struct record_secrets *read,
             const struct record_secrets *write)
{
    if (!record_is_known(version, suite, hash_len)) {
        return -EINVAL;
    }
    rec->version = version;
    rec->suite = (uint8_t)suite;
    rec->hash_len = hash_len;
    record_start_dir(&rec->rx, read);
    record_start_dir(&rec->tx, write);
    return 0;
}

void
record_give_ticket(struct record_conn *conn, const uint8_t *message, size_t len)
{
    if (conn->rec->version == RECORD_TLS_1_3 && len > 0 && len <= RECORD_TICKET_LEN_MAX) {
        memcpy(record_ticket(conn), message, len);
        record_touch(&conn->rec->tx, 0);
        conn->rec->had_ticket = true;
        conn->rec->ticket_len = (uint16_t)len;
    }
}

static void
done_dir(struct record_dir *dir)
{
    pthread_mutex_destroy(&dir->lock);
    wc_ForceZero(dir->key, sizeof(dir->key));
    wc_ForceZero(dir->iv, sizeof(dir->iv));
    wc_ForceZero(dir->secret, sizeof(dir->secret));
}

void
record_done(struct record *rec)
{
    done_dir(&rec->rx);
    done_dir(&rec->tx);
}

void
record_conn_init(struct record_conn *conn, struct record *rec, uint8_t *rx_buffer,
                 uint8_t *tx_buffer)
{
    *conn =
        (struct record_conn){.rec = rec, .rx_buffer = rx_buffer, .tx_buffer = tx_buffer};
}

void
record_conn_done(struct record_conn *conn)
{
    record_aead_done(&conn->rx_aead);
    record_aead_done(&conn->tx_aead);
}

/* Only whole pages are given back; the buffers need not be aligned. */
static void
give_back(uint8_t *buf, size_t len)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)buf + page - 1) & ~(page - 1);
    uintptr_t last = ((uintptr_t)buf + len) & ~(page - 1);

    /* Shared memory keeps its pages over MADV_DONTNEED; private memory has no REMOVE. */
    if (first < last && madvise((void *)first, last - first, MADV_REMOVE) != 0) {
        madvise((void *)first, last - first, MADV_DONTNEED);
    }
}

/* Returns whether there are pages left. */
static bool
trim(struct record_conn *conn, struct record_dir *dir, uint8_t *buf, size_t len)
{
    RECORD_LOCK_SCOPE lock = {0};

    if (__atomic_load_n(&dir->touched, __ATOMIC_RELAXED) == 0) {
        return false;
    }
    /* A buffer in use is as good as full: the next call will do. */
    if (record_lock_try(&lock, conn, dir, -1) != 0 || dir->len > 0 ||
        (dir == &conn->rec->tx && conn->rec->ticket_len > 0)) {
        return true;
    }
    uint8_t left = dir->touched > 0 ? dir->touched - 1 : 0;
    if (left == 0) {
        give_back(buf, len);
        dir->reach = 0;
    }
    __atomic_store_n(&dir->touched, left, __ATOMIC_RELAXED);
    return left > 0;
}

bool
record_trim(struct record_conn *conn)
{
    struct record *rec = conn->rec;

    bool rx = trim(conn, &rec->rx, conn->rx_buffer, RECORD_RX_BUFFER_LEN);
    bool tx = trim(conn, &rec->tx, conn->tx_buffer, RECORD_TX_BUFFER_LEN);

    return rx || tx;
}
