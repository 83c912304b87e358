#include "shim/session/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "shim/session/recheck.h"
#include "shim/session/reload.h"
#include "shim/session/system.h"
#include "shim/session/table.h"
#include "shim/session/thread.h"

enum {
    GRACE_MS = 5,        /* for the program's own threads to drive a new session */
    FORK_GRACE_MS = 100, /* for a child to take up what its parent accepted */
    TICKET_MS = 40,      /* for the program to write something that a ticket goes with */
    TICK_MS = 5,         /* how often deadlines are looked at while there are any */
    EVENTS = 64,
    STACK_LEN = 256 * 1024, /* wolfSSL's handshake wants about 40 KiB */
};

/* Guards the list and the watch fields of handles; never held during a step. */
static pthread_mutex_t service_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t stop_mutex = PTHREAD_MUTEX_INITIALIZER; /* before that one */
static struct handle *watched;
static _Atomic bool running;
static _Atomic bool started; /* and there is a thread */
static bool sleeping;        /* for long: wants a wake-up */
static bool stopping;        /* the thread is to end: service_stop() */
static pthread_t thread;
static int epoll_fd = -1, wake_fd = -1;

/* The epoll instance that last took each fd in, plus one; 0 = none. */
static _Atomic int epoll_of_fd[TABLE_FD_MAX];

void
service_note_epoll(int epfd, int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX) {
        atomic_store_explicit(&epoll_of_fd[fd], epfd + 1, memory_order_relaxed);
    }
}

static void
list_add(struct handle *handle)
{
    handle->next_watched = watched;
    handle->previous_watched = NULL;
    if (watched != NULL) {
        watched->previous_watched = handle;
    }
    watched = handle;
    handle->watched = true;
}

static void
list_remove(struct handle *handle)
{
    if (handle->previous_watched != NULL) {
        handle->previous_watched->next_watched = handle->next_watched;
    } else {
        watched = handle->next_watched;
    }
    if (handle->next_watched != NULL) {
        handle->next_watched->previous_watched = handle->previous_watched;
    }
    handle->watched = false;
}

static void
drop_service_fd(struct handle *handle)
{
    if (handle->service_fd < 0) {
        return;
    }
    if (handle->service_events != 0) {
        (void)system_calls.epoll_ctl(epoll_fd, EPOLL_CTL_DEL, handle->service_fd, NULL);
        handle->service_events = 0;
    }
    table_disown(handle->service_fd);
    system_calls.close(handle->service_fd);
    handle->service_fd = -1;
}

/* Done with it, unless somebody asked anew while the step was under way. */
static void
unwatch(struct handle *handle)
{
    pthread_mutex_lock(&service_mutex);
    if (handle->watch_again) { /* by a close, too: that is not to be lost */
        handle->watch_again = false;
        pthread_mutex_unlock(&service_mutex);
        return;
    }
    list_remove(handle);
    drop_service_fd(handle);
    pthread_mutex_unlock(&service_mutex);
    table_release(handle);
}

/* Has epoll say when the handle's fd is ready for events; 0 = only time can help. */
static void
wait_for(struct handle *handle, uint32_t events)
{
    if (handle->service_events == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = handle};
    pthread_mutex_lock(&service_mutex);
    int op = handle->service_events == 0 ? EPOLL_CTL_ADD
             : events == 0               ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    if (handle->service_fd >= 0 &&
        system_calls.epoll_ctl(epoll_fd, op, handle->service_fd, &event) == 0) {
        handle->service_events = events;
    }
    pthread_mutex_unlock(&service_mutex);
}

/* Under the lock: a close may be giving it one at the same moment. */
static void
give_service_fd(struct handle *handle, int fd)
{
    if (handle->service_fd < 0) {
        handle->service_fd = fd;
    } else if (fd >= 0) {
        table_disown(fd);
        system_calls.close(fd);
    }
}

static bool
has_fd(struct handle *handle)
{
    if (handle->service_fd < 0) {
        pthread_mutex_lock(&service_mutex);
        if (atomic_load(&handle->session->state) != SESSION_PLAINTEXT) {
            give_service_fd(handle, table_dup(handle));
        }
        pthread_mutex_unlock(&service_mutex);
    }
    return handle->service_fd >= 0;
}

bool
service_forget(struct handle *handle, bool wait)
{
    if (wait) {
        pthread_mutex_lock(&service_mutex);
    } else if (pthread_mutex_trylock(&service_mutex) != 0) {
        return false;
    }
    if (!handle->lingering) {
        drop_service_fd(handle);
    }
    pthread_mutex_unlock(&service_mutex);
    return true;
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
    if (result == 0) {
        result = lingering ? record_close_notify(&handle->conn, fd)
                           : record_send_ticket(&handle->conn, fd);
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
    if (record_drain(&handle->conn, fd) == 1 || record_readable(&handle->conn, fd) == 1) {
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

/* Nothing has come that the program has yet to read, and answer: a first look, without a
 * dup. Should the fd have become another one's, that takes no harm from being peeked at.
 */
static bool
is_silent(const struct handle *handle)
{
    uint8_t byte;
    return system_calls.recv(atomic_load(&handle->fd_hint), &byte, 1,
                             MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

static void
step(struct handle *handle, int64_t now)
{
    struct session *session = handle->session;
    int state = atomic_load(&session->state);
    bool early = state == SESSION_CONNECTING || state == SESSION_HANDSHAKING;
    if (early && !handle->lingering && now < handle->service_after_ms) {
        return;
    }
    bool idle = !early && !handle->lingering && !record_pending(&handle->conn) &&
                atomic_load(&session->shut_wanted) == 0;
    if (idle && ticket_rests(handle, now)) {
        return;
    }
    idle = idle && !(ticket_waits(handle) && is_silent(handle));
    if (state == SESSION_FAILED || idle || waits_for_nothing(handle, now) ||
        (handle->lingering && now >= handle->linger_until_ms) || !has_fd(handle)) {
        unwatch(handle);
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
        drop_service_fd(handle);
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
        wait_for(handle, other ? 0 : events);
    } else {
        unwatch(handle);
    }
}

/* A peer that says nothing costs this much: epoll tells when it does. */
static bool
waits_for_peer(const struct handle *handle, int64_t now)
{
    const struct session *session = handle->session;
    return handle->service_events != 0 && !handle->lingering &&
           atomic_load(&session->state) == SESSION_HANDSHAKING &&
           now < session->deadline_ms;
}

/* One look at everything that time may have brought about. */
static void
tick(void)
{
    int64_t now = session_now_ms();
    pthread_mutex_lock(&service_mutex);
    struct handle *handle = watched;
    while (handle != NULL) {
        struct handle *next = handle->next_watched;
        if (waits_for_peer(handle, now)) {
            handle = next;
            continue;
        }
        table_ref(handle);
        handle->watch_again = false; /* what was asked for so far, this step sees to */
        pthread_mutex_unlock(&service_mutex);
        step(handle, now);
        pthread_mutex_lock(&service_mutex);
        /* Only this thread removes, so next is still in the list. */
        struct handle *stepped = handle;
        handle = next;
        pthread_mutex_unlock(&service_mutex);
        table_release(stepped);
        pthread_mutex_lock(&service_mutex);
    }
    pthread_mutex_unlock(&service_mutex);
}

/* Under the lock. How long nothing is due, in ms; -1 = nothing will be. */
static int
idle_ms(void)
{
    sleeping = watched == NULL && !recheck_is_due();
    return !sleeping ? TICK_MS : atomic_load(&table_count) > 0 ? reload_wait_ms() : -1;
}

static void *
serve(void *unused)
{
    (void)unused;
    struct epoll_event events[EVENTS];
    int64_t ticked = session_now_ms();
    prctl(PR_SET_NAME, "mtls-shim");
    for (;;) {
        pthread_mutex_lock(&service_mutex);
        bool stop = stopping;
        int timeout = idle_ms();
        pthread_mutex_unlock(&service_mutex);
        if (stop) {
            return NULL;
        }
        int count = system_calls.epoll_wait(epoll_fd, events, EVENTS, timeout);
        int64_t now = session_now_ms();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                uint64_t woken;
                (void)!system_calls.read(wake_fd, &woken, sizeof(woken));
            } else {
                step(events[i].data.ptr, now);
            }
        }
        if (now - ticked >= TICK_MS) {
            ticked = now;
            tick();
        }
        if (atomic_load(&table_count) > 0) {
            reload_look();
        }
        if (recheck_is_due()) {
            (void)recheck_run();
        }
    }
}

/* What the thread waits with; it outlives a thread that was stopped. */
static bool
open_fds(void)
{
    if (epoll_fd >= 0 && wake_fd >= 0) {
        return true;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || wake_fd < 0) {
        return false;
    }
    epoll_fd = table_raise(epoll_fd);
    wake_fd = table_raise(wake_fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return system_calls.epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0;
}

/* Under the lock. Without a thread the program's own calls still drive everything. */
static void
start(void)
{
    if (open_fds() && thread_start(serve, NULL, STACK_LEN, &thread) == 0) {
        running = true;
        started = true;
    }
    if (!running) {
        struct audit_record line = AUDIT_RECORD_INIT;
        line.event = AUDIT_WARNING;
        line.detail =
            "the service thread could not be started; handshakes go on only while "
            "the program reads or writes";
        audit_write(&line);
        running = true; /* said once */
    }
}

static void
stop_thread(void)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&service_mutex);
    stopping = started;
    bool stop = stopping;
    if (stop) {
        (void)!system_calls.write(wake_fd, &one, sizeof(one));
    }
    pthread_mutex_unlock(&service_mutex);
    if (!stop) {
        return;
    }
    pthread_join(thread, NULL);
    pthread_mutex_lock(&service_mutex);
    stopping = sleeping = false;
    running = false;
    started = false;
    pthread_mutex_unlock(&service_mutex);
}

void
service_stop(void)
{
    pthread_mutex_lock(&stop_mutex); /* two threads may copy the process at once */
    stop_thread();
    pthread_mutex_unlock(&stop_mutex);
}

void
service_go_on(void)
{
    pthread_mutex_lock(&service_mutex);
    if ((watched != NULL || atomic_load(&table_count) > 0) && !running) {
        start();
    }
    pthread_mutex_unlock(&service_mutex);
}

static void
wake(void)
{
    if (sleeping) {
        uint64_t one = 1;
        sleeping = false;
        (void)!system_calls.write(wake_fd, &one, sizeof(one));
    }
}

void
service_wake(void)
{
    pthread_mutex_lock(&service_mutex);
    wake();
    pthread_mutex_unlock(&service_mutex);
}

void
service_need(void)
{
    if (atomic_load_explicit(&running, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&service_mutex);
    if (!running) {
        start();
    }
    pthread_mutex_unlock(&service_mutex);
}

static void
watch_locked(struct handle *handle)
{
    if (handle->watched) {
        handle->watch_again = true;
        return;
    }
    table_ref(handle);
    if (handle->service_after_ms == 0) {
        handle->service_after_ms = session_now_ms() + GRACE_MS;
    }
    list_add(handle);
    if (!running) {
        start();
    }
    wake();
}

void
service_watch(struct handle *handle)
{
    pthread_mutex_lock(&service_mutex);
    watch_locked(handle);
    pthread_mutex_unlock(&service_mutex);
}

/* A dup keeps the open file description alive, and with it the program's epoll entry. */
static void
forget_epoll(int fd)
{
    int epfd =
        (unsigned)fd < TABLE_FD_MAX ? atomic_exchange(&epoll_of_fd[fd], 0) - 1 : -1;
    if (epfd >= 0) {
        (void)system_calls.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    }
}

static bool
owes(const struct handle *handle)
{
    return record_pending(&handle->conn) ||
           (atomic_load(&handle->session->state) == SESSION_HANDSHAKING &&
            handle->session->early_len > 0);
}

/* Where no thread may be started (RLIMIT_NPROC, seccomp) nobody else sends what is owed:
 * the close itself does, and waits for it. */
static void
linger_alone(struct handle *handle)
{
    for (;;) {
        step(handle, session_now_ms());
        if (!handle->watched || !owes(handle)) {
            break;
        }
        bool pending = record_pending(&handle->conn);
        struct pollfd pollfd = {handle->service_fd, pending ? POLLOUT : POLLIN, 0};
        (void)system_calls.poll(&pollfd, 1, TICK_MS);
    }
    if (handle->watched) {
        step(handle, INT64_MAX);
    }
}

void
service_linger(struct handle *handle, int fd, int64_t linger_ms)
{
    int copy = system_calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return; /* no fd to be had: the close ends it as it stands */
    }
    copy = table_raise(copy);
    forget_epoll(fd);
    pthread_mutex_lock(&service_mutex);
    give_service_fd(handle, copy);
    atomic_store(&handle->linger_until_ms, session_now_ms() + linger_ms);
    atomic_store(&handle->lingering, true);
    watch_locked(handle);
    bool alone = !started;
    pthread_mutex_unlock(&service_mutex);
    if (alone) {
        linger_alone(handle);
    }
}

enum service_rest
service_rest(void)
{
    enum service_rest rest = SERVICE_NOTHING;
    if (pthread_mutex_trylock(&service_mutex) != 0) {
        return SERVICE_ABSORBS; /* to be asked again */
    }
    for (struct handle *handle = watched; handle != NULL; handle = handle->next_watched) {
        if (handle->lingering && rest != SERVICE_OWES) {
            rest = owes(handle) ? SERVICE_OWES : SERVICE_ABSORBS;
        }
    }
    pthread_mutex_unlock(&service_mutex);
    return rest;
}

bool
service_is_running(void)
{
    return started;
}

void
service_fork_prepare(void)
{
    pthread_mutex_lock(&service_mutex);
    int64_t after = session_now_ms() + FORK_GRACE_MS;
    for (struct handle *handle = watched; handle != NULL; handle = handle->next_watched) {
        handle->service_after_ms = after;
    }
}

void
service_fork_parent(void)
{
    pthread_mutex_unlock(&service_mutex);
}

void
service_fork_child(void)
{
    /* The thread and its list stayed with the parent. */
    watched = NULL;
    running = false;
    started = false;
    sleeping = stopping = false;
    stop_mutex =
        (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* held by who stayed there */
    if (epoll_fd >= 0) {
        table_disown(epoll_fd);
        system_calls.close(epoll_fd);
        epoll_fd = -1;
    }
    if (wake_fd >= 0) {
        table_disown(wake_fd);
        system_calls.close(wake_fd);
        wake_fd = -1;
    }
    pthread_mutex_unlock(&service_mutex);
}
