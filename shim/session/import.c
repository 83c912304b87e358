#include "shim/session/import.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/libc/libc.h"
#include "shim/record/lock.h"
#include "shim/session/chain.h"
#include "shim/session/pool.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum { BUSY_TRIES = 200 }; /* of a millisecond, for a call that is under way */

static bool
read_all(int memfd, void *to, size_t len, size_t at)
{
    return pread(memfd, to, len, (off_t)at) == (ssize_t)len;
}

static bool
write_all(int memfd, const void *from, size_t len, size_t at)
{
    return pwrite(memfd, from, len, (off_t)at) == (ssize_t)len;
}

static bool
end_for_others(int memfd)
{
    const bool yes = true;
    const int error = EPIPE;
    const int record_error = -EPIPE;
    const int failed = SESSION_FAILED;
    const struct {
        const void *value;
        size_t len;
        size_t at;
    } ends[] = {
        {&yes, sizeof(yes), offsetof(struct session, closed_logged)},
        {&yes, sizeof(yes), offsetof(struct session, error_taken)},
        {&error, sizeof(error), offsetof(struct session, error)},
        {&record_error, sizeof(int), offsetof(struct session, record.rx.error)},
        {&record_error, sizeof(int), offsetof(struct session, record.tx.error)},
        {&failed, sizeof(failed), offsetof(struct session, state)},
    };
    bool written = true;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        written = written && write_all(memfd, ends[i].value, ends[i].len, ends[i].at);
    }
    return written;
}

/* Nobody has a lock of it: who takes one now finds that it is over. */
static bool
is_at_rest(const struct session *session)
{
    return LIBC_MUTEX_IS_FREE(&session->lock) &&
           LIBC_MUTEX_IS_FREE(&session->record.rx.lock) &&
           LIBC_MUTEX_IS_FREE(&session->record.tx.lock);
}

/*
 * Ends the session for those who have it, and only then copies it: never two copies of a
 * key that are both in use.  The ends are written before the locks are looked at, and
 * whoever has a lock looks at the ends.
 */
static bool
take(int memfd, struct session *copy)
{
    if (!read_all(memfd, copy, sizeof(*copy), 0)) {
        return false;
    }
    int rx_error = copy->record.rx.error;
    int tx_error = copy->record.tx.error;
    if (atomic_load(&copy->state) != SESSION_OPEN || !end_for_others(memfd)) {
        return false;
    }
    int tries = 0;
    do {
        if (tries++ == BUSY_TRIES || !read_all(memfd, copy, sizeof(*copy), 0)) {
            return false;
        }
        if (!is_at_rest(copy)) {
            (void)system_calls.poll(NULL, 0, 1);
        }
    } while (!is_at_rest(copy));
    copy->record.rx.error = rx_error;
    copy->record.tx.error = tx_error;
    return true;
}

/* Of all whom it was passed to, one takes it: that it is over for the others is seen by
 * one call and written by another. The kernel's lock keeps out processes, no threads. */
static bool
take_alone(int memfd, struct session *copy)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    session_fork_enter(); /* a child is not to find the mutex locked */
    pthread_mutex_lock(&mutex);
    bool taken = system_calls.fcntl(memfd, F_SETLK, &lock) == 0 && take(memfd, copy);
    lock.l_type = F_UNLCK;
    (void)system_calls.fcntl(memfd, F_SETLK, &lock);
    pthread_mutex_unlock(&mutex);
    session_fork_leave();
    return taken;
}

/* What stays behind is of no use any more. */
static void
wipe(int memfd)
{
    static const uint8_t zeros[sizeof(((struct record_dir *)0)->key) +
                               sizeof(((struct record_dir *)0)->iv) +
                               sizeof(((struct record_dir *)0)->secret)];
    _Static_assert(offsetof(struct record_dir, start) -
                           offsetof(struct record_dir, key) ==
                       sizeof(zeros),
                   "the secrets of a direction lie together");
    (void)write_all(memfd, zeros, sizeof(zeros), offsetof(struct session, record.rx.key));
    (void)write_all(memfd, zeros, sizeof(zeros), offsetof(struct session, record.tx.key));
}

static void
copy_text(char *to, const char *from, size_t size)
{
    memcpy(to, from, size - 1);
    to[size - 1] = '\0';
}
#define COPY_TEXT(member) copy_text(to->member, from->member, sizeof(to->member))

/* All but the record. */
static int
fill(struct session *to, const struct session *from)
{
    int result = record_lock_init(&to->lock);
    if (result < 0) {
        return result;
    }
    to->magic = SESSION_MAGIC;
    to->layout = SESSION_LAYOUT;
    to->cookie = from->cookie;
    atomic_store(&to->nonblocking, -1);
    atomic_store(&to->corked, atomic_load(&from->corked));
    atomic_store(&to->cork_known, atomic_load(&from->cork_known));
    atomic_store(&to->cork_in_kernel, atomic_load(&from->cork_in_kernel));
    holder_add(&to->holders, session_self());
    atomic_store(&to->mappings, 1);
    to->started_us = from->started_us;
    to->opened_ms = from->opened_ms;
    to->version = from->version;
    to->cipher = from->cipher;
    to->group = from->group;
    to->is_server = from->is_server;
    to->resumed = from->resumed;
    to->uid = from->uid;
    to->chain_len = from->chain_len <= CHAIN_FLAT_MAX ? from->chain_len : 0;
    to->early_touched = to->chain_len > 0;
    to->local = from->local;
    to->remote = from->remote;
    COPY_TEXT(rule);
    COPY_TEXT(own_serial);
    COPY_TEXT(dialled_name);
    COPY_TEXT(peer.subject);
    COPY_TEXT(peer.issuer);
    COPY_TEXT(peer.san);
    COPY_TEXT(peer.serial);
    COPY_TEXT(peer.sha256);
    to->peer.not_after_s = from->peer.not_after_s;
    atomic_store(&to->state, SESSION_OPEN);
    return 0;
}

static int
build(struct handle *handle, const struct session *from, int memfd)
{
    struct record_conn *conn = &handle->conn;
    struct record *rec = &handle->session->record;
    size_t buffers = pool_buffers_at();
    conn->rec = rec;
    int result = record_import(conn, &from->record);
    if (result == 0) {
        result = fill(handle->session, from);
    }
    if (result == 0 &&
        (!read_all(memfd, conn->rx_buffer + rec->rx.start, rec->rx.len,
                   buffers + rec->rx.start) ||
         !read_all(memfd, conn->tx_buffer + rec->tx.start, rec->tx.len,
                   buffers + RECORD_RX_BUFFER_LEN + rec->tx.start) ||
         !read_all(memfd, handle->early, handle->session->chain_len,
                   buffers + RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN))) {
        result = -EINVAL;
    }
    return result;
}

struct handle *
session_import(int memfd)
{
    struct session copy;
    struct handle *handle = pool_is_session(memfd) ? pool_take_alone() : NULL;
    int result = handle != NULL && take_alone(memfd, &copy) ? 0 : -EINVAL;
    if (result == 0) {
        wipe(memfd);
        result = build(handle, &copy, memfd);
    }
    wc_ForceZero(&copy, sizeof(copy));
    if (result < 0 && handle != NULL) {
        atomic_store(&handle->session->mappings, 1);
        table_release(handle);
        handle = NULL;
    }
    return handle;
}
