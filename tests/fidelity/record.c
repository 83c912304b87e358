/* How a scenario records what it sees, and how its two ends keep in step. */
#include "tests/fidelity/shared.h"
#include "tests/fidelity/window.h"

#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define UNTOUCHED 12345 /* no errno: a call that succeeds leaves errno alone */

static volatile sig_atomic_t guard_fired, pipes_broken, signals_caught;
static int pipes_broken_before;
static long slept_before;

static struct t_end_shared *
own(struct t *t)
{
    return &t->shared->ends[t->accepting ? 0 : 1];
}

static struct t_end_shared *
other(struct t *t)
{
    return &t->shared->ends[t->accepting ? 1 : 0];
}

static void
on_guard(int number)
{
    (void)number;
    guard_fired = 1;
}

static void
on_broken_pipe(int number)
{
    (void)number;
    pipes_broken++;
}

static void
on_signal(int number)
{
    (void)number;
    signals_caught++;
}

void
record_install(void)
{
    struct sigaction guard = {.sa_handler = on_guard};
    struct sigaction broken = {.sa_handler = on_broken_pipe, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &guard, NULL);
    sigaction(SIGPIPE, &broken, NULL);
}

void
t_catch(int number, int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(number, &action, NULL);
    signals_caught = 0;
}

int
t_signals(void)
{
    return signals_caught;
}

static timer_t signal_timer;

/* Its name in timer_create(2), which not every version of glibc has. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

void
t_signal_every(int number, int ms)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number};
    struct timespec period = {ms / 1000, ms % 1000 * 1000000L};
    event.sigev_notify_thread_id = gettid();
    timer_create(CLOCK_MONOTONIC, &event, &signal_timer);
    timer_settime(signal_timer, 0, &(struct itimerspec){period, period}, NULL);
}

void
t_signal_stop(void)
{
    timer_delete(signal_timer);
}

/* The guard goes on ringing: the first time the call may not have begun yet. */
static void
set_guard(int ms)
{
    struct itimerval value = {
        .it_value = {ms / 1000, ms % 1000 * 1000},
        .it_interval = {0, ms == 0 ? 0 : 20000},
    };
    setitimer(ITIMER_REAL, &value, NULL);
}

static long
times_slept(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

void
t_begin(struct t *t, int limit_ms)
{
    guard_fired = 0;
    pipes_broken_before = pipes_broken;
    slept_before = times_slept();
    own(t)->limit_ms = limit_ms;
    if (limit_ms > 0) {
        set_guard(limit_ms);
    }
    errno = UNTOUCHED;
}

static void
append(struct t *t, const char *text, int len)
{
    struct t_end_shared *end = own(t);
    if (len > 0 && end->trace_len + (size_t)len < sizeof(end->trace)) {
        memcpy(end->trace + end->trace_len, text, (size_t)len);
        end->trace_len += (size_t)len;
    }
}

void
t_say(struct t *t, const char *format, ...)
{
    char line[1000];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    len = len < (int)sizeof(line) - 2 ? len : (int)sizeof(line) - 2;
    line[len++] = '\n';
    append(t, line, len);
}

long
t_end(struct t *t, const char *call, long result)
{
    int error = errno;
    bool broken = pipes_broken != pipes_broken_before;
    bool interrupted = result == -1 && error == EINTR;
    /* Else the guard has rung for a thread that was kept from running. */
    bool waited = interrupted || times_slept() != slept_before;
    set_guard(0);
    const char *signal_text = broken ? " SIGPIPE" : "";
    if (guard_fired && waited) {
        const char *what = own(t)->limit_ms < 1000 ? "blocks" : "hangs";
        t_say(t, "%s %s%s", call, what, interrupted ? "" : ", no EINTR");
    } else if (result == -1) {
        t_say(t, "%s = -1 %s%s", call, strerrorname_np(error), signal_text);
    } else {
        t_say(t, "%s = %ld%s%s", call, result, signal_text,
              error != UNTOUCHED ? " (errno was changed)" : "");
    }
    errno = error;
    return result;
}

void
t_bytes(struct t *t, const void *buf, long len)
{
    const unsigned char *bytes = buf;
    char text[41];
    uint64_t sum = 1469598103934665603U;
    if (len > 40) {
        for (long i = 0; i < len; i++) {
            sum = (sum ^ bytes[i]) * 1099511628211U;
        }
        t_say(t, "  %ld bytes, hash %016lx", len, (unsigned long)sum);
        return;
    }
    for (long i = 0; i < len; i++) {
        text[i] = bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '?';
    }
    text[len > 0 ? len : 0] = '\0';
    t_say(t, "  \"%s\"", text);
}

/* ---- order
 * ----------------------------------------------------------------------------- */

void
t_tell(struct t *t)
{
    __atomic_fetch_add(&other(t)->tells, 1, __ATOMIC_SEQ_CST);
    sem_post(&other(t)->told);
}

/* A semaphore that is posted without a word is the parent's: the other end is gone. */
void
t_wait(struct t *t)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20; /* by then it hangs, on a machine with a load of 30, too */
    int result;
    do {
        result = sem_timedwait(&own(t)->told, &until);
    } while (result != 0 && errno == EINTR);
    if (result != 0 ||
        __atomic_load_n(&own(t)->tells, __ATOMIC_SEQ_CST) <= own(t)->waits) {
        t_say(t, "the other end does not go on");
        record_finish(1);
    }
    own(t)->waits++;
}

bool
t_told(struct t *t)
{
    int count = 0;
    sem_getvalue(&own(t)->told, &count);
    return count > 0;
}

void
t_meet(struct t *t)
{
    t_tell(t);
    t_wait(t);
}

void
t_await(struct t *t, int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    struct timespec limit = {4, 0};
    if (syscall(SYS_ppoll, &wanted, 1, &limit, NULL, 0) != 1) {
        t_say(t, "waited in vain for events %x", (unsigned)events);
    }
    /* poll() sees a FIN before epoll is told of it.  Whoever tells has the lock of the
     * socket, which this waits for: tcp_get_info() of the kernel. */
    struct tcp_info info;
    socklen_t len = sizeof(info);
    (void)syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len);
}

void
t_sent(struct t *t, int fd)
{
    struct timespec pause = {0, 1000000};
    int unsent = 1;
    for (int i = 0; i < 2000; i++) {
        if (syscall(SYS_ioctl, fd, SIOCOUTQ, &unsent) != 0 || unsent == 0) {
            return;
        }
        syscall(SYS_nanosleep, &pause, NULL);
    }
    t_say(t, "bytes do not arrive");
}

void
record_finish(int status)
{
    _exit(status);
}

/* ---- data
 * ------------------------------------------------------------------------------- */

void
t_fill(void *buf, size_t len, unsigned seed)
{
    unsigned char *bytes = buf;
    uint32_t state = seed * 2654435761U + 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)('a' + (state >> 24) % 26);
    }
}

char *
t_data(size_t len, unsigned seed)
{
    char *buf = malloc(len + 1);
    t_fill(buf, len, seed);
    buf[len] = '\0';
    return buf;
}

/* Returns false after a while without progress. */
static bool
is_ready(struct t *t, int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    if (poll(&wanted, 1, 4000) == 1) {
        return true;
    }
    t_say(t, "no progress");
    return false;
}

void
t_write_all(struct t *t, int fd, const void *buf, size_t len)
{
    const char *next = buf;
    while (len > 0) {
        ssize_t n = write(fd, next, len);
        if (n > 0) {
            next += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!is_ready(t, fd, POLLOUT)) {
                return;
            }
        } else if (!(n < 0 && errno == EINTR)) {
            t_say(t, "write_all: %ld %s", (long)n, strerrorname_np(errno));
            return;
        }
    }
}

/* The other end's kernel goes on taking some for a while: full is what stays so. */
size_t
t_fill_up(int fd)
{
    char *data = t_data(1 << 16, 5);
    size_t done = 0;
    int tries = 400; /* more than it takes: a peer that goes on reading is never full */
    for (int quiet = 0; quiet < 2 && tries > 0; tries--) {
        ssize_t n;
        quiet = window_is_closed(fd) ? quiet + 1 : 0;
        while ((n = send(fd, data, 1 << 16, MSG_DONTWAIT)) > 0) {
            done += (size_t)n;
            quiet = 0;
        }
        poll(NULL, 0, 10);
    }
    while (send(fd, data, 1, MSG_DONTWAIT) > 0) {
        done++; /* what a page still had room for */
    }
    free(data);
    return done;
}

size_t
t_read_all(struct t *t, int fd, void *buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, (char *)buf + done, len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (!is_ready(t, fd, POLLIN)) {
                break;
            }
        } else if (n == 0) {
            break;
        } else if (errno != EINTR) {
            t_say(t, "read_all: %s after %zu", strerrorname_np(errno), done);
            break;
        }
    }
    return done;
}

/* ---- connections
 * ---------------------------------------------------------------------------- */

void
t_set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int
t_dial(struct t *t)
{
    int fd = socket(t->address.ss_family, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&t->address, t->address_len) != 0) {
        t_say(t, "dial: %s", strerrorname_np(errno));
    }
    return fd;
}

int
t_accept(struct t *t)
{
    t_await(t, t->listener, POLLIN);
    int fd = accept(t->listener, NULL, NULL);
    if (fd < 0) {
        t_say(t, "accept: %s", strerrorname_np(errno));
    }
    return fd;
}

/* After a byte each way nothing of the handshake is left to do. */
void
t_settle(struct t *t, int fd)
{
    char byte = '!';
    if (!t->accepting) {
        t_write_all(t, fd, &byte, 1);
    }
    if (t_read_all(t, fd, &byte, 1) != 1) {
        t_say(t, "the connection was not settled");
    }
    if (t->accepting) {
        t_write_all(t, fd, &byte, 1);
    }
}

/* ---- bad memory
 * --------------------------------------------------------------------------- */

void *
t_bad_page(void)
{
    static char *page;
    if (page == NULL) {
        char *two =
            mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(two + 4096, 4096, PROT_NONE);
        page = two + 4096;
    }
    return page;
}

char *
t_before_bad_page(size_t len)
{
    return (char *)t_bad_page() - len;
}
