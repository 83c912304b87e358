/* A record that goes on in other memory. */
#include "shim/record/record.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/fail.h"
#include "shim/record/lock.h"
#include "shim/record/start.h"

/* No two copies of one key: what stays behind is of no use any more. */
static void
leave_behind(struct record_dir *dir)
{
    (void)record_fail_dir(dir, -EPIPE);
    wc_ForceZero(dir->key, sizeof(dir->key));
    wc_ForceZero(dir->iv, sizeof(dir->iv));
    wc_ForceZero(dir->secret, sizeof(dir->secret));
    dir->epoch++;
    dir->len = 0;
}

static void
copy_buffer(uint8_t *to, const uint8_t *from, const struct record_dir *dir)
{
    memcpy(to + dir->start, from + dir->start, dir->len);
}

/* Returns whether what is kept lies in its buffer; an incomplete record at its place. */
static bool
import_dir(struct record_dir *to, const struct record_dir *from, size_t buffer_len,
           size_t record_len)
{
    struct record_secrets secrets = {.seq = from->seq};

    memcpy(secrets.key, from->key, sizeof(secrets.key));
    memcpy(secrets.iv, from->iv, sizeof(secrets.iv));
    memcpy(secrets.secret, from->secret, sizeof(secrets.secret));
    record_start_dir(to, &secrets);
    wc_ForceZero(&secrets, sizeof(secrets));
    to->start = from->start;
    to->len = from->len;
    to->leftover = from->leftover;
    to->sentinel = from->sentinel;
    to->small_reads = from->small_reads;
    record_touch(to, buffer_len);
    to->closed = from->closed;
    to->error = from->error;
    to->bytes = from->bytes;
    if (to->error > 0 || to->start > buffer_len || to->len > buffer_len - to->start) {
        return false;
    }
    if (to->sentinel > buffer_len) {
        return false;
    }
    return to->leftover || to->len == 0 ||
           (to->start == RECORD_SKEW && to->len <= record_len) ||
           record_len == buffer_len;
}

int
record_import(struct record_conn *to, const struct record *from)
{
    struct record *rec = to->rec;

    if (!record_is_known(from->version, from->suite, from->hash_len) ||
        from->control.message_len >= sizeof(from->control.message)) {
        return -EINVAL;
    }
    int err = record_init(rec);
    if (err != 0) {
        return err;
    }
    rec->version = from->version;
    rec->suite = from->suite;
    rec->hash_len = from->hash_len;
    rec->truncation_is_eof = from->truncation_is_eof;
    rec->truncated = from->truncated;
    rec->input_ignored = from->input_ignored;
    rec->key_update_wanted = from->key_update_wanted;
    rec->key_update_request = from->key_update_request;
    rec->alert_sent = from->alert_sent;
    rec->alert_received = from->alert_received;
    rec->control = from->control;
    if (!import_dir(&rec->rx, &from->rx, RECORD_RX_BUFFER_LEN, RECORD_CIPHERTEXT_MAX) ||
        !import_dir(&rec->tx, &from->tx, RECORD_TX_BUFFER_LEN, RECORD_TX_BUFFER_LEN)) {
        record_done(rec);
        return -EINVAL;
    }
    record_conn_init(to, rec, to->rx_buffer, to->tx_buffer);
    return 0;
}

int
record_move(struct record_conn *to, struct record_conn *from, int fd)
{
    RECORD_LOCK_SCOPE rx = {0};
    RECORD_LOCK_SCOPE tx = {0};

    int err = record_lock_take(&rx, from, &from->rec->rx, fd);
    if (err == 0) {
        err = record_lock_take(&tx, from, &from->rec->tx, fd);
    }
    if (err != 0) {
        return err;
    }
    memcpy(to->rec, from->rec, sizeof(*to->rec));
    err = record_lock_init(&to->rec->rx.lock);
    if (err == 0) {
        err = record_lock_init(&to->rec->tx.lock);
    }
    if (err != 0) {
        return err;
    }
    record_conn_init(to, to->rec, to->rx_buffer, to->tx_buffer);
    copy_buffer(to->rx_buffer, from->rx_buffer, &to->rec->rx);
    copy_buffer(to->tx_buffer, from->tx_buffer, &to->rec->tx);
    memcpy(record_ticket(to), record_ticket(from), to->rec->ticket_len);
    leave_behind(&from->rec->rx);
    leave_behind(&from->rec->tx);
    return 0;
}
