#include "shim/interpose/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "shim/interpose/real.h"
#include "shim/session/permissive.h"
#include "shim/session/service.h"

enum {
    /* Between looks whether another process has come on with a handshake, an OCSP
     * responder has answered, or a signal is waiting. */
    LOOK_MS = 2,
    SPARE_MS = 5, /* for a thread that waited to get to its next look */
    STEP_MS = 50, /* at most between looks at one that the service thread may drive */
};

/* Nobody's memory: what is to be sent from there never is. */
static void *nowhere = MAP_FAILED;

void
wait_init(void)
{
    nowhere = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

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

/* Whether one of these signals ends a call that waits. */
static bool
interrupts(const sigset_t *pending, const sigset_t *blocked)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigismember(pending, number) == 1 && sigismember(blocked, number) != 1 &&
            sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN && (action.sa_flags & SA_RESTART) == 0) {
            return true;
        }
    }
    return false;
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

/* Until this thread's next look at the handshake it is nobody else's. */
static int64_t
claim_step(struct handle *handle)
{
    int64_t step = step_ms(handle->session);
    service_leave(handle, step + SPARE_MS);
    return step;
}

/* With no events only time can help: for a little of it. */
static int
wait_events(int fd, short events, int64_t timeout_ms)
{
    if (events == 0 && timeout_ms > LOOK_MS) {
        timeout_ms = LOOK_MS;
    }
    struct pollfd wanted = {.fd = events != 0 ? fd : -1, .events = events};
    int ready = real.poll(&wanted, 1, (int)timeout_ms);
    return ready < 0 ? -errno : ready;
}

static void
restore_signals(sigset_t *blocked)
{
    pthread_sigmask(SIG_SETMASK, blocked, NULL);
}

/*
 * For waits that no call of the kernel's does as a whole: those for a handshake that
 * wants to send, say, or that another process is at.  poll() does not tell which signal
 * ends it; so signals wait until they have been looked at.
 *
 * Returns  0 look again; -EINTR a handler without SA_RESTART has run.
 */
static int
wait_a_little(struct handle *handle, int fd, short events)
{
    sigset_t all, pending;
    __attribute__((cleanup(restore_signals))) sigset_t blocked; /* cancelled, too */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &blocked);
    bool other = wait_for_other_process(handle);
    service_leave(handle, LOOK_MS + SPARE_MS);
    int result = wait_events(fd, other ? 0 : events, LOOK_MS);
    sigpending(&pending);
    return interrupts(&pending, &blocked) ? -EINTR : result < 0 ? result : 0;
}

int
wait_readable(struct handle *handle, int fd, int flags)
{
    if ((flags & MSG_DONTWAIT) != 0 || wait_is_nonblocking(handle, fd)) {
        return -EAGAIN; /* the kernel has just been asked */
    }
    if (!session_is_settled(handle->session)) {
        short events = POLLIN;
        if (session_drive(handle, fd, &events) != -EAGAIN) {
            return 0;
        }
        if (events != POLLIN || wait_for_other_process(handle)) {
            return wait_a_little(handle, fd, events);
        }
        (void)claim_step(handle);
    }
    /* Nothing is left in the kernel's queue, so a peek blocks exactly as recv() would:
     * SO_RCVTIMEO, SA_RESTART, shutdown() and cancellation are the kernel's. */
    char byte;
    if (real.recv(fd, &byte, 1, MSG_PEEK) >= 0) {
        return 0;
    }
    int error = errno;
    session_broken(handle, fd, POLLIN, error);
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

/*
 * Blocks as send() would, and sends nothing: the kernel first waits for room and then
 * finds that it cannot read the byte.  So whether a signal ends the wait is the kernel's.
 */
static int
wait_as_send(struct handle *handle, int fd)
{
    (void)real.send(fd, nowhere, 1, MSG_NOSIGNAL);
    int error = errno;
    if (error == EINTR || error == EAGAIN) {
        return -error;
    }
    if (error != EFAULT && error != EPIPE) {
        session_broken(handle, fd, POLLOUT, error); /* told only once */
    }
    return 0;
}

int
wait_writable(struct handle *handle, int fd, int flags, struct wait_limit *progress)
{
    int64_t left_ms;
    int result = time_left(handle, fd, flags, SO_SNDTIMEO, progress, &left_ms);
    if (result < 0) {
        return result;
    }
    /* Under a time limit, or with a part of it written, a signal ends the call whatever
     * its handler's flags are, as it ends poll() (signal(7)). */
    bool restarts = left_ms < 0 && !progress->some;
    short events = POLLOUT;
    if (!session_is_settled(handle->session)) {
        if (session_drive(handle, fd, &events) != -EAGAIN) {
            return 0;
        }
        if (restarts || wait_for_other_process(handle)) {
            return wait_a_little(handle, fd, events);
        }
        int64_t step = claim_step(handle);
        left_ms = left_ms >= 0 && left_ms < step ? left_ms : step;
    } else if (restarts && nowhere != MAP_FAILED &&
               atomic_load(&handle->session->state) == SESSION_OPEN) {
        return wait_as_send(handle, fd);
    } else if (restarts) {
        return wait_a_little(handle, fd, events);
    }
    result = wait_events(fd, events, left_ms);
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
        int64_t step = claim_step(handle);
        if (wait_events(fd, events, left_ms < step ? left_ms : step) < 0) {
            return 0; /* a signal: TCP is connected, the rest goes on by itself */
        }
    }
}
