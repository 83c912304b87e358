#include "shim/session/service.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "shim/session/last_thread.h"
#include "shim/session/pool.h"
#include "shim/session/recheck.h"
#include "shim/session/reload.h"
#include "shim/session/service_state.h"
#include "shim/session/system.h"
#include "shim/session/table.h"
#include "shim/session/thread.h"
#include "shim/session/trim.h"

enum {
    GRACE_MS = 5,        /* for the program's own threads to drive a new session */
    FORK_GRACE_MS = 100, /* for a child to take up what its parent accepted */
    TICK_MS = 5,         /* how often deadlines are looked at while there are any */
    AWAKE_MS = 50,       /* goes on ticking: the next session needs no wake-up then */
    EVENTS = 64,
    STACK_LEN = 256 * 1024, /* wolfSSL's handshake wants about 40 KiB */
    UNFINISHED_SHARE = 4,   /* of the fds that the process may have, a quarter at most */
    UNFINISHED_MAX = 1024,
};

pthread_mutex_t service_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t stop_mutex = PTHREAD_MUTEX_INITIALIZER; /* before that one */
static struct handle *watched;
static rlim_t unfinished; /* handshakes of servers among those that linger */
static _Atomic bool running;
static _Atomic bool started; /* and there is a thread */
static bool sleeping;        /* for long: wants a wake-up */
static int64_t awake_until_ms;
static bool stopping; /* the thread is to end: service_stop() */
static pthread_t thread;
int service_epoll_fd = -1;
static int wake_fd = -1;

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
    unfinished -= handle->is_unfinished;
    handle->is_unfinished = false;
}

void
service_unwatch(struct handle *handle)
{
    pthread_mutex_lock(&service_mutex);
    if (handle->watch_again) { /* by a close, too: that is not to be lost */
        handle->watch_again = false;
        pthread_mutex_unlock(&service_mutex);
        return;
    }
    list_remove(handle);
    /* Who holds something back looks whether it is watched: see service_watch_held(). */
    atomic_thread_fence(memory_order_seq_cst);
    if (record_held(&handle->conn) > 0 && !atomic_load(&handle->lingering) &&
        atomic_load(&handle->session->state) == SESSION_OPEN &&
        atomic_load(&handle->fds) > 0) {
        list_add(handle);
        pthread_mutex_unlock(&service_mutex);
        return;
    }
    service_drop_fd(handle);
    pthread_mutex_unlock(&service_mutex);
    table_release(handle);
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
        if (service_waits_for_peer(handle, now)) {
            handle = next;
            continue;
        }
        table_ref(handle);
        handle->watch_again = false; /* what was asked for so far, this step sees to */
        pthread_mutex_unlock(&service_mutex);
        service_step(handle, now);
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
idle_ms(int64_t now)
{
    bool busy = watched != NULL || recheck_is_due();
    awake_until_ms = busy ? now + AWAKE_MS : awake_until_ms;
    sleeping = !busy && now >= awake_until_ms;
    if (!sleeping) {
        return TICK_MS;
    }
    if (last_thread_main_left()) {
        return LAST_THREAD_LOOK_MS;
    }
    return atomic_load(&table_count) > 0 ? reload_wait_ms() : -1;
}

/* Whether the program's threads have all ended, and what ends the process is on its way:
 * it does that as any other thread, so that this one may be needed again. */
static bool
is_left_alone(int64_t now)
{
    static int64_t looked;
    if (!last_thread_main_left() || now - looked < LAST_THREAD_LOOK_MS) {
        return false;
    }
    looked = now;
    if (!last_thread_is_caller()) {
        return false;
    }
    pthread_mutex_lock(&service_mutex);
    bool leaves = !stopping && last_thread_exit(service_go_on) == 0;
    if (leaves) {
        sleeping = false;
        running = false;
        started = false;
    }
    pthread_mutex_unlock(&service_mutex);
    return leaves;
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
        int timeout = idle_ms(session_now_ms());
        bool rests = sleeping;
        pthread_mutex_unlock(&service_mutex);
        if (stop || is_left_alone(session_now_ms())) {
            return NULL;
        }
        if (rests) {
            pool_trim();
        }
        int count = system_calls.epoll_wait(service_epoll_fd, events, EVENTS, timeout);
        int64_t now = session_now_ms();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                uint64_t woken;
                (void)!system_calls.read(wake_fd, &woken, sizeof(woken));
            } else {
                service_step(events[i].data.ptr, now);
            }
        }
        if (now - ticked >= TICK_MS) {
            ticked = now;
            tick();
        }
        if (atomic_load(&table_count) > 0) {
            reload_look();
            trim_look();
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
    if (service_epoll_fd >= 0 && wake_fd >= 0) {
        return true;
    }
    service_epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service_epoll_fd < 0 || wake_fd < 0) {
        return false;
    }
    service_epoll_fd = table_raise(service_epoll_fd);
    wake_fd = table_raise(wake_fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return system_calls.epoll_ctl(service_epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0;
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
        audit_warn("the service thread could not be started; handshakes go on only while "
                   "the program reads or writes");
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
service_leave(struct handle *handle, int64_t time_ms)
{
    atomic_store(&handle->service_after_ms, session_now_ms() + time_ms);
}

void
service_watch(struct handle *handle)
{
    pthread_mutex_lock(&service_mutex);
    watch_locked(handle);
    pthread_mutex_unlock(&service_mutex);
}

void
service_watch_held(struct handle *handle)
{
    /* Each has written before it reads what the other writes: one of them sees it. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load(&handle->watched)) {
        service_watch(handle);
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
        service_step(handle, session_now_ms());
        if (!handle->watched || !owes(handle)) {
            break;
        }
        bool pending = record_pending(&handle->conn);
        struct pollfd pollfd = {handle->service_fd, pending ? POLLOUT : POLLIN, 0};
        (void)system_calls.poll(&pollfd, 1, TICK_MS);
    }
    if (handle->watched) {
        service_step(handle, INT64_MAX);
    }
}

/* Under the lock. Whether there is room for one more handshake that lingers. */
static bool
has_room(void)
{
    struct rlimit limit;
    rlim_t most = UNFINISHED_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur / UNFINISHED_SHARE < most) {
        most = limit.rlim_cur / UNFINISHED_SHARE;
    }
    return unfinished < most;
}

/* Returns whether it lingers; takes the service's own fd over. */
static bool
begin_to_linger(struct handle *handle, int own_fd, int64_t linger_ms)
{
    const struct session *session = handle->session;
    bool is_unfinished =
        session->is_server && atomic_load(&session->state) == SESSION_HANDSHAKING;
    if (is_unfinished && !has_room()) {
        table_disown(own_fd);
        system_calls.close(own_fd);
        return false;
    }
    service_give_fd(handle, own_fd);
    atomic_store(&handle->linger_until_ms, session_now_ms() + linger_ms);
    atomic_store(&handle->lingering, true);
    watch_locked(handle);
    unfinished += is_unfinished;
    handle->is_unfinished = is_unfinished;
    return true;
}

bool
service_linger(struct handle *handle, int fd, int64_t linger_ms)
{
    int copy = table_copy(fd);
    if (copy < 0) {
        return true; /* no fd to be had: the close ends it as it stands */
    }
    service_forget_epoll(fd);
    pthread_mutex_lock(&service_mutex);
    bool lingers = begin_to_linger(handle, copy, linger_ms);
    bool alone = lingers && !started;
    pthread_mutex_unlock(&service_mutex);
    if (alone) {
        linger_alone(handle);
    }
    return lingers;
}

void
service_note_close(struct handle *handle, int fd)
{
    bool has_fd = true;
    if (pthread_mutex_trylock(&service_mutex) == 0) {
        has_fd = handle->service_fd >= 0;
        pthread_mutex_unlock(&service_mutex);
    }
    if (has_fd) {
        service_forget_epoll(fd);
    }
}

enum service_rest
service_rest(enum service_rest before)
{
    enum service_rest rest = SERVICE_NOTHING;
    if (pthread_mutex_trylock(&service_mutex) != 0) {
        return before; /* to be asked again */
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
    unfinished = 0;
    running = false;
    started = false;
    sleeping = stopping = false;
    stop_mutex =
        (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* held by who stayed there */
    if (service_epoll_fd >= 0) {
        table_disown(service_epoll_fd);
        system_calls.close(service_epoll_fd);
        service_epoll_fd = -1;
    }
    if (wake_fd >= 0) {
        table_disown(wake_fd);
        system_calls.close(wake_fd);
        wake_fd = -1;
    }
    pthread_mutex_unlock(&service_mutex);
}
