#include "shim/interpose/epoll.h"

#include <pthread.h>

#include "shim/interpose/governed.h"
#include "shim/interpose/ready.h"
#include "shim/session/service.h"

enum { BUCKETS = 1024, NONE = -1 };

enum {
    READABLE = EPOLLIN | EPOLLRDNORM,
    WRITABLE = EPOLLOUT | EPOLLWRNORM,
};

/* The last registration of each fd; untouched pages cost nothing. */
static struct watch {
    int epfd_1;      /* the instance plus one; 0 = none */
    uint32_t events; /* as asked for */
    uint64_t data;
    bool doubted;      /* in the list of its bucket */
    bool told_of_room; /* since it was registered */
    int next;          /* fd, in the same bucket */
} watches[TABLE_FD_MAX];

/* From data to doubted fds.  The lock guards both, but for the registrations of fds that
 * are not governed: those are the program's own to order. */
static int buckets[BUCKETS] = {[0 ... BUCKETS - 1] = NONE};
static atomic_int doubted_count;
static pthread_mutex_t doubt_mutex = PTHREAD_MUTEX_INITIALIZER;

static int *
bucket_of(uint64_t data)
{
    return &buckets[(data * 0x9e3779b97f4a7c15U) >> 54];
}

static void
trust(int fd)
{
    struct watch *watch = &watches[fd];
    if (!watch->doubted) {
        return;
    }
    int *link = bucket_of(watch->data);
    while (*link != fd) {
        link = &watches[*link].next;
    }
    *link = watch->next;
    watch->doubted = false;
    atomic_fetch_sub(&doubted_count, 1);
}

static void
doubt(int fd)
{
    struct watch *watch = &watches[fd];
    int *bucket = bucket_of(watch->data);
    watch->next = *bucket;
    *bucket = fd;
    watch->doubted = true;
    atomic_fetch_add(&doubted_count, 1);
}

static void
trust_locked(int fd)
{
    if (watches[fd].doubted) {
        pthread_mutex_lock(&doubt_mutex);
        trust(fd);
        pthread_mutex_unlock(&doubt_mutex);
    }
}

void
epoll_governed(int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX && watches[fd].epfd_1 != 0 && ready_is_doubtful(fd)) {
        if ((watches[fd].events & READABLE) != 0) {
            ready_await(fd);
        }
        pthread_mutex_lock(&doubt_mutex);
        trust(fd);
        doubt(fd);
        pthread_mutex_unlock(&doubt_mutex);
    }
}

static void
note(int epfd, int op, int fd, const struct epoll_event *event)
{
    if ((unsigned)fd >= TABLE_FD_MAX) {
        return;
    }
    trust_locked(fd);
    struct watch *watch = &watches[fd];
    if (op == EPOLL_CTL_DEL) {
        watch->epfd_1 = 0;
        return;
    }
    watch->epfd_1 = epfd + 1;
    watch->events = event->events;
    watch->data = event->data.u64;
    watch->told_of_room = false;
    if (table_governs(fd)) {
        epoll_governed(fd);
    }
}

void
epoll_closed(int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX) {
        trust_locked(fd);
        watches[fd].epfd_1 = 0;
    }
}

void
epoll_fork_child(void)
{
    doubt_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

INTERPOSE int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    real_need();
    /* Before the kernel knows of it: another thread may have the event before we return.
     */
    struct watch before = {0};
    if ((unsigned)fd < TABLE_FD_MAX && op != EPOLL_CTL_DEL && event != NULL) {
        before = watches[fd];
        note(epfd, op, fd, event);
    }
    int result = real.epoll_ctl(epfd, op, fd, event);
    if (result == 0 && op == EPOLL_CTL_DEL) {
        note(epfd, op, fd, NULL);
    } else if (result != 0 && before.epfd_1 != 0) {
        int errno_then = errno;
        struct epoll_event old = {.events = before.events, .data.u64 = before.data};
        note(before.epfd_1 - 1, EPOLL_CTL_MOD, fd, &old);
        errno = errno_then;
    }
    if (result == 0) {
        service_note_epoll(op == EPOLL_CTL_DEL ? -1 : epfd, fd);
    }
    return result;
}

/* The doubted fd that an event is about; -1 = none. */
static int
fd_of(int epfd, const struct epoll_event *event)
{
    pthread_mutex_lock(&doubt_mutex);
    int fd = *bucket_of(event->data.u64);
    while (fd != NONE &&
           (watches[fd].data != event->data.u64 || watches[fd].epfd_1 != epfd + 1)) {
        fd = watches[fd].next;
    }
    pthread_mutex_unlock(&doubt_mutex);
    return fd;
}

/* Nothing was told of what the kernel thinks was told: have it tell again. */
static void
rearm(int epfd, int fd)
{
    const struct watch *watch = &watches[fd];
    if ((watch->events & EPOLLONESHOT) != 0) {
        struct epoll_event event = {.events = watch->events, .data.u64 = watch->data};
        (void)real.epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
    }
}

/*
 * Whether room to write, and nothing else, is news.  An edge-triggered fd is told of all
 * that is so whenever anything comes in; if that was for TLS alone, nothing is new.
 */
static bool
is_room_news(int fd)
{
    const struct watch *watch = &watches[fd];
    return (watch->events & EPOLLET) == 0 || !watch->told_of_room ||
           ready_writer_waits(fd) || ready_has_ended(fd);
}

/* Takes out of an event what is not so. Returns whether anything is left to tell. */
static bool
is_so(int epfd, struct epoll_event *event, bool *full)
{
    int fd = (event->events & (READABLE | WRITABLE)) != 0 ? fd_of(epfd, event) : NONE;
    if (fd == NONE) {
        return true;
    }
    if (!ready_is_governed(fd)) {
        trust_locked(fd);
        return true;
    }
    if ((event->events & READABLE) != 0 && !ready_to_read(fd)) {
        event->events &= ~(uint32_t)(READABLE | EPOLLRDHUP); /* an end is read, too */
    }
    if ((event->events & WRITABLE) != 0 && !ready_to_write(fd)) {
        event->events &= ~(uint32_t)WRITABLE;
        *full = true;
    }
    if ((event->events & ~(uint32_t)WRITABLE) == 0 && !is_room_news(fd)) {
        event->events = 0;
    }
    watches[fd].told_of_room |= (event->events & WRITABLE) != 0;
    if (!ready_is_doubtful(fd)) {
        trust_locked(fd);
    }
    if (event->events == 0) {
        rearm(epfd, fd);
    }
    return event->events != 0;
}

static int
verify(int epfd, struct epoll_event *events, int count)
{
    int kept = 0;
    bool full = false;
    for (int i = 0; i < count; i++) {
        if (is_so(epfd, &events[i], &full)) {
            events[kept++] = events[i];
        }
    }
    if (kept == 0 && full) {
        (void)real.poll(NULL, 0, 1); /* the handshake is what is waited for */
    }
    return kept;
}

/* Time left in the form that epoll_wait() takes, rounded up. */
static int
left_ms(const struct ready_wait *wait)
{
    if (wait->until_ns < 0) {
        return -1;
    }
    struct timespec left = ready_left(wait);
    return (int)(left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000);
}

INTERPOSE int
epoll_pwait(int epfd, struct epoll_event *events, int count, int timeout_ms,
            const sigset_t *signals)
{
    real_need();
    int result = real.epoll_pwait(epfd, events, count, timeout_ms, signals);
    if (result <= 0 || atomic_load(&doubted_count) == 0) {
        return result;
    }
    struct ready_wait wait = ready_wait_from_ms(timeout_ms);
    for (;;) {
        if (result > 0) {
            result = verify(epfd, events, result);
        }
        if (result != 0 || ready_is_over(&wait)) {
            return result;
        }
        result = real.epoll_pwait(epfd, events, count, left_ms(&wait), signals);
    }
}

INTERPOSE int
epoll_wait(int epfd, struct epoll_event *events, int count, int timeout_ms)
{
    return epoll_pwait(epfd, events, count, timeout_ms, NULL);
}

INTERPOSE int
epoll_pwait2(int epfd, struct epoll_event *events, int count,
             const struct timespec *timeout, const sigset_t *signals)
{
    real_need();
    if (!ready_is_valid(timeout)) {
        return real.epoll_pwait2(epfd, events, count, timeout, signals);
    }
    struct ready_wait wait = ready_wait_from(timeout);
    for (;;) {
        struct timespec slice;
        int result = real.epoll_pwait2(epfd, events, count,
                                       ready_slice(&wait, false, &slice), signals);
        if (result > 0 && atomic_load(&doubted_count) != 0) {
            result = verify(epfd, events, result);
        }
        if (result != 0 || ready_is_over(&wait)) {
            return result;
        }
    }
}
