#include "shim/session/service_state.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "shim/session/system.h"
#include "shim/session/table.h"

/* For the program to write something that a ticket goes with. */
enum { TICKET_MS = 40 };

enum { HOLD_MS = 200 };

/* Nothing has come that the program has yet to read, and answer. Not by recv(): that
 * would take a pending error, which is the program's to meet. */
static bool
is_silent(int fd)
{
    struct pollfd pollfd = {fd, POLLIN | POLLRDHUP, 0};
    return fd >= 0 && system_calls.poll(&pollfd, 1, 0) == 0;
}

/*
 * Whether what the record holds back may stay so, as TCP would have it: tcp(7), TCP_CORK.
 * Only this thread looks at it, so that who writes need not ask for the time.  What was
 * sent and held anew since it last looked is taken for the same: some go out a little
 * early.
 */
static bool
may_hold(struct handle *handle, int64_t now)
{
    size_t held = record_held(&handle->conn);
    if (held < handle->held_len || handle->held_len == 0) {
        handle->held_since_ms = now;
    }
    bool may = held > 0 && !handle->lingering &&
               atomic_load(&handle->session->shut_wanted) == 0 &&
               now - handle->held_since_ms < HOLD_MS;
    handle->held_len = may ? held : 0;
    return may;
}

/* What is left to do on an open session. Returns -EAGAIN with events, else 0. */
static int
settle(struct handle *handle, uint32_t *events)
{
    int fd = handle->service_fd;
    /* Looked at once: a close() in between is for the next step, which it asks for.  Else
     * an end without close_notify could go out. */
    const bool lingering = atomic_load(&handle->lingering);
    if (atomic_load(&handle->session->state) == SESSION_PLAINTEXT) {
        if (lingering && holder_leave(&handle->session->holders, session_self())) {
            session_discard_input(fd); /* there is nobody who would read it */
        }
        return 0;
    }
    int result = record_flush(&handle->conn, fd);
    if (result == 0 && lingering &&
        !holder_leave(&handle->session->holders, session_self())) {
        return 0; /* the last one says goodbye */
    }
    if (result == 0 && lingering && session_resets_at_close(fd)) {
        session_log_closed(handle, NULL);
        return 0; /* our close() will: a close_notify would make a good end of it */
    }
    if (result == 0 && lingering) {
        result = record_close_notify(&handle->conn, fd);
        if (result != -EAGAIN) {
            session_log_closed(handle, NULL);
        }
    } else if (result == 0 && record_ticket_waits(&handle->conn) && is_silent(fd)) {
        result = record_send_ticket(&handle->conn, fd);
    }
    if (result == -EAGAIN) {
        *events = EPOLLOUT;
        return result;
    }
    if (atomic_load(&handle->session->shut_wanted) != 0) {
        (void)session_finish_shutdown(handle, fd);
    }
    if (!lingering || result < 0) {
        return 0;
    }
    /* Held open until the peer has ended, too: what it still sends (a ticket, say) would
     * make the kernel answer a closed socket's FIN with a reset. */
    (void)system_calls.shutdown(fd, SHUT_WR);
    if (record_drain(&handle->conn, fd) != -EAGAIN) {
        return 0;
    }
    *events = EPOLLIN;
    return -EAGAIN;
}

/* A silent peer, and nobody who waits for a decision: what comes is for the program to
 * find, and its connection costs no more than it would without us. */
static bool
waits_for_nothing(const struct handle *handle, int64_t now)
{
    const struct session *session = handle->session;
    return atomic_load(&session->permissive) == SESSION_UNDECIDED &&
           !atomic_load(&session->decision_wanted) && !handle->lingering &&
           now >= session->deadline_ms;
}

static bool
ticket_waits(const struct handle *handle)
{
    return atomic_load(&handle->session->state) == SESSION_OPEN && !handle->lingering &&
           atomic_load(&handle->fds) > 0 && record_ticket_waits(&handle->conn);
}

/* The program may still write something that the ticket goes with. */
static bool
ticket_rests(const struct handle *handle, int64_t now)
{
    return ticket_waits(handle) && now < handle->session->opened_ms + TICKET_MS;
}

void
service_step(struct handle *handle, int64_t now)
{
    struct session *session = handle->session;
    int state = atomic_load(&session->state);
    bool early = state == SESSION_CONNECTING || state == SESSION_HANDSHAKING;
    if (early && !handle->lingering && now < handle->service_after_ms) {
        service_wait_for(handle, 0); /* a thread of the program has it in hand */
        return;
    }
    if (!early && may_hold(handle, now)) {
        return;
    }
    bool idle = !early && !handle->lingering && !record_pending(&handle->conn) &&
                atomic_load(&session->shut_wanted) == 0;
    if (idle && ticket_rests(handle, now)) {
        return;
    }
    /* A first look, without a dup. Should the fd have become another one's, that takes no
     * harm from being polled. */
    idle = idle && !(ticket_waits(handle) && is_silent(atomic_load(&handle->fd_hint)));
    if (state == SESSION_FAILED || idle || waits_for_nothing(handle, now) ||
        (handle->lingering && now >= handle->linger_until_ms) ||
        !service_has_fd(handle)) {
        service_unwatch(handle);
        return;
    }
    uint32_t events = 0;
    int result = 0;
    if (early) {
        short poll_events = POLLIN;
        result = session_drive(handle, handle->service_fd, &poll_events);
        events = poll_events == POLLOUT ? EPOLLOUT : poll_events == POLLIN ? EPOLLIN : 0;
    }
    if (result == 0 && ticket_rests(handle, now)) {
        /* The program's close() is to be the last one. */
        pthread_mutex_lock(&service_mutex);
        service_drop_fd(handle);
        pthread_mutex_unlock(&service_mutex);
        return;
    }
    if (result == 0) {
        result = settle(handle, &events);
    }
    if (result == -EAGAIN) {
        /* Readable but not for us (another process drives): let only time tell. */
        bool other = early && atomic_load(&session->driver) != session_self() &&
                     atomic_load(&session->permissive) == SESSION_DECIDED;
        service_wait_for(handle, other ? 0 : events);
    } else {
        service_unwatch(handle);
    }
}

bool
service_waits_for_peer(const struct handle *handle, int64_t now)
{
    const struct session *session = handle->session;
    return handle->service_events != 0 && !handle->lingering &&
           atomic_load(&session->state) == SESSION_HANDSHAKING &&
           now < session->deadline_ms;
}
