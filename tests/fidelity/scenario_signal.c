/* Calls that wait, and what ends the wait: signals with and without SA_RESTART, timeouts.
 */
#include "tests/fidelity/shared.h"

#include <sys/mman.h>

static char buf[1 << 16];

/* The rows' params: what waits. */
enum { READ, RECV, RECVMSG, WAITALL, WRITE, ACCEPT, CONNECT, POLL, SELECT, EPOLL, WAITS };

static int epfd;

/* For ACCEPT and CONNECT: a listener of this end's own, and who dials it. */
static struct sockaddr_in door = {.sin_family = AF_INET};
static int listener, caller;
#define DOOR (struct sockaddr *)&door, sizeof(door)

static void
open_door(int backlog)
{
    socklen_t len = sizeof(door);
    door.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    caller = socket(AF_INET, SOCK_STREAM, 0);
    (void)bind(listener, DOOR);
    listen(listener, backlog);
    getsockname(listener, (struct sockaddr *)&door, &len);
}

static long
wait_in_call(struct t *t)
{
    struct pollfd wanted = {.fd = t->fd, .events = POLLIN};
    struct epoll_event event;
    struct iovec iov = {buf, 10};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    fd_set set;
    switch (t->param % WAITS) {
    case READ:
        return read(t->fd, buf, 10);
    case RECV:
        return recv(t->fd, buf, 10, 0);
    case RECVMSG:
        return recvmsg(t->fd, &msg, 0);
    case WAITALL:
        return recv(t->fd, buf, 10, MSG_WAITALL);
    case WRITE:
        return write(t->fd, buf, 10);
    case ACCEPT:
        return accept(listener, NULL, NULL) < 0 ? -1 : 0;
    case CONNECT:
        return connect(caller, DOOR);
    case POLL:
        return poll(&wanted, 1, 3000);
    case SELECT:
        FD_ZERO(&set);
        FD_SET(t->fd, &set);
        return select(t->fd + 1, &set, NULL, NULL, &(struct timeval){3, 0});
    default:
        return epoll_wait(epfd, &event, 1, 3000);
    }
}

static void
prepare(struct t *t)
{
    struct epoll_event event = {.events = EPOLLIN};
    epfd = epoll_create1(0);
    epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &event);
    if (t->param % WAITS == WRITE) {
        t_fill_up(t->fd);
    } else if (t->param % WAITS == ACCEPT) {
        open_door(1);
    } else if (t->param % WAITS == CONNECT) {
        open_door(0); /* with the first one in its queue it does not answer */
        (void)connect(socket(AF_INET, SOCK_STREAM, 0), DOOR);
    }
}

/* In a thread of its own: brings what is waited for. */
static void *
tell_after(void *context)
{
    const struct t *t = context;
    struct timespec moment = {0, 60000000};
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    nanosleep(&moment, NULL);
    if (t->param % WAITS == ACCEPT) {
        (void)connect(caller, DOOR);
    } else if (t->param % WAITS == CONNECT) {
        (void)accept(listener, NULL, NULL); /* its next SYN finds a place */
    }
    t_tell(context);
    return NULL;
}

/* Nothing comes, but the other end's kernel may find room for a few bytes yet. */
static long
wait_in_vain(struct t *t)
{
    long result;
    int tries = 20000;
    do {
        result = wait_in_call(t);
    } while (result > 0 && --tries > 0);
    return result;
}

static void
say_signals(struct t *t)
{
    t_signal_stop();
    t_say(t, "%s", t_signals() > 0 ? "signals" : "no signal");
}

static void
be_interrupted(struct t *t, int flags)
{
    pthread_t thread;
    bool goes_on = flags == SA_RESTART && t->param % WAITS < POLL; /* signal(7) */
    prepare(t);
    /* What counts are the flags of the handler that runs. */
    t_catch(SIGUSR2, flags ^ SA_RESTART);
    t_catch(SIGUSR1, flags);
    t_signal_every(SIGUSR1, 20);
    if (goes_on) {
        pthread_create(&thread, NULL, tell_after, t);
    }
    T_NAMED("the call", goes_on ? wait_in_call(t) : wait_in_vain(t));
    say_signals(t);
    if (goes_on) {
        pthread_join(thread, NULL);
    } else {
        t_tell(t);
    }
    t_tell(t);
    t_wait(t);
}

static void
interrupted(struct t *t)
{
    be_interrupted(t, 0);
}

static void
restarted(struct t *t)
{
    be_interrupted(t, SA_RESTART);
}

/* Gives what is waited for: data, or room for it. */
static void
give(struct t *t)
{
    t_wait(t);
    if (t->param % WAITS == WRITE) {
        struct pollfd ready = {.fd = t->fd, .events = POLLIN};
        while (poll(&ready, 1, 50) == 1 &&
               recv(t->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
        }
    } else {
        T(write(t->fd, "0123456789", 10));
    }
    t_wait(t);
    t_tell(t);
}

/* ---- part of it has been read when the signal comes
 * --------------------------------------------- */

static void
give_half(struct t *t)
{
    T(write(t->fd, "01234", 5));
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
}

static void
interrupted_half_way(struct t *t)
{
    t_wait(t);
    t_catch(SIGUSR1, t->param != 0 ? SA_RESTART : 0);
    t_signal_every(SIGUSR1, 20);
    T(recv(t->fd, buf, 10, MSG_WAITALL));
    say_signals(t);
    t_tell(t);
}

enum { LARGE = 30000000, RESTARTING = 1, BY_SENDFILE = 2 };

static ssize_t
write_large(struct t *t, const char *data, int file)
{
    return (t->param & BY_SENDFILE) != 0 ? sendfile(t->fd, file, &(off_t){0}, LARGE)
                                         : write(t->fd, data, LARGE);
}

static void
interrupted_writing(struct t *t)
{
    int file = memfd_create("large", 0);
    t_catch(SIGUSR1, (t->param & RESTARTING) != 0 ? SA_RESTART : 0);
    char *data = t_data(LARGE, 1);
    if (write(file, data, LARGE) != LARGE) {
        t_say(t, "no file");
    }
    t_signal_every(SIGUSR1, 50);
    ssize_t n = write_large(t, data, file);
    t_say(t, "%s", n > 0 && n < LARGE ? "some was written" : "wrong");
    say_signals(t);
    t_tell(t);
}

static void
just_wait(struct t *t)
{
    t_wait(t);
}

/* ---- timeouts
 * --------------------------------------------------------------------------------------
 */

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The call under a time limit of 60 ms, and how long it took, roughly. */
static void
time_out(struct t *t)
{
    struct timeval limit = {0, 60000};
    struct timeval told = {9, 9};
    socklen_t len = sizeof(told);
    bool writes = t->param % WAITS == WRITE;
    prepare(t);
    T(setsockopt(t->fd, SOL_SOCKET, writes ? SO_SNDTIMEO : SO_RCVTIMEO, &limit,
                 sizeof(limit)));
    T(getsockopt(t->fd, SOL_SOCKET, writes ? SO_SNDTIMEO : SO_RCVTIMEO, &told, &len));
    t_say(t, "%ld s, %s", (long)told.tv_sec, told.tv_usec >= 60000 ? "60 ms" : "less");
    int64_t start = now_ms();
    long result;
    t_begin(t, 4000);
    /* The other end's kernel may find room for a few bytes yet. */
    for (int i = 0; (result = wait_in_call(t)) > 0 && i < 20000; i++) {
        start = now_ms();
    }
    t_end(t, "the call", result);
    int64_t took = now_ms() - start;
    bool right = t->nonblocking ? took < 50 : took >= 50 && took < 1500;
    t_say(t, "it took %s", right ? "its time" : took < 50 ? "no time" : "too long");
    t_tell(t);
}

static void
time_out_half_way(struct t *t)
{
    struct timeval limit = {0, 60000};
    t_wait(t);
    T(setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    T(recv(t->fd, buf, 10, MSG_WAITALL));
    T(recv(t->fd, buf, 10, MSG_WAITALL));
    T(recv(t->fd, buf, 10, MSG_WAITALL | MSG_DONTWAIT));
    t_tell(t);
}

/* A signal under a time limit: EINTR even with SA_RESTART (signal(7)). */
static void
interrupted_with_limit(struct t *t)
{
    struct timeval limit = {2, 0};
    prepare(t);
    setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    t_catch(SIGUSR1, SA_RESTART);
    t_signal_every(SIGUSR1, 30);
    T_NAMED("the call", wait_in_vain(t));
    say_signals(t);
    t_tell(t);
}

/* pselect, ppoll and epoll_pwait let a signal in that is blocked otherwise. */
static void
mask(struct t *t)
{
    struct pollfd wanted = {.fd = t->fd, .events = POLLIN};
    struct epoll_event event;
    sigset_t usr1, none;
    fd_set set;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    t_catch(SIGUSR1, 0);
    prepare(t);
    FD_ZERO(&set);
    FD_SET(t->fd, &set);
    raise(SIGUSR1);
    T(poll(&wanted, 1, 30));
    t_say(t, "%d signals", t_signals());
    T(ppoll(&wanted, 1, &(struct timespec){2, 0}, &none));
    t_say(t, "%d signals", t_signals());
    raise(SIGUSR1);
    T(pselect(t->fd + 1, &set, NULL, NULL, &(struct timespec){2, 0}, &none));
    t_say(t, "%d signals", t_signals());
    raise(SIGUSR1);
    T(epoll_pwait(epfd, &event, 1, 2000, &none));
    t_say(t, "%d signals", t_signals());
    raise(SIGUSR1);
    T(epoll_pwait2(epfd, &event, 1, &(struct timespec){2, 0}, &none));
    t_say(t, "%d signals", t_signals());
    t_tell(t);
}

#define ROWS(param, name)                                                                \
    {"signal.interrupted." name, give, interrupted, param, T_DIRECT | T_BLOCKING, NULL}, \
    {                                                                                    \
        "signal.restarted." name, give, restarted, param, T_DIRECT | T_BLOCKING, NULL    \
    }

#define TIMEOUT(param, name)                                                             \
    {"signal.timeout." name, just_wait, time_out, param, T_DIRECT, NULL},                \
    {                                                                                    \
        "signal.with_limit." name, just_wait, interrupted_with_limit, param,             \
            T_DIRECT | T_BLOCKING, NULL                                                  \
    }

const struct scenario scenarios_signal[] = {
    ROWS(READ, "read"),
    ROWS(RECV, "recv"),
    ROWS(RECVMSG, "recvmsg"),
    ROWS(WAITALL, "waitall"),
    ROWS(WRITE, "write"),
    ROWS(ACCEPT, "accept"),
    ROWS(CONNECT, "connect"),
    ROWS(POLL, "poll"),
    ROWS(SELECT, "select"),
    ROWS(EPOLL, "epoll"),
    TIMEOUT(READ, "read"),
    TIMEOUT(RECV, "recv"),
    TIMEOUT(RECVMSG, "recvmsg"),
    TIMEOUT(WAITALL, "waitall"),
    TIMEOUT(WRITE, "write"),
    {"signal.half_way", give_half, interrupted_half_way, 0, T_DIRECT | T_BLOCKING, NULL},
    {"signal.half_way_restart", give_half, interrupted_half_way, 1, T_DIRECT | T_BLOCKING,
     NULL},
    {"signal.half_written", just_wait, interrupted_writing, 0, T_DIRECT | T_BLOCKING,
     NULL},
    {"signal.half_written_restart", just_wait, interrupted_writing, RESTARTING,
     T_DIRECT | T_BLOCKING, NULL},
    {"signal.half_sent", just_wait, interrupted_writing, BY_SENDFILE,
     T_DIRECT | T_BLOCKING, NULL},
    {"signal.half_sent_restart", just_wait, interrupted_writing, BY_SENDFILE | RESTARTING,
     T_DIRECT | T_BLOCKING, NULL},
    {"signal.timeout_half_way", give_half, time_out_half_way, 0, T_DIRECT, NULL},
    {"signal.mask", just_wait, mask, 0, 0, NULL},
    {0},
};
