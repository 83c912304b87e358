/* How sessions end: at the last close, at exit, at exec. */
#include "shim/session/session.h"

#include <errno.h>
#include <sys/socket.h>

#include "shim/record/fail.h"
#include "shim/session/metrics.h"
#include "shim/session/permissive.h"
#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum {
    FLUSH_MS = 30000, /* for a peer that reads slowly */
    /* For what comes after our end though the peer's program sends nothing: close_notify,
     * and a TLS 1.3 server's tickets.  A closed socket would answer with a reset, and
     * that may cost the peer's program data which it has not read yet. */
    ABSORB_MS = 1000,
    EXIT_ABSORB_MS = 200,
};

bool
session_resets_at_close(int fd)
{
    struct linger linger = {0, 0};
    socklen_t len = sizeof(linger);
    return system_calls.getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 &&
           linger.l_onoff != 0 && linger.l_linger == 0;
}

/*
 * Closing a plain socket would reset the connection where it was told not to linger, or
 * bytes have come that the program has not read (RFC 1122, section 4.2.2.13): there a
 * close_notify would make the peer take a reset for a good end.
 *
 *   came  in  as record_drain() says
 */
static int
say_goodbye(struct handle *handle, int fd, int came)
{
    if (came == 0 || session_resets_at_close(fd)) {
        return record_fail_dir(&handle->session->record.tx, -ECONNRESET);
    }
    int result = session_finish_shutdown(handle, fd);
    return result == -EAGAIN ? result : record_close_notify(&handle->conn, fd);
}

/* Ends an open session. Returns how long it has to linger for, 0 = not at all. */
static int64_t
end_open(struct handle *handle, int fd)
{
    int came = record_drain(&handle->conn, fd);
    int result = say_goodbye(handle, fd, came);
    session_log_closed(handle, NULL);
    if (result == -EAGAIN) {
        return FLUSH_MS;
    }
    if (result == 0) {
        (void)system_calls.shutdown(fd, SHUT_WR); /* others may still have the socket */
    }
    return result == 0 && came == -EAGAIN ? ABSORB_MS : 0;
}

/* fd -1 leaves the end to the kernel: a reset, and no FIN before it. */
static void
give_up(struct handle *handle, int fd, const char *why)
{
    struct session *session = handle->session;
    struct failure failure;
    if (session_lock(session) < 0) {
        return;
    }
    if (atomic_load(&session->state) == SESSION_HANDSHAKING) {
        failure_set(&failure, REASON_LOCAL_CLOSE, "%s", why);
        session_fail(handle, fd, ECONNRESET, &failure);
    }
    session_unlock(session);
}

/* A program may learn from the kernel alone that TCP is established, and close at once:
 * its peer has accepted the connection, and is to see it end, not break. */
static bool
is_connected(const struct handle *handle, int fd)
{
    union session_address remote;
    socklen_t len = sizeof(remote);
    return atomic_load(&handle->session->state) == SESSION_CONNECTING &&
           !atomic_load(&handle->session->dialling) &&
           getpeername(fd, &remote.any, &len) == 0;
}

static int64_t
end_session(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    bool last = holder_leave(&session->holders, session_self());
    if (atomic_load(&session->permissive) != SESSION_DECIDED &&
        permissive_close(handle, fd, last)) {
        return session_limits.handshake_timeout_ms;
    }
    if (atomic_load(&session->state) == SESSION_PLAINTEXT) {
        (void)service_forget(handle, true);
    }
    if (last && is_connected(handle, fd)) {
        return session_limits.handshake_timeout_ms;
    }
    int state = atomic_load(&session->state);
    if (state == SESSION_HANDSHAKING &&
        atomic_load(&session->permissive) == SESSION_DECIDED &&
        (last || atomic_load(&session->driver) == session_self())) {
        if (last && session->early_len == 0 && session_resets_at_close(fd)) {
            give_up(handle, -1, "the program has reset the connection (SO_LINGER)");
            return 0;
        }
        /* Data that was written is owed to the peer; others that hold it wait for us. */
        return session_limits.handshake_timeout_ms;
    }
    if (state != SESSION_OPEN) {
        return 0;
    }
    if (last) {
        return end_open(handle, fd);
    }
    /* The others may never write again, and do not look after what we have written. */
    session_push(handle, fd);
    return record_pending(&handle->conn) ? FLUSH_MS : 0;
}

void
session_last_close(struct handle *handle, int fd)
{
    int64_t linger_ms = end_session(handle, fd);
    if (linger_ms == 0) {
        service_note_close(handle, fd);
    } else if (!service_linger(handle, fd, linger_ms)) {
        give_up(handle, fd,
                "the program closed the connection during the handshake, and too many "
                "such are not through with it yet");
    }
    table_release(handle);
}

/* ---- at exit -------------------------------------------------------------------------
 */

/*
 * _exit() may come from a signal handler that has interrupted anything, malloc() and our
 * own code included: so nothing is allocated or freed here, and no lock is waited for
 * without a limit.  Other threads go on meanwhile, and libc has streams to flush yet: the
 * fds stay in the table, so that what is still written meets a session that has ended.
 */
static void
end_at_exit(int fd, struct handle *unheld, void *context)
{
    int64_t *bound_ms = context;
    short events;
    (void)unheld;
    /* Not given back: whoever gives the last reference back frees. */
    struct handle *handle = table_acquire(fd);
    if (handle == NULL || atomic_load(&handle->fd_hint) != fd) {
        return;
    }
    struct session *session = handle->session;
    if (atomic_load(&session->state) == SESSION_HANDSHAKING && session->early_len == 0 &&
        session->is_server) {
        return; /* nothing is owed to a peer that may never say a word */
    }
    int64_t linger_ms = end_session(handle, fd);
    if (linger_ms == ABSORB_MS) {
        linger_ms = EXIT_ABSORB_MS;
    } else if (linger_ms > 0) {
        linger_ms = session_limits.handshake_timeout_ms;
        if (!service_is_running()) {
            (void)session_drive(handle, fd, &events);
        }
    }
    *bound_ms = linger_ms > *bound_ms ? linger_ms : *bound_ms;
}

static void
end_sessions(void)
{
    int64_t now_ms = session_now_ms();
    int64_t start_ms = now_ms;
    const int64_t last_ms = now_ms + session_limits.handshake_timeout_ms + EXIT_ABSORB_MS;
    int64_t bound_ms = 0;
    enum service_rest rest = SERVICE_ABSORBS;
    do {
        int64_t before_ms = bound_ms;
        rest = service_rest(rest);
        bound_ms = rest == SERVICE_OWES      ? session_limits.handshake_timeout_ms
                   : rest == SERVICE_ABSORBS ? EXIT_ABSORB_MS
                                             : 0;
        table_each(end_at_exit, &bound_ms);
        if (bound_ms > 0) {
            (void)system_calls.poll(NULL, 0, 1);
        }
        now_ms = session_now_ms();
        if (bound_ms < before_ms) {
            start_ms = now_ms; /* what was sent last may be answered yet */
        }
    } while (now_ms < start_ms + bound_ms && now_ms < last_ms);
    audit_flush(true);
}

void
session_close_all(void)
{
    if (session_was_made() && !session_is_stranger()) {
        end_sessions();
    }
    metrics_end();
}

static void
hold(int fd, struct handle *unheld, void *context)
{
    const bool *undo = context;
    struct handle *handle = table_acquire(fd);
    (void)unheld;
    if (handle == NULL) {
        return; /* another thread has closed it */
    }
    /* Once per handle, not once per fd; and what goes along keeps our hold. */
    if (atomic_load(&handle->fd_hint) == fd && !handle->goes_along) {
        struct session *session = handle->session;
        if (*undo) {
            holder_add(&session->holders, session_self());
        } else if (holder_leave(&session->holders, session_self()) &&
                   atomic_load(&session->state) == SESSION_OPEN) {
            (void)say_goodbye(handle, fd, record_drain(&handle->conn, fd));
        }
    }
    table_release(handle);
}

void
session_before_exec(bool undo)
{
    table_each(hold, &undo);
}
