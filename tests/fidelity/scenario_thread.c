/* Several threads on one connection. */
#include "tests/fidelity/fidelity.h"

#include <sys/wait.h>

#define MANY (100 << 20)

static char buf[1 << 16];

/* A thread's call and what came of it; the traces are written after it has been joined.
 */
struct call {
    struct t *t;
    long result;
    int error;
    bool begun;
    char bytes[10]; /* of a reader: several may be at it */
};

static void
pause_ms(long ms)
{
    struct timespec time = {0, ms * 1000000};
    nanosleep(&time, NULL);
}

static void *
read_blocked(void *context)
{
    struct call *call = context;
    __atomic_store_n(&call->begun, true, __ATOMIC_SEQ_CST);
    call->result = recv(call->t->fd, call->bytes, sizeof(call->bytes), 0);
    call->error = errno;
    return NULL;
}

static void *
write_blocked(void *context)
{
    struct call *call = context;
    char *data = t_data(20000000, 1);
    __atomic_store_n(&call->begun, true, __ATOMIC_SEQ_CST);
    call->result = send(call->t->fd, data, 20000000, MSG_NOSIGNAL);
    call->error = errno;
    return NULL;
}

/* Starts it, and waits until it has begun. */
static pthread_t
begin(void *(*run)(void *context), struct call *call)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, call);
    while (!__atomic_load_n(&call->begun, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    return thread;
}

/* The same, and gives it the time to get into its call. */
static pthread_t
start(void *(*run)(void *context), struct call *call)
{
    pthread_t thread = begin(run, call);
    pause_ms(30);
    return thread;
}

/* Joins within a bound. */
static void
join(struct t *t, pthread_t thread, const struct call *call)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
        t_say(t, "the thread does not come back");
    } else if (call->result < 0) {
        t_say(t, "the thread: %s", strerrorname_np(call->error));
    } else {
        t_say(t, "the thread: %s", call->result == 0 ? "0" : "something");
    }
}

static void
just_wait(struct t *t)
{
    t_wait(t);
}

/* ---- another thread ends the wait
 * --------------------------------------------------------------- */

static void
shut_reader(struct t *t)
{
    struct call call = {.t = t};
    pthread_t thread = start(read_blocked, &call);
    T(shutdown(t->fd, (int)t->param));
    join(t, thread, &call);
    t_tell(t);
}

static void
shut_writer(struct t *t)
{
    struct call call = {.t = t};
    pthread_t thread = start(write_blocked, &call);
    T(shutdown(t->fd, (int)t->param));
    join(t, thread, &call);
    t_tell(t);
}

static void
cancel(struct t *t, pthread_t thread)
{
    void *result = NULL;
    struct timespec until;
    T(pthread_cancel(thread));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3;
    T(pthread_timedjoin_np(thread, &result, &until));
    t_say(t, "%s", result == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
}

/* A cancelled reader leaves the connection as it is: the next one reads. */
static void
cancel_reader(struct t *t)
{
    struct call call = {.t = t, .result = 77};
    cancel(t, start(read_blocked, &call));
    t_tell(t);
    long n = T(recv(t->fd, buf, 10, 0));
    t_bytes(t, buf, n);
    T(write(t->fd, "still alive", 11));
    t_tell(t);
}

static void
give_later(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "later", 5));
    size_t len = t_read_all(t, t->fd, buf, 11);
    t_bytes(t, buf, (long)len);
    t_wait(t);
}

static void
cancel_writer(struct t *t)
{
    struct call call = {.t = t, .result = 77};
    cancel(t, start(write_blocked, &call));
    t_tell(t);
}

/* Reads on and on where there is always something: it is cancelled all the same. */
static void *
read_on(void *context)
{
    struct call *call = context;
    while (recv(call->t->fd, call->bytes, sizeof(call->bytes), 0) > 0) {
        __atomic_store_n(&call->begun, true, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* What glibc's recv() had taken is lost, so that nothing can be said of the bytes. */
static void
cancel_in_stream(struct t *t)
{
    struct call call = {.t = t};
    cancel(t, begin(read_on, &call));
    T(recv(t->fd, buf, 10, MSG_WAITALL));
    t_tell(t);
}

/* Without end: however late the cancelling thread gets to run, there is something. */
static void
give_stream(struct t *t)
{
    const char *data = t_data(sizeof(buf), 1);
    while (!t_told(t)) {
        struct pollfd writable = {.fd = t->fd, .events = POLLOUT};
        if (poll(&writable, 1, 10) == 1) {
            (void)send(t->fd, data, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
    t_wait(t);
}

/* ---- two threads read, one is served
 * ---------------------------------------------------------------- */

static void
two_readers(struct t *t)
{
    struct call calls[2] = {{.t = t}, {.t = t}};
    pthread_t threads[2] = {start(read_blocked, &calls[0]),
                            start(read_blocked, &calls[1])};
    t_tell(t);
    join(t, threads[0], &calls[0]);
    join(t, threads[1], &calls[1]);
    t_tell(t);
}

static void
give_twice(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "0123456789", 10));
    T(write(t->fd, "0123456789", 10));
    t_wait(t);
}

/* ---- both directions at once
 * ---------------------------------------------------------------------------- */

struct stream {
    struct t *t;
    size_t len;
    uint64_t sum;
    size_t done;
};

static void *
write_stream(void *context)
{
    struct stream *stream = context;
    char *data = t_data(1 << 20, stream->t->accepting ? 1 : 2);
    while (stream->done < stream->len) {
        t_write_all(stream->t, stream->t->fd, data, 1 << 20);
        stream->done += 1 << 20;
    }
    free(data);
    return NULL;
}

static void *
read_stream(void *context)
{
    struct stream *stream = context;
    char *data = malloc(1 << 20);
    char *want = t_data(1 << 20, stream->t->accepting ? 2 : 1);
    while (stream->done < stream->len) {
        size_t n = t_read_all(stream->t, stream->t->fd, data, 1 << 20);
        stream->sum += n == 1 << 20 && memcmp(data, want, n) == 0;
        if (n == 0) {
            break;
        }
        stream->done += n;
    }
    free(data);
    free(want);
    return NULL;
}

static void
both_ways(struct t *t)
{
    struct stream out = {.t = t, .len = (size_t)t->param};
    struct stream in = out;
    pthread_t writer;
    pthread_create(&writer, NULL, write_stream, &out);
    read_stream(&in);
    pthread_join(writer, NULL);
    t_say(t, "%zu written, %zu read, %lu MB as they should be", out.done, in.done,
          (unsigned long)in.sum);
    t_meet(t);
}

/* ---- a loop that only ever watches one direction
 * ---------------------------------------------------------- */

/* Reads all, and only then writes what it owes, with an epoll of its own for each. */
static void
watch_one_way(struct t *t)
{
    enum { LEN = 2000000 };
    char *data = malloc(LEN);
    char *out = t_data(LEN, 3);
    size_t done = 0;
    int epfd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &event);
    while (done < LEN && epoll_wait(epfd, &event, 1, 4000) == 1) {
        ssize_t n = recv(t->fd, data + done, LEN - done, MSG_DONTWAIT);
        done += n > 0 ? (size_t)n : 0;
    }
    t_bytes(t, data, (long)done);
    event.events = EPOLLOUT;
    epoll_ctl(epfd, EPOLL_CTL_MOD, t->fd, &event);
    for (done = 0; done < LEN && epoll_wait(epfd, &event, 1, 4000) == 1;) {
        ssize_t n = send(t->fd, out + done, LEN - done, MSG_DONTWAIT);
        done += n > 0 ? (size_t)n : 0;
    }
    t_say(t, "%zu sent", done);
    free(data);
    t_meet(t);
}

static void
write_then_read(struct t *t)
{
    enum { LEN = 2000000 };
    char *data = malloc(LEN);
    t_write_all(t, t->fd, t_data(LEN, 4), LEN);
    size_t len = t_read_all(t, t->fd, data, LEN);
    t_bytes(t, data, (long)len);
    free(data);
    t_meet(t);
}

/* Only EPOLLOUT, by edges: it must come although nobody reads here. */
static void
write_by_edges(struct t *t)
{
    enum { LEN = 3000000 };
    char *out = t_data(LEN, 5);
    size_t done = 0;
    int epfd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
    t_set_nonblocking(t->fd, true);
    epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &event);
    while (done < LEN && epoll_wait(epfd, &event, 1, 4000) == 1) {
        ssize_t n;
        while (done < LEN && (n = write(t->fd, out + done, LEN - done)) > 0) {
            done += (size_t)n;
        }
    }
    t_say(t, "%zu sent", done);
    t_meet(t);
}

static void
read_whole(struct t *t)
{
    enum { LEN = 3000000 };
    char *data = malloc(LEN);
    size_t len = t_read_all(t, t->fd, data, LEN);
    t_bytes(t, data, (long)len);
    t_meet(t);
}

/* ---- the main thread leaves -----------------------------------------------------------
 */

static void *
echo_once(void *context)
{
    struct t *t = context;
    char bytes[5];
    pause_ms(30);
    if (t_read_all(t, t->fd, bytes, sizeof(bytes)) == sizeof(bytes)) {
        t_write_all(t, t->fd, bytes, sizeof(bytes));
    }
    return NULL;
}

/* A process ends with its last thread, by pthread_exit(3), and owes nothing then. */
static void
leave_by_main_thread(struct t *t)
{
    pthread_t thread;
    int status = -1;
    int tries = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (pthread_create(&thread, NULL, echo_once, t) != 0) {
            _exit(1);
        }
        pthread_exit(NULL);
    }
    while (waitpid(pid, &status, WNOHANG) == 0 && tries < 200) {
        pause_ms(20);
        tries++;
    }
    t_say(t, "the process: %s", status == 0 ? "has ended" : "goes on, or failed");
    (void)kill(pid, SIGKILL);
    t_meet(t);
}

static void
have_echoed(struct t *t)
{
    char bytes[5];
    t_write_all(t, t->fd, "hello", 5);
    t_bytes(t, bytes, (long)t_read_all(t, t->fd, bytes, sizeof(bytes)));
    t_meet(t);
}

const struct scenario scenarios_thread[] = {
    {"thread.shutdown.read", just_wait, shut_reader, SHUT_RD, T_BLOCKING, NULL},
    {"thread.shutdown.both", just_wait, shut_reader, SHUT_RDWR, T_BLOCKING, NULL},
    {"thread.shutdown.write", just_wait, shut_writer, SHUT_WR, T_BLOCKING | T_DIRECT,
     NULL},
    {"thread.shutdown.both_writer", just_wait, shut_writer, SHUT_RDWR,
     T_BLOCKING | T_DIRECT, NULL},
    {"thread.shutdown.fresh", just_wait, shut_reader, SHUT_RDWR, T_BLOCKING | T_FRESH,
     NULL},
    {"thread.cancel.read", give_later, cancel_reader, 0, T_BLOCKING, NULL},
    {"thread.cancel.read_accepting", cancel_reader, give_later, 0, T_BLOCKING, NULL},
    {"thread.cancel.write", just_wait, cancel_writer, 0, T_BLOCKING | T_DIRECT, NULL},
    {"thread.cancel.busy", give_stream, cancel_in_stream, 0, T_BLOCKING, NULL},
    {"thread.cancel.busy_accepting", cancel_in_stream, give_stream, 0, T_BLOCKING, NULL},
    {"thread.two_readers", give_twice, two_readers, 0, T_BLOCKING, NULL},
    {"thread.both_ways", both_ways, both_ways, 8 << 20, 0, NULL},
    {"thread.both_ways_100MB", both_ways, both_ways, MANY, T_DIRECT | T_NONBLOCKING,
     NULL},
    {"thread.one_way", write_then_read, watch_one_way, 0, 0, NULL},
    {"thread.edges", read_whole, write_by_edges, 0, 0, NULL},
    {"thread.edges_fresh", read_whole, write_by_edges, 0, T_FRESH, NULL},
    {"thread.main_leaves", have_echoed, leave_by_main_thread, 0, 0, NULL},
    {"thread.main_leaves.accepting", leave_by_main_thread, have_echoed, 0, 0, NULL},
    {"thread.main_leaves.fresh", have_echoed, leave_by_main_thread, 0, T_FRESH, NULL},
    {0},
};
