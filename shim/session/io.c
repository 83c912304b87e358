/* Reading, writing and shutting down in every state of a session, never blocking. */
#include "shim/session/session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "shim/libc/libc.h"
#include "shim/record/fail.h"
#include "shim/session/metrics.h"
#include "shim/session/permissive.h"
#include "shim/session/refusal.h"
#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/twice.h"

/* Who waits for something to read comes again with each flight of the handshake: that is
 * left to it.  Who has only written may not. */
enum { FLIGHT_MS = 20 };

/* A child of fork has no service thread until it touches a session that needs one. */
static int
drive(struct handle *handle, int fd)
{
    short events;
    int result = session_drive(handle, fd, &events);
    if (result == -EAGAIN) {
        if (atomic_load(&handle->is_awaited)) {
            service_leave(handle, FLIGHT_MS);
        }
        if (!handle->watched) {
            service_watch(handle);
        }
    }
    return result;
}

static int
drive_to_read(struct handle *handle, int fd)
{
    atomic_store(&handle->is_awaited, true);
    return drive(handle, fd);
}

void
session_await(struct handle *handle)
{
    if (!session_is_settled(handle->session)) {
        atomic_store(&handle->is_awaited, true);
        service_leave(handle, FLIGHT_MS);
    }
}

/* Tells the log how an open session ended, once. */
static void
note_end(struct handle *handle, int error)
{
    struct session *session = handle->session;
    struct failure failure;
    uint8_t alert = atomic_load(&session->record.alert_received);
    if (atomic_load(&session->closed_logged)) {
        return;
    }
    if (alert != 255) {
        failure_set(&failure, REASON_PEER_ALERT, "the peer refused: %s",
                    refusal_alert_words(alert));
    } else if (atomic_load(&session->record.alert_sent) != 255) {
        failure_set(&failure, REASON_PROTOCOL, "a record of the peer was refused: %s",
                    refusal_alert_words(atomic_load(&session->record.alert_sent)));
    } else if (error == ECONNRESET) {
        failure_set(&failure, REASON_TRUNCATED, NULL);
    } else {
        failure_set(&failure, REASON_PEER_RESET, "%s", strerrordesc_np(error));
    }
    /* In TLS 1.3 the server judges the client after the client is done: its refusal
     * comes as the first thing that we read. */
    if (alert != 255 && !session->is_server &&
        atomic_load(&session->record.rx.bytes) == 0 &&
        !atomic_exchange(&session->closed_logged, true)) {
        session_log(handle, AUDIT_HANDSHAKE_FAILED, &failure);
        return;
    }
    session_log_closed(handle, &failure);
}

void
session_broken(struct handle *handle, int fd, short event, int error)
{
    struct session *session = handle->session;
    struct failure failure;
    if (record_fail_is_transient(-error) || session_lock(session) < 0) {
        return;
    }
    int state = atomic_load(&session->state);
    if (state == SESSION_OPEN) {
        (void)record_fail_dir(event == POLLIN ? &session->record.rx : &session->record.tx,
                              -error);
    } else if (state == SESSION_HANDSHAKING &&
               atomic_load(&session->permissive) == SESSION_DECIDED) {
        failure_set(&failure, REASON_PEER_RESET, "%s", strerrordesc_np(error));
        session_fail(handle, fd, error, &failure);
    }
    session_unlock(session);
}

/* A connection that TCP did not make is as it is without us. */
static bool
is_plain_failure(struct session *session, ssize_t result)
{
    return atomic_load(&session->state) == SESSION_FAILED &&
           atomic_load(&session->connect_failed) &&
           atomic_load(&session->error) == -result;
}

/* Whether reading has ended with an error that a plain socket would have had, too. */
static bool
is_of_socket(const struct session *session)
{
    return !atomic_load(&session->record.truncated) &&
           atomic_load(&session->record.alert_received) == 255 &&
           atomic_load(&session->record.alert_sent) == 255;
}

ssize_t
session_tell_read(struct handle *handle, ssize_t result)
{
    struct session *session = handle->session;
    if (is_plain_failure(session, result)) {
        return atomic_exchange(&session->error_taken, true) ? 0 : result;
    }
    if (atomic_load(&session->state) != SESSION_OPEN ||
        atomic_load(&session->record.rx.error) != result) {
        return result;
    }
    if (atomic_load(&session->record.tx.error) != 0) {
        atomic_store(&session->write_error_told, true); /* it was the same one */
    }
    /* What TLS has found wrong is no end of stream, however often it is asked for. */
    return atomic_exchange(&session->read_error_told, true) && is_of_socket(session)
               ? 0
               : result;
}

ssize_t
session_tell_write(struct handle *handle, ssize_t result)
{
    struct session *session = handle->session;
    if (is_plain_failure(session, result)) {
        return atomic_exchange(&session->error_taken, true) ? -EPIPE : result;
    }
    if (atomic_load(&session->state) != SESSION_OPEN ||
        atomic_load(&session->record.tx.error) != result) {
        return result;
    }
    return atomic_exchange(&session->write_error_told, true) ? -EPIPE : result;
}

/*
 * The kernel's answer to reading from a socket that is not connected, or to writing to
 * it.  Another process may be connecting it at this moment: nothing is taken or sent, and
 * should the kernel find nothing wrong any more, we were before that.
 */
static ssize_t
ask_unconnected(int fd, bool write)
{
    char byte;
    ssize_t result = write ? system_calls.send(fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : system_calls.recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return result < 0 ? -errno : write ? -EPIPE : result == 0 ? 0 : -ENOTCONN;
}

ssize_t
session_read(struct handle *handle, int fd, const struct iovec *iov, int count, int flags)
{
    struct session *session = handle->session;
    if (atomic_load_explicit(&session->state, memory_order_acquire) != SESSION_OPEN) {
        if (atomic_load(&session->state) == SESSION_UNCONNECTED) {
            return ask_unconnected(fd, false);
        }
        int result = drive_to_read(handle, fd);
        if (result < 0) {
            return result;
        }
        if (atomic_load(&session->state) == SESSION_PLAINTEXT) {
            return permissive_read(fd, iov, count, flags);
        }
    }
    metrics_see_to(handle, &handle->is_counted);
    ssize_t result = record_read(&handle->conn, fd, iov, count, flags);
    if (result == -EAGAIN) {
        service_need();
    } else if (result < 0) {
        note_end(handle, (int)-result);
    }
    return result;
}

/* What is written before the handshake is done. Returns -ESTALE when it just was. */
static ssize_t
write_early(struct handle *handle, const struct iovec *iov, int count)
{
    struct session *session = handle->session;
    ssize_t done = 0;
    if (session_lock(session) < 0) {
        return -EAGAIN;
    }
    int state = atomic_load(&session->state);
    if (state != SESSION_CONNECTING && state != SESSION_HANDSHAKING) {
        session_unlock(session);
        return -ESTALE;
    }
    size_t asked = 0;
    for (int i = 0; i < count; i++) {
        size_t room = SESSION_EARLY_LEN - session->early_len;
        size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;
        memcpy(handle->early + session->early_len, iov[i].iov_base, len);
        session->early_len += (uint32_t)len;
        session->early_touched |= len > 0;
        done += (ssize_t)len;
        asked += iov[i].iov_len;
    }
    if ((size_t)done < asked) {
        atomic_store(&session->write_starved, true);
        atomic_store(&session->early_was_full, true);
    }
    session_unlock(session);
    return done == 0 && asked > 0 ? -EAGAIN : done;
}

/* After a write that took something: whether all of it is out. */
static void
note_kept(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    if (record_held(&handle->conn) > 0) {
        service_watch_held(handle);
        if (!service_is_running()) {
            session_push(handle, fd); /* nobody would, later */
        }
        return;
    }
    session_cork_passed(session);
    if (record_pending(&handle->conn)) {
        atomic_store(&session->write_starved, true);
        service_watch(handle);
    }
}

ssize_t
session_write(struct handle *handle, int fd, const struct iovec *iov, int count,
              int flags)
{
    struct session *session = handle->session;
    if (atomic_load_explicit(&session->record.tx.bytes, memory_order_relaxed) == 0 &&
        session->early_len == 0 && !session->is_server) {
        twice_check(session, iov, count);
    }
    while (atomic_load_explicit(&session->state, memory_order_acquire) != SESSION_OPEN) {
        if (atomic_load(&session->state) == SESSION_UNCONNECTED) {
            return ask_unconnected(fd, true);
        }
        if (count > 0) {
            permissive_want(handle);
        }
        int result = drive(handle, fd);
        if (atomic_load(&session->state) == SESSION_PLAINTEXT) {
            return permissive_write(session, fd, iov, count, flags);
        }
        if (result < 0 && result != -EAGAIN) {
            return result;
        }
        if (atomic_load(&session->shut_wanted) != 0) {
            return -EPIPE;
        }
        if (result == -EAGAIN) {
            if (atomic_load(&session->state) == SESSION_CONNECTING) {
                return -EAGAIN;
            }
            ssize_t early = write_early(handle, iov, count);
            if (early != -ESTALE) {
                return early;
            }
        }
    }
    metrics_see_to(handle, &handle->is_counted);
    ssize_t result =
        record_write(&handle->conn, fd, iov, count, flags | session_cork_flags(session));
    if (result > 0) {
        session_return_nodelay(session, fd);
        note_kept(handle, fd);
    } else if (result == -EAGAIN) {
        atomic_store(&session->write_starved, true);
    }
    return result;
}

int
session_readable(struct handle *handle, int fd)
{
    if (atomic_load(&handle->session->state) != SESSION_OPEN) {
        int result = drive_to_read(handle, fd);
        if (result < 0) {
            return result != -EAGAIN;
        }
        if (atomic_load(&handle->session->state) == SESSION_PLAINTEXT) {
            return permissive_is_ready(fd, POLLIN);
        }
    }
    metrics_see_to(handle, &handle->is_counted);
    return record_readable(&handle->conn, fd);
}

int
session_writable(struct handle *handle)
{
    struct session *session = handle->session;
    int state = atomic_load(&session->state);
    return (state != SESSION_HANDSHAKING && state != SESSION_CONNECTING) ||
           session->early_len < SESSION_EARLY_LEN;
}

size_t
session_room(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    if (atomic_load(&session->state) != SESSION_OPEN) {
        int result = drive(handle, fd);
        if (result == -EAGAIN) {
            return atomic_load(&session->state) == SESSION_CONNECTING
                       ? 0
                       : SESSION_EARLY_LEN - session->early_len;
        }
        if (atomic_load(&session->state) == SESSION_PLAINTEXT) {
            return permissive_is_ready(fd, POLLOUT) ? RECORD_BATCH_PLAINTEXT_MAX : 0;
        }
    }
    /* A batch goes out or is kept, as a whole, once nothing else is pending. */
    bool full =
        record_held(&handle->conn) == 0 && record_flush(&handle->conn, fd) == -EAGAIN;
    return full ? 0 : RECORD_BATCH_PLAINTEXT_MAX;
}

int
session_layout(const struct handle *handle, uint8_t *stage, size_t len,
               struct iovec iov[RECORD_BATCH_COUNT])
{
    if (atomic_load(&handle->session->state) == SESSION_OPEN) {
        return record_write_layout(&handle->conn, stage, len, iov);
    }
    iov[0].iov_base = stage;
    iov[0].iov_len = len < RECORD_BATCH_PLAINTEXT_MAX ? len : RECORD_BATCH_PLAINTEXT_MAX;
    return 1;
}

size_t
session_available(struct handle *handle, int fd)
{
    if (atomic_load(&handle->session->state) != SESSION_OPEN &&
        drive_to_read(handle, fd) < 0) {
        return 0;
    }
    if (atomic_load(&handle->session->state) == SESSION_PLAINTEXT) {
        return permissive_available(fd);
    }
    return record_available(&handle->conn, fd);
}

int
session_finish_shutdown(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    if (atomic_load(&session->shut_wanted) == 0) {
        return 0;
    }
    int result = atomic_load(&session->state) == SESSION_PLAINTEXT
                     ? 0
                     : record_close_notify(&handle->conn, fd);
    if (result == -EAGAIN) {
        service_watch(handle);
        return result;
    }
    /* The program's thread and the service may both be here: one of them does it. */
    int how = atomic_exchange(&session->shut_wanted, 0) - 1;
    return how < 0 || system_calls.shutdown(fd, how) == 0 ? 0 : -errno;
}

int
session_shutdown(struct handle *handle, int fd, int how)
{
    struct session *session = handle->session;
    int state = atomic_load(&session->state);
    if (how == SHUT_RD || how == SHUT_RDWR) {
        record_ignore_input(&handle->conn);
    }
    permissive_want(handle);
    if (state == SESSION_FAILED || state == SESSION_CONNECTING ||
        state == SESSION_PLAINTEXT || (how != SHUT_WR && how != SHUT_RDWR)) {
        /* SHUT_RD during the handshake would end it: reading simply ends later. */
        bool handshaking = state == SESSION_HANDSHAKING && how == SHUT_RD;
        return handshaking || system_calls.shutdown(fd, how) == 0 ? 0 : -errno;
    }
    atomic_store(&session->shut_wanted, (int8_t)(1 + how));
    if (session_is_settled(session)) {
        int result = session_finish_shutdown(handle, fd);
        return result == -EAGAIN ? 0 : result;
    }
    service_watch(handle);
    return 0;
}
