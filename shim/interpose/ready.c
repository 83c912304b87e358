#include "shim/interpose/ready.h"

#include "shim/interpose/governed.h"
#include "shim/interpose/wait.h"

#define NS_PER_S 1000000000LL
#define MASKED_SLICE_NS 10000000LL /* between looks at an early buffer that was full */
#define IDLE_NS 1000000L           /* when others are at work on the handshake */

static bool
is_doubtful(struct handle *handle, int fd)
{
    const struct session *session = handle->session;
    int state = atomic_load(&session->state);
    return state != SESSION_PLAINTEXT &&
           (state != SESSION_OPEN || atomic_load(&session->record.rx.bytes) == 0 ||
            !wait_is_nonblocking(handle, fd));
}

bool
ready_is_doubtful(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    return handle != NULL && is_doubtful(handle, fd);
}

bool
ready_is_governed(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    return handle != NULL;
}

bool
ready_to_read(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (handle == NULL || !is_doubtful(handle, fd)) {
        return true;
    }
    bool readable = session_readable(handle, fd) == 1 ||
                    atomic_load(&handle->session->state) == SESSION_PLAINTEXT;
    if (!readable && (wait_for_other_process(handle) ||
                      atomic_load(&handle->session->awaits_answer))) {
        struct timespec pause = {0, IDLE_NS};
        (void)real.ppoll(NULL, 0, &pause, NULL);
    }
    return readable;
}

void
ready_await(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (handle != NULL) {
        session_await(handle);
    }
}

bool
ready_to_write(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    return handle == NULL || session_writable(handle);
}

bool
ready_writer_waits(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    return handle != NULL && atomic_exchange(&handle->session->write_starved, false);
}

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool
ready_has_ended(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return handle != NULL && (atomic_load(&handle->session->record.tx.closed) ||
                              real.poll(&end, 1, 0) != 0);
}

bool
ready_is_valid(const struct timespec *timeout)
{
    return timeout == NULL ||
           (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < NS_PER_S);
}

struct ready_wait
ready_wait_from(const struct timespec *timeout)
{
    struct ready_wait wait = {.until_ns = -1};
    if (timeout != NULL) {
        int64_t limit = INT64_MAX / 4 / NS_PER_S;
        int64_t seconds = timeout->tv_sec < limit ? timeout->tv_sec : limit;
        wait.until_ns = now_ns() + seconds * NS_PER_S + timeout->tv_nsec;
    }
    return wait;
}

struct ready_wait
ready_wait_from_ms(int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return ready_wait_from(timeout_ms < 0 ? NULL : &timeout);
}

struct timespec
ready_left(const struct ready_wait *wait)
{
    int64_t left = wait->until_ns - now_ns();
    left = left > 0 ? left : 0;
    return (struct timespec){left / NS_PER_S, left % NS_PER_S};
}

const struct timespec *
ready_slice(const struct ready_wait *wait, bool masked, struct timespec *slice)
{
    if (wait->until_ns < 0 && !masked) {
        return NULL;
    }
    *slice =
        wait->until_ns < 0 ? (struct timespec){0, MASKED_SLICE_NS} : ready_left(wait);
    if (masked && (slice->tv_sec > 0 || slice->tv_nsec > MASKED_SLICE_NS)) {
        *slice = (struct timespec){0, MASKED_SLICE_NS};
    }
    return slice;
}

bool
ready_is_over(const struct ready_wait *wait)
{
    return wait->until_ns >= 0 && now_ns() >= wait->until_ns;
}
