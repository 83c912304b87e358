#include "shim/interpose/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#include "shim/interpose/real.h"
#include "shim/session/permissive.h"

enum {
    OTHER_PROCESS_MS = 2, /* between looks at a handshake that another process drives */
    ANSWER_MS = 2,        /* between looks whether an OCSP responder has answered */
    STEP_MS = 50, /* at most between looks at one that the service thread may drive */
};

bool
wait_is_nonblocking(struct handle *handle, int fd)
{
    /* In the shared part, since processes after a fork share the file description, too.
     */
    int mode = atomic_load_explicit(&handle->session->nonblocking, memory_order_acquire);
    if (mode < 0) {
        int flags = real.fcntl(fd, F_GETFL);
        mode = flags >= 0 && (flags & O_NONBLOCK) != 0;
        if (flags >= 0) {
            atomic_store(&handle->session->nonblocking, (int8_t)mode);
        }
    }
    return mode != 0;
}

void
wait_forget_mode(struct handle *handle)
{
    atomic_store(&handle->session->nonblocking, -1);
}

bool
wait_for_other_process(const struct handle *handle)
{
    const struct session *session = handle->session;
    int state = atomic_load(&session->state);
    int64_t driver = atomic_load(&session->driver);
    return (state == SESSION_CONNECTING || state == SESSION_HANDSHAKING) && driver != 0 &&
           driver != session_self();
}

/* What an instruction raises, which a thread that waits does not execute. */
static bool
is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
           number == SIGILL || number == SIGTRAP || number == SIGSYS;
}

bool
wait_restarts(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (!is_fault(number) && sigaction(number, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
            (action.sa_flags & SA_RESTART) == 0) {
            return false;
        }
    }
    return true;
}

/* How long to wait for the kernel at most before it is looked at again. */
static int64_t
step_ms(const struct session *session)
{
    int64_t left_ms = session->deadline_ms - session_now_ms();
    if (atomic_load(&session->permissive) != SESSION_UNDECIDED || left_ms > STEP_MS) {
        return STEP_MS;
    }
    return left_ms > 1 ? left_ms : 1;
}

/* With no events only time can help: for a little of it. */
static int
wait_events(int fd, short events, int64_t timeout_ms)
{
    if (events == 0 && timeout_ms > ANSWER_MS) {
        timeout_ms = ANSWER_MS;
    }
    struct pollfd wanted = {.fd = events != 0 ? fd : -1, .events = events};
    int ready = real.poll(&wanted, 1, (int)timeout_ms);
    return ready < 0 ? -errno : ready;
}

/* The handshake wants to send, or another process is at it: recv() would not tell. */
static int
wait_handshake_step(struct handle *handle, int fd, short events)
{
    if (wait_for_other_process(handle)) {
        return wait_events(-1, 0, OTHER_PROCESS_MS);
    }
    return wait_events(fd, events, step_ms(handle->session));
}

int
wait_readable(struct handle *handle, int fd, int flags)
{
    if (!session_is_settled(handle->session)) {
        short events = POLLIN;
        if (session_drive(handle, fd, &events) != -EAGAIN) {
            return 0;
        }
        if (events != POLLIN || wait_for_other_process(handle)) {
            if ((flags & MSG_DONTWAIT) != 0 || wait_is_nonblocking(handle, fd)) {
                return -EAGAIN;
            }
            int result = wait_handshake_step(handle, fd, events);
            return result == -EINTR && wait_restarts() ? 0 : result < 0 ? result : 0;
        }
    }
    /* Nothing is left in the kernel's queue, so a peek blocks exactly as recv() would:
     * O_NONBLOCK, SO_RCVTIMEO, SA_RESTART, shutdown() and cancellation are the kernel's.
     */
    char byte;
    if (real.recv(fd, &byte, 1, MSG_PEEK | (flags & MSG_DONTWAIT)) >= 0) {
        return 0;
    }
    int error = errno;
    session_broken(handle, fd, error);
    /* Why a session has failed is told by itself, not by what its socket met then. */
    return atomic_load(&handle->session->state) == SESSION_FAILED ? 0 : -error;
}

/* The option's time as the moment when a call that begins now has to end. */
static void
begin(int fd, int option, struct wait_limit *progress)
{
    struct timeval limit = {0, 0};
    socklen_t len = sizeof(limit);
    progress->begun = true;
    progress->until_ms = -1;
    if (real.getsockopt(fd, SOL_SOCKET, option, &limit, &len) == 0 &&
        (limit.tv_sec != 0 || limit.tv_usec != 0)) {
        progress->until_ms = session_now_ms() + (int64_t)limit.tv_sec * 1000 +
                             (limit.tv_usec + 999) / 1000;
    }
}

/* Returns 0 with the time left, -1 = no limit; -EAGAIN there is none, or no waiting. */
static int
time_left(struct handle *handle, int fd, int flags, int option,
          struct wait_limit *progress, int64_t *left_ms)
{
    *left_ms = -1;
    if ((flags & MSG_DONTWAIT) != 0 || wait_is_nonblocking(handle, fd)) {
        return -EAGAIN;
    }
    if (!progress->begun) {
        begin(fd, option, progress);
    }
    if (progress->until_ms >= 0) {
        *left_ms = progress->until_ms - session_now_ms();
        return *left_ms <= 0 ? -EAGAIN : 0;
    }
    return 0;
}

int
wait_more(struct handle *handle, int fd, int flags, struct wait_limit *progress)
{
    int64_t left_ms;
    int result = time_left(handle, fd, flags, SO_RCVTIMEO, progress, &left_ms);
    if (result == 0) {
        result = wait_events(fd, POLLIN, left_ms);
    }
    return result < 0 ? result : 0;
}

int
wait_writable(struct handle *handle, int fd, int flags, struct wait_limit *progress)
{
    int64_t left_ms;
    int result = time_left(handle, fd, flags, SO_SNDTIMEO, progress, &left_ms);
    if (result < 0) {
        return result;
    }
    short events = POLLOUT;
    if (!session_is_settled(handle->session)) {
        if (session_drive(handle, fd, &events) != -EAGAIN) {
            return 0;
        }
        int64_t step = step_ms(handle->session);
        left_ms = left_ms >= 0 && left_ms < step ? left_ms : step;
    }
    result = wait_for_other_process(handle) ? wait_events(-1, 0, OTHER_PROCESS_MS)
                                            : wait_events(fd, events, left_ms);
    if (result == -EINTR && progress->until_ms < 0 && wait_restarts()) {
        return 0;
    }
    return result < 0 ? result : 0;
}

int
wait_handshake(struct handle *handle, int fd, int64_t wait_ms)
{
    int64_t until_ms = session_now_ms() + wait_ms;
    permissive_want(handle);
    for (;;) {
        short events = POLLIN;
        int result = session_drive(handle, fd, &events);
        int64_t left_ms = until_ms - session_now_ms();
        if (result != -EAGAIN) {
            return result;
        }
        if (left_ms <= 0) {
            return 0;
        }
        int64_t step = step_ms(handle->session);
        if (wait_events(fd, events, left_ms < step ? left_ms : step) < 0) {
            return 0; /* a signal: TCP is connected, the rest goes on by itself */
        }
    }
}
