/* How a handshake goes on: by whoever needs it, one step at a time, never blocking. */
#include "shim/session/session.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/session/handshake.h"
#include "shim/session/metrics.h"
#include "shim/session/permissive.h"
#include "shim/session/recheck.h"
#include "shim/session/service.h"
#include "shim/session/system.h"

static int
fail(struct handle *handle, int fd, int error, const struct failure *failure)
{
    session_fail(handle, fd, error, failure);
    return -error;
}

static int
fail_because(struct handle *handle, int fd, int error, enum reason reason,
             const char *detail)
{
    struct failure failure;
    failure_set(&failure, reason, detail != NULL ? "%s" : NULL, detail);
    return fail(handle, fd, error, &failure);
}

/* Whether TCP is established by now. */
static int
check_connected(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (system_calls.poll(&ready, 1, 0) == 0) {
        *events = POLLOUT;
        return -EAGAIN;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    if (system_calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    len = sizeof(session->remote);
    if (error == 0 && getpeername(fd, &session->remote.any, &len) != 0) {
        /* A connect() that was given up, or that was reported elsewhere already. */
        error = ECONNREFUSED;
    }
    if (error != 0) {
        atomic_store(&session->connect_failed, true);
        return fail_because(handle, fd, error, REASON_PEER_RESET, NULL);
    }
    len = sizeof(session->local);
    (void)getsockname(fd, &session->local.any, &len);
    session_begin_handshake(session, fd);
    return 0;
}

/* flags: MSG_MORE where more goes out behind it. */
static int
send_output(struct handle *handle, int fd, int flags, short *events)
{
    size_t len;
    const uint8_t *output = handshake_output(handle->handshake, &len);
    while (len > 0) {
        ssize_t sent =
            system_calls.send(fd, output, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            *events = POLLOUT;
            return errno == EAGAIN ? -EAGAIN : -errno;
        }
        handshake_sent(handle->handshake, (size_t)sent);
        output = handshake_output(handle->handshake, &len);
    }
    return 0;
}

/* Takes what the handshake has used out of the kernel, and not a byte more: the peer's
 * application data may follow in the same segment. */
static int
take_input(struct handle *handle, int fd)
{
    size_t len = handshake_owed(handle->handshake);
    if (len == 0) {
        return 0;
    }
    ssize_t got = system_calls.recv(fd, NULL, len, MSG_TRUNC | MSG_DONTWAIT);
    if (got != (ssize_t)len) {
        return got < 0 ? -errno : -ECONNRESET; /* it was there: only we read */
    }
    handshake_taken(handle->handshake);
    return 0;
}

/*
 * Shows the handshake the next record. Returns 1 when it is whole; -EAGAIN, and what has
 * come of it is taken: only what is still to come makes the socket readable.
 *
 *   drained  in/out  the last look found all that there was: a second one, which would
 *                    nearly always be in vain, is not made
 */
static int
fetch_record(struct handle *handle, int fd, bool *drained, short *events)
{
    for (;;) {
        int whole = handshake_next(handle->handshake);
        int result = whole == 0 ? take_input(handle, fd) : whole;
        if (result != 0) {
            return result;
        }
        if (*drained) {
            *events = POLLIN;
            return -EAGAIN;
        }
        size_t len;
        uint8_t *room = handshake_room(handle->handshake, &len);
        ssize_t got = system_calls.recv(fd, room, len, MSG_PEEK | MSG_DONTWAIT);
        if (got > 0) {
            *drained = (size_t)got < len;
            handshake_got(handle->handshake, (size_t)got);
        } else if (got == 0) {
            return -ECONNRESET;
        } else if (errno != EINTR) {
            *events = POLLIN;
            return errno == EAGAIN ? -EAGAIN : -errno;
        }
    }
}

/* Setting this option to the value it has makes the kernel signal writability anew
 * (tcp(7)). */
void
session_wake_writers(int fd)
{
    int value = 0;
    socklen_t len = sizeof(value);
    if (system_calls.getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len) == 0) {
        (void)system_calls.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, len);
    }
}

static int
send_early_data(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    uint32_t done = 0;
    while (done < session->early_len) {
        struct iovec iov = {handle->early + done, session->early_len - done};
        ssize_t sent = record_write(&handle->conn, fd, &iov, 1, MSG_NOSIGNAL);
        if (sent == -EAGAIN) {
            memmove(handle->early, handle->early + done, session->early_len - done);
            session->early_len -= done;
            *events = POLLOUT;
            return -EAGAIN;
        }
        if (sent < 0) {
            return (int)sent;
        }
        done += (uint32_t)sent;
    }
    if (session->early_len > 0) {
        session_return_nodelay(session, fd);
        wc_ForceZero(handle->early, session->early_len);
        (void)madvise(handle->early, SESSION_EARLY_LEN, MADV_REMOVE);
        session->early_len = 0;
    }
    return 0;
}

/* The handshake is done: keys, then what was written meanwhile, then open. */
static int
open_session(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    if (!handle->handed_over) {
        int result = handshake_hand_over(handle->handshake);
        if (result < 0) {
            return fail(handle, fd, EPROTO, handshake_why(handle->handshake));
        }
        handle->handed_over = true;
        size_t ticket_len;
        const uint8_t *ticket = handshake_ticket(handle->handshake, &ticket_len);
        record_give_ticket(&handle->conn, ticket, ticket_len);
        handle->chain = handshake_take_chain(handle->handshake);
        handle->resume_number = handshake_resume_number(handle->handshake);
        session->opened_ms = session_now_ms();
        session_log(handle, AUDIT_HANDSHAKE_OK, NULL);
        metrics_see_to(handle, &handle->is_counted);
    }
    int result = send_early_data(handle, fd, events);
    if (result == -EAGAIN) {
        return result;
    }
    /* An error of the socket shows to the program by itself, on its next call. */
    atomic_store(&session->state, SESSION_OPEN);
    handshake_free(handle->handshake);
    handle->handshake = NULL;
    if (atomic_load(&session->mappings) > 1) {
        recheck_keep_chain(handle);
    }
    recheck_note(handle);
    ruling_done(&handle->ruling);
    if (atomic_load(&session->early_was_full)) {
        session_wake_writers(fd);
    }
    if (atomic_load(&session->shut_wanted) != 0) {
        (void)session_finish_shutdown(handle, fd);
    }
    if (record_pending(&handle->conn)) {
        service_watch(handle);
    }
    return 0;
}

static int
refuse(struct handle *handle, int fd, int result)
{
    short events;
    (void)send_output(handle, fd, 0, &events); /* the alert, as far as it goes */
    return fail(handle, fd, -result, handshake_why(handle->handshake));
}

/* After a FIN the kernel waits for ours; after a reset there is nothing to wait for. */
static bool
was_reset(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    return system_calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_CLOSE;
}

static int
input_ended(struct handle *handle, int fd, int result)
{
    /* Another thread's call may have met, and so taken, the error itself. */
    bool reset = result != -ECONNRESET || errno == ECONNRESET || was_reset(fd);
    return fail_because(handle, fd, ECONNRESET,
                        reset ? REASON_PEER_RESET : REASON_PEER_CLOSED, NULL);
}

/* Nothing that the socket could tell is waited for. */
static int
wait_for_answer(struct handle *handle, short *events)
{
    atomic_store(&handle->session->awaits_answer, true);
    *events = 0;
    return -EAGAIN;
}

/* Makes the kernel tell anew that there is something to read, where it has been told
 * while nobody could: as wake_writers(), with the option that tcp(7) has for readers. */
static void
wake_readers(int fd)
{
    int value = 0;
    socklen_t len = sizeof(value);
    if (system_calls.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len) == 0) {
        (void)system_calls.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, len);
    }
}

/* TLS is done, and the peer is let in if OCSP says nothing against it. */
static int
admit(struct handle *handle, int fd, short *events)
{
    int result = handle->handed_over ? 0 : handshake_admit(handle->handshake);
    if (result == -EAGAIN) {
        return wait_for_answer(handle, events);
    }
    if (result < 0) {
        return refuse(handle, fd, result);
    }
    result = open_session(handle, fd, events);
    if (result == 0 && atomic_exchange(&handle->session->awaits_answer, false)) {
        wake_readers(fd);
    }
    return result;
}

static int
step(struct handle *handle, int fd, short *events)
{
    struct handshake *handshake = handle->handshake;
    bool drained = false;
    if (!handle->handed_over && handshake_is_held(handshake)) {
        return wait_for_answer(handle, events);
    }
    for (;;) {
        int result = handle->handed_over ? 0 : handshake_step(handshake);
        if (result < 0 && result != -EAGAIN) {
            return refuse(handle, fd, result);
        }
        bool done = result == 0;
        bool more = done && handle->session->early_len > 0;
        result = send_output(handle, fd, more ? MSG_MORE : 0, events);
        bool rests = done || result == -EAGAIN;
        int taken = rests ? take_input(handle, fd) : 0;
        if (taken < 0) {
            return input_ended(handle, fd, taken);
        }
        if (result == -EAGAIN) {
            return result;
        }
        if (done) {
            return admit(handle, fd, events);
        }
        /* A peer that refused us has sent an alert before its socket broke: read first.
         */
        atomic_store(&handle->session->awaits_answer, false);
        errno = 0;
        result = fetch_record(handle, fd, &drained, events);
        if (result == -EAGAIN) {
            return result;
        }
        if (result == -EPROTO) {
            return refuse(handle, fd, result);
        }
        if (result < 0) {
            return input_ended(handle, fd, result);
        }
    }
}

/* After a fork the first process to come goes on with its copy, the others wait. */
static int
claim(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    int64_t driver = atomic_load(&session->driver);
    if (driver == 0 && handle->handshake != NULL) {
        driver = session_self();
        atomic_store(&session->driver, driver);
    }
    if (driver == session_self()) {
        return 0;
    }
    if (driver != 0 && !holder_is_alive(driver)) {
        return fail_because(handle, fd, ECONNRESET, REASON_SHIM_ERROR,
                            "the process that drove the handshake has ended");
    }
    *events = POLLIN;
    return -EAGAIN;
}

static int
drive_locked(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    int state = atomic_load(&session->state);
    if (session_is_settled(session)) {
        return 0;
    }
    if (state == SESSION_FAILED) {
        return -atomic_load(&session->error);
    }
    if (atomic_load(&session->permissive) != SESSION_DECIDED) {
        int decided = permissive_drive(handle, fd, events);
        if (decided < 0 || session_is_settled(session)) {
            return decided;
        }
    }
    int result = claim(handle, fd, events);
    if (result == 0 && atomic_load(&session->dialling)) {
        *events = POLLOUT;
        result = -EAGAIN;
    }
    if (result == 0 && state == SESSION_CONNECTING) {
        result = check_connected(handle, fd, events);
    }
    if (result == 0) {
        result = step(handle, fd, events);
    }
    if (result == -EAGAIN && session_now_ms() >= session->deadline_ms &&
        atomic_load(&session->state) == SESSION_HANDSHAKING) {
        result = fail_because(handle, fd, ETIMEDOUT, REASON_TIMEOUT, NULL);
    }
    return result;
}

int
session_drive(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    if (session_is_settled(session)) {
        return 0;
    }
    if (atomic_load(&session->state) == SESSION_FAILED) {
        return -atomic_load(&session->error);
    }
    *events = POLLOUT;
    if (atomic_load(&session->state) == SESSION_UNCONNECTED) {
        return -EAGAIN;
    }
    *events = POLLIN;
    session_fork_enter();
    int result = session_lock(session);
    if (result == 0) {
        result = drive_locked(handle, fd, events);
        session_unlock(session);
    } else {
        result = -EAGAIN; /* a signal handler interrupted the driver itself */
    }
    session_fork_leave();
    return result;
}
