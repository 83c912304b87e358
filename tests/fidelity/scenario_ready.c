/* Readiness: every call that waits, in every state of a connection. */
#include "tests/fidelity/fidelity.h"

/* ---- the calls; each looks at one fd and prints what it is told
 * ---------------------------- */

static void
print_poll(char *text, const char *call, int result, short events)
{
    sprintf(text, "%s = %d%s%s%s%s%s%s%s", call, result, events & POLLIN ? " IN" : "",
            events & POLLOUT ? " OUT" : "", events & POLLPRI ? " PRI" : "",
            events & POLLRDHUP ? " RDHUP" : "", events & POLLERR ? " ERR" : "",
            events & POLLHUP ? " HUP" : "", events & POLLNVAL ? " NVAL" : "");
}

static int epoll_of_mine = -1;
static uint32_t epoll_flags;

static void
look_poll(int fd, int timeout_ms, char *text)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    int result = poll(&wanted, 1, timeout_ms);
    print_poll(text, "poll", result, wanted.revents);
}

static void
look_poll_in(int fd, int timeout_ms, char *text)
{
    struct pollfd wanted[2] = {{.fd = -1, .events = POLLIN},
                               {.fd = fd, .events = POLLIN}};
    int result = poll(wanted, 2, timeout_ms);
    print_poll(text, "poll IN", result, wanted[1].revents);
}

static void
look_ppoll(int fd, int timeout_ms, char *text)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDNORM};
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t none;
    sigemptyset(&none);
    int result = ppoll(&wanted, 1, timeout_ms < 0 ? NULL : &timeout, &none);
    print_poll(text, "ppoll", result, wanted.revents);
}

static void
print_select(char *text, const char *call, int result, int fd, fd_set sets[3])
{
    sprintf(text, "%s = %d%s%s%s", call, result, FD_ISSET(fd, &sets[0]) ? " read" : "",
            FD_ISSET(fd, &sets[1]) ? " write" : "",
            FD_ISSET(fd, &sets[2]) ? " except" : "");
}

static void
look_select(int fd, int timeout_ms, char *text)
{
    fd_set sets[3];
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        FD_SET(fd, &sets[i]);
    }
    int result =
        select(fd + 1, &sets[0], &sets[1], &sets[2], timeout_ms < 0 ? NULL : &timeout);
    print_select(text, "select", result, fd, sets);
}

static void
look_pselect(int fd, int timeout_ms, char *text)
{
    fd_set sets[3];
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t none;
    sigemptyset(&none);
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
    }
    FD_SET(fd, &sets[0]);
    int result =
        pselect(fd + 1, &sets[0], NULL, NULL, timeout_ms < 0 ? NULL : &timeout, &none);
    print_select(text, "pselect read", result, fd, sets);
}

static void
print_epoll(char *text, const char *call, int result, const struct epoll_event *event)
{
    uint32_t e = result == 1 ? event->events : 0;
    sprintf(text, "%s = %d%s%s%s%s%s%s%s", call, result, e & EPOLLIN ? " IN" : "",
            e & EPOLLOUT ? " OUT" : "", e & EPOLLPRI ? " PRI" : "",
            e & EPOLLRDHUP ? " RDHUP" : "", e & EPOLLERR ? " ERR" : "",
            e & EPOLLHUP ? " HUP" : "",
            result == 1 && event->data.u32 != 77 ? " data!" : "");
}

static void
watch(int fd)
{
    struct epoll_event event = {.events = epoll_flags, .data.u64 = 77};
    if (epoll_of_mine < 0) {
        epoll_of_mine = epoll_create1(0);
        epoll_ctl(epoll_of_mine, EPOLL_CTL_ADD, fd, &event);
    }
}

static void
look_epoll(int fd, int timeout_ms, char *text)
{
    struct epoll_event event = {0};
    watch(fd);
    print_epoll(text, "epoll_wait", epoll_wait(epoll_of_mine, &event, 1, timeout_ms),
                &event);
}

static void
look_epoll_pwait(int fd, int timeout_ms, char *text)
{
    struct epoll_event events[4] = {0};
    sigset_t none;
    sigemptyset(&none);
    watch(fd);
    int result = epoll_pwait(epoll_of_mine, events, 4, timeout_ms, &none);
    print_epoll(text, "epoll_pwait", result, events);
}

static void
look_epoll_pwait2(int fd, int timeout_ms, char *text)
{
    struct epoll_event events[4] = {0};
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    watch(fd);
    int result =
        epoll_pwait2(epoll_of_mine, events, 4, timeout_ms < 0 ? NULL : &timeout, NULL);
    print_epoll(text, "epoll_pwait2", result, events);
}

/* The rows' param is an index of this list. */
static const struct look {
    void (*look)(int fd, int timeout_ms, char *text);
    uint32_t epoll_flags;
} looks[] = {
    {look_poll, 0},
    {look_poll_in, 0},
    {look_ppoll, 0},
    {look_select, 0},
    {look_pselect, 0},
    {look_epoll, EPOLLIN | EPOLLOUT | EPOLLRDHUP},
    {look_epoll, EPOLLIN},
    {look_epoll, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET},
    {look_epoll, EPOLLIN | EPOLLET},
    {look_epoll, EPOLLIN | EPOLLONESHOT},
    {look_epoll_pwait, EPOLLIN | EPOLLRDHUP},
    {look_epoll_pwait2, EPOLLIN | EPOLLRDHUP},
    {look_epoll, EPOLLOUT | EPOLLET},
};

static void
look(struct t *t, const char *when, int timeout_ms)
{
    char text[200];
    epoll_flags = looks[t->param].epoll_flags;
    looks[t->param].look(t->fd, timeout_ms, text);
    t_say(t, "%s: %s", when, text);
}

static void
rearm(struct t *t)
{
    struct epoll_event event = {.events = epoll_flags, .data.u64 = 77};
    if ((epoll_flags & EPOLLONESHOT) != 0) {
        epoll_ctl(epoll_of_mine, EPOLL_CTL_MOD, t->fd, &event);
    }
}

/* Has the other end do its next thing, and waits for what comes of it. */
static void
next(struct t *t, short events)
{
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, events);
}

/* ---- the life of a connection
 * -------------------------------------------------------------- */

static void
live(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "0123456789", 10));
    t_tell(t);
    t_wait(t);
    T(write(t->fd, "abc", 3));
    t_tell(t);
    t_wait(t);
    T(write(t->fd, "def", 3));
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLHUP);
    T(close(t->fd));
    t_tell(t);
}

static void
watch_life(struct t *t)
{
    char buf[100];
    look(t, "nothing yet", 0);
    look(t, "nothing yet, waited for", 30);
    next(t, POLLIN);
    look(t, "data", 0);
    rearm(t);
    look(t, "data, again", 20);
    T(recv(t->fd, buf, 4, 0));
    rearm(t);
    look(t, "some of it read", 0);
    T(recv(t->fd, buf, 100, 0));
    rearm(t);
    look(t, "all of it read", 0);
    next(t, POLLIN);
    look(t, "more data", 0);
    T(recv(t->fd, buf, 100, MSG_PEEK));
    rearm(t);
    look(t, "peeked at", 0);
    T(recv(t->fd, buf, 100, 0));
    T(recv(t->fd, buf, 100, MSG_DONTWAIT));
    rearm(t);
    look(t, "read to EAGAIN", 0);
    next(t, POLLRDHUP);
    look(t, "data and the end", 0);
    T(recv(t->fd, buf, 100, 0));
    rearm(t);
    look(t, "the end", 0);
    T(recv(t->fd, buf, 100, 0));
    rearm(t);
    look(t, "the end, seen", 0);
    T(shutdown(t->fd, SHUT_WR));
    rearm(t);
    look(t, "both ends", 0);
    next(t, POLLHUP);
    rearm(t);
    look(t, "closed there", 0);
}

/* ---- a reset, its own end, a wait that is ended by data
 * ---------------------------------------- */

static void
reset(struct t *t)
{
    struct linger none = {1, 0};
    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    t_wait(t);
    T(close(t->fd));
    t_tell(t);
}

static void
watch_reset(struct t *t)
{
    int error = -1;
    socklen_t len = sizeof(error);
    char byte;
    look(t, "before", 0);
    next(t, POLLERR);
    look(t, "reset", 0);
    rearm(t);
    T(getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len));
    t_say(t, "the error is %s", strerrorname_np(error));
    rearm(t);
    look(t, "after SO_ERROR", 0);
    T(getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len));
    t_say(t, "the error is %d", error);
    T(read(t->fd, &byte, 1));
    rearm(t);
    look(t, "after read", 0);
}

static void
watch_own_end(struct t *t)
{
    char byte;
    look(t, "before", 0);
    T(shutdown(t->fd, SHUT_WR));
    rearm(t);
    look(t, "written to the end", 0);
    T(shutdown(t->fd, SHUT_RD));
    rearm(t);
    look(t, "read to the end", 0);
    T(read(t->fd, &byte, 1));
    t_tell(t);
}

static void
wait_for_end(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
}

/* It waits first; only then comes what it waits for. */
static void *
tell_soon(void *context)
{
    struct timespec moment = {0, 20000000};
    nanosleep(&moment, NULL); /* until the other thread has begun to wait, most likely */
    t_tell(context);
    return NULL;
}

static void
write_later(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "x", 1));
    t_wait(t);
}

static void
wait_for_data(struct t *t)
{
    char byte = '?';
    pthread_t thread;
    if ((looks[t->param].epoll_flags & EPOLLOUT) != 0 || t->param == 0 || t->param == 2 ||
        t->param == 3) {
        look(t, "writable at once", 3000);
        t_tell(t);
    } else {
        pthread_create(&thread, NULL, tell_soon, t);
        look(t, "data that comes later", 3000);
        pthread_join(thread, NULL);
    }
    t_await(t, t->fd, POLLIN);
    T(read(t->fd, &byte, 1));
    t_tell(t);
}

/* ---- a full buffer
 * ------------------------------------------------------------------------------ */

static void
drain(struct t *t)
{
    char *buf = malloc(1 << 20);
    t_wait(t);
    while (recv(t->fd, buf, 1 << 20, MSG_DONTWAIT) > 0 || errno == EAGAIN) {
        struct pollfd ready = {.fd = t->fd, .events = POLLIN};
        if (poll(&ready, 1, 100) != 1) {
            break;
        }
    }
    t_tell(t);
    t_wait(t);
}

static void
watch_full(struct t *t)
{
    look(t, "empty", 0);
    t_fill_up(t->fd);
    rearm(t);
    look(t, "full", 0);
    look(t, "full, again", 30);
    next(t, POLLOUT);
    rearm(t);
    look(t, "emptied", 20);
    T(send(t->fd, "x", 1, MSG_DONTWAIT));
    t_tell(t);
}

/* ---- wrong arguments
 * ----------------------------------------------------------------------------- */

static void
watch_wrong(struct t *t)
{
    struct pollfd wanted[3] = {
        {.fd = 1000, .events = POLLIN}, {.fd = t->fd, .events = POLLOUT}, {.fd = -5}};
    struct epoll_event event = {.events = EPOLLIN};
    int epfd = epoll_create1(0);
    fd_set set;
    struct timespec bad = {0, -1};
    FD_ZERO(&set);
    FD_SET(t->fd, &set);
    FD_SET(40, &set);
    T(poll(wanted, 3, 0));
    t_say(t, "%x %x %x", wanted[0].revents, wanted[1].revents, wanted[2].revents);
    T(select(41, &set, NULL, NULL, &(struct timeval){0, 0}));
    T(select(-1, NULL, NULL, NULL, &(struct timeval){0, 0}));
    FD_CLR(40, &set);
    T(select(t->fd + 1, &set, NULL, NULL, &(struct timeval){0, -1}));
    T(pselect(t->fd + 1, &set, NULL, NULL, &bad, NULL));
    T(ppoll(&wanted[1], 1, &bad, NULL));
    T(epoll_wait(epfd, &event, 0, 0));
    T(epoll_wait(t->fd, &event, 1, 0));
    T(epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &event));
    T(epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &event));
    T(epoll_ctl(epfd, EPOLL_CTL_DEL, t->fd, NULL));
    T(epoll_ctl(epfd, EPOLL_CTL_DEL, t->fd, NULL));
    T(epoll_ctl(epfd, EPOLL_CTL_MOD, t->fd, &event));
    T(epoll_ctl(epfd, EPOLL_CTL_ADD, 1000, &event));
    T(epoll_ctl(epfd, 99, t->fd, &event));
    T(epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, NULL));
    T(poll(NULL, 0, 0));
    T(close(t->fd));
    T(epoll_wait(epfd, &event, 1, 0));
    wanted[0].revents = 0;
    T(poll(&wanted[1], 1, 0));
    t_say(t, "%x", wanted[1].revents);
    t_tell(t);
}

static void
just_wait(struct t *t)
{
    t_wait(t);
}

#define ROWS(index, name)                                                                \
    {"ready.life." name, live, watch_life, index, 0, NULL},                              \
        {"ready.life_accepting." name, watch_life, live, index, 0, NULL},                \
        {"ready.reset." name, reset, watch_reset, index, T_DIRECT, NULL},                \
        {"ready.own_end." name, wait_for_end, watch_own_end, index, 0, NULL},            \
        {"ready.wait." name, write_later, wait_for_data, index, 0, NULL},                \
    {                                                                                    \
        "ready.full." name, drain, watch_full, index, T_DIRECT, NULL                     \
    }

const struct scenario scenarios_ready[] = {
    ROWS(0, "poll"),
    ROWS(1, "poll_in"),
    ROWS(2, "ppoll"),
    ROWS(3, "select"),
    ROWS(4, "pselect"),
    ROWS(5, "epoll"),
    ROWS(6, "epoll_in"),
    ROWS(7, "epoll_edge"),
    ROWS(8, "epoll_edge_in"),
    ROWS(9, "epoll_oneshot"),
    ROWS(10, "epoll_pwait"),
    ROWS(11, "epoll_pwait2"),
    ROWS(12, "epoll_edge_out"),
    {"ready.wrong", just_wait, watch_wrong, 0, 0, NULL},
    {0},
};
