/* A record that goes on in other memory. */
#include "shim/record/record.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/record/fail.h"
#include "shim/record/lock.h"

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
    if (err == 0) {
        err = record_conn_init(to, to->rec, to->rx_buffer, to->tx_buffer);
    }
    if (err != 0) {
        return err;
    }
    copy_buffer(to->rx_buffer, from->rx_buffer, &to->rec->rx);
    copy_buffer(to->tx_buffer, from->tx_buffer, &to->rec->tx);
    leave_behind(&from->rec->rx);
    leave_behind(&from->rec->tx);
    return 0;
}
