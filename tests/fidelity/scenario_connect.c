/* Making connections: in every order, twice, in vain, with data in front. */
#include "tests/fidelity/fidelity.h"

#include <arpa/inet.h>

static char buf[1000];

#define ADDRESS (struct sockaddr *)&t->address, t->address_len

static void
just_wait(struct t *t)
{
    t_wait(t);
}

static void
nothing(struct t *t)
{
    (void)t;
}

static int
make_socket(struct t *t)
{
    int type = SOCK_STREAM | (t->nonblocking ? SOCK_NONBLOCK : 0);
    return socket(t->address.ss_family, type, 0);
}

/* Accepts, answers a question, and goes on accepting `param` times more. */
static void
serve(struct t *t)
{
    for (long i = 0; i <= t->param; i++) {
        int fd = t_accept(t);
        size_t len = t_read_all(t, fd, buf, 5);
        t_bytes(t, buf, (long)len);
        t_write_all(t, fd, "answer", 6);
        T(close(fd));
    }
}

static void
ask(struct t *t, int fd)
{
    t_write_all(t, fd, "hello", 5);
    size_t len = t_read_all(t, fd, buf, 6);
    t_bytes(t, buf, (long)len);
    len = t_read_all(t, fd, buf, 1);
    t_say(t, "%zu bytes more", len);
}

/* connect() as the mode has it: at once, or in progress and then done. */
static void
dial(struct t *t, int fd)
{
    int error = -1;
    socklen_t len = sizeof(error);
    T(connect(fd, ADDRESS));
    t_await(t, fd, POLLOUT);
    T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    t_say(t, "error %d", error);
}

/* ---- once, twice, again
 * ---------------------------------------------------------------------- */

static void
connect_twice(struct t *t)
{
    int fd = make_socket(t);
    dial(t, fd);
    T(connect(fd, ADDRESS));
    T(connect(fd, ADDRESS));
    ask(t, fd);
    T(connect(fd, ADDRESS));
    T(close(fd));
    T(connect(fd, ADDRESS));
}

static void
connect_wrong(struct t *t)
{
    struct sockaddr_in6 strange = {.sin6_family = 99};
    int fd = make_socket(t);
    int udp = socket(t->address.ss_family, SOCK_DGRAM, 0);
    T(connect(fd, (struct sockaddr *)&t->address, 3));
    T(connect(fd, NULL, 0));
    T(connect(fd, NULL, 16));
    T(connect(fd, t_bad_page(), 16));
    T(connect(fd, (struct sockaddr *)&t->address, (socklen_t)-1));
    T(connect(fd, (struct sockaddr *)&strange, sizeof(strange)));
    T(connect(-1, ADDRESS));
    T(connect(1000, ADDRESS));
    T(connect(STDIN_FILENO, ADDRESS));
    T(connect(udp, ADDRESS));
    T(write(fd, "a", 1));
    T(read(fd, buf, 1));
    dial(t, fd);
    ask(t, fd);
}

/* AF_UNSPEC dissolves a connection; the socket connects anew. */
static void
connect_unspec(struct t *t)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int fd = make_socket(t);
    T(connect(fd, &none, sizeof(none)));
    dial(t, fd);
    ask(t, fd);
    T(connect(fd, &none, sizeof(none)));
    T(write(fd, "a", 1));
    T(read(fd, buf, 1));
    dial(t, fd);
    ask(t, fd);
}

/* ---- refused
 * ---------------------------------------------------------------------------------------
 */

/* A port that is taken, but that nobody listens at. */
static int
take_port(struct t *t)
{
    struct sockaddr_storage address = t->address;
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    ((struct sockaddr_in *)(void *)&address)->sin_port =
        0; /* the same in both families */
    if (bind(fd, (struct sockaddr *)&address, t->address_len) != 0) {
        t_say(t, "bind: %s", strerrorname_np(errno));
    }
    getsockname(fd, (struct sockaddr *)&t->address, &t->address_len);
    return fd;
}

static void
be_refused(struct t *t)
{
    int error = -1;
    socklen_t len = sizeof(error);
    int taken = take_port(t);
    int fd = make_socket(t);
    T(connect(fd, ADDRESS));
    t_await(t, fd, POLLOUT);
    if (t->param == 0 || t->param == 4) {
        struct pollfd ready = {.fd = fd, .events = POLLIN | POLLOUT};
        T(poll(&ready, 1, 0));
        t_say(t, "events %x", (unsigned)ready.revents);
    }
    if (t->param == 0) {
        T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
        t_say(t, "%s", strerrorname_np(error));
        T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
        t_say(t, "%s", strerrorname_np(error));
    } else if (t->param == 1) {
        T(write(fd, "a", 1));
        T(write(fd, "a", 1));
    } else if (t->param == 2) {
        T(read(fd, buf, 1));
        T(read(fd, buf, 1));
    }
    T(connect(fd, ADDRESS));
    t_await(t, fd, POLLOUT);
    T(connect(fd, ADDRESS));
    T(close(fd));
    close(taken);
}

/* ---- from two sides at once, in one thread
 * ---------------------------------------------------------- */

static void
to_itself(struct t *t)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof(in);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    T(bind(listener, (struct sockaddr *)&in, sizeof(in)));
    T(listen(listener, 5));
    getsockname(listener, (struct sockaddr *)&in, &len);
    int near = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(near, (struct sockaddr *)&in, sizeof(in)));
    T(write(near, "hello", 5));
    int far = accept(listener, NULL, NULL);
    t_set_nonblocking(far, t->nonblocking);
    t_await(t, far, POLLIN);
    size_t n = t_read_all(t, far, buf, 5);
    t_bytes(t, buf, (long)n);
    T(write(far, "answer", 6));
    T(close(far));
    n = t_read_all(t, near, buf, 7);
    t_bytes(t, buf, (long)n);
    T(close(near));
}

/* ---- accept
 * -------------------------------------------------------------------------------------------
 */

static void
accept_all_ways(struct t *t)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof(from);
    t_set_nonblocking(t->listener, true);
    T(accept(t->listener, NULL, NULL));
    T(accept4(t->listener, NULL, NULL, 0x7));
    T(accept(-1, NULL, NULL));
    T(accept(STDIN_FILENO, NULL, NULL));
    t_tell(t);
    for (int i = 0; i < 3; i++) {
        static const int flags[] = {0, SOCK_NONBLOCK, SOCK_CLOEXEC};
        t_await(t, t->listener, POLLIN);
        len = i == 1 ? 4 : sizeof(from);
        int fd = accept4(t->listener, (struct sockaddr *)&from, &len, flags[i]);
        t_say(t, "family %s, length %s",
              from.ss_family == t->address.ss_family ? "same" : "other",
              len == t->address_len ? "same" : "other");
        T((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        T(fcntl(fd, F_GETFD));
        size_t n = t_read_all(t, fd, buf, 5);
        t_bytes(t, buf, (long)n);
        t_write_all(t, fd, "answer", 6);
        close(fd);
    }
}

static void
dial_thrice(struct t *t)
{
    t_wait(t);
    for (int i = 0; i < 3; i++) {
        int fd = make_socket(t);
        dial(t, fd);
        ask(t, fd);
        close(fd);
    }
}

/* Options that a listener hands down. */
static void
accept_inherits(struct t *t)
{
    int one = 1, value = -1;
    socklen_t len = sizeof(value);
    setsockopt(t->listener, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(t->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    t_tell(t);
    int fd = t_accept(t);
    T(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
    t_say(t, "%d", value);
    size_t n = t_read_all(t, fd, buf, 5);
    t_bytes(t, buf, (long)n);
    t_write_all(t, fd, "answer", 6);
    T(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len));
    t_say(t, "%d", value);
    T(close(fd));
}

static void
dial_when_told(struct t *t)
{
    int fd = make_socket(t);
    t_wait(t);
    dial(t, fd);
    ask(t, fd);
}

/* Without a place in the queue a connection is not made; what is in it waits. */
static void
short_queue(struct t *t)
{
    T(listen(t->listener, 0));
    t_tell(t);
    t_wait(t);
    int fd = t_accept(t);
    size_t n = t_read_all(t, fd, buf, 5);
    t_bytes(t, buf, (long)n);
    t_tell(t);
    t_wait(t);
}

static void
overfill_queue(struct t *t)
{
    int first = make_socket(t);
    int second = socket(t->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct pollfd ready = {.events = POLLOUT};
    t_wait(t);
    T(connect(first, ADDRESS));
    t_await(t, first, POLLOUT);
    T(connect(second, ADDRESS));
    ready.fd = second;
    T(poll(&ready, 1, 50));
    T(connect(second, ADDRESS));
    T(write(second, "a", 1));
    T(read(second, buf, 1));
    T(write(first, "hello", 5));
    t_tell(t);
    t_wait(t);
    t_tell(t);
}

/* ---- ended as soon as TCP is there
 * ------------------------------------------------------------------------- */

static void
accept_the_end(struct t *t)
{
    for (int i = 0; i < 3; i++) {
        int fd = t_accept(t);
        size_t len = t_read_all(t, fd, buf, 1);
        t_say(t, "%zu bytes, and the end", len);
        T(close(fd));
    }
}

/* Nobody but the kernel is asked whether the connection is there. */
static void
end_at_once(struct t *t)
{
    for (int i = 0; i < 3; i++) {
        int fd = make_socket(t);
        T(connect(fd, ADDRESS));
        t_await(t, fd, POLLOUT);
        if (t->param == 1 && t->nonblocking) {
            T(connect(fd, ADDRESS));
        }
        if (t->param != 2 || i < 2) {
            T(close(fd)); /* else it is open when the process ends */
        }
    }
}

/* ---- data in front of the connection
 * ------------------------------------------------------------------ */

static void
send_fastopen(struct t *t)
{
    int fd = make_socket(t);
    if (t->param == 0) {
        T(sendto(fd, "hello", 5, MSG_FASTOPEN, ADDRESS));
    } else {
        struct iovec iov = {"hello", 5};
        struct msghdr msg = {.msg_name = &t->address,
                             .msg_namelen = t->address_len,
                             .msg_iov = &iov,
                             .msg_iovlen = 1};
        T(sendmsg(fd, &msg, MSG_FASTOPEN));
    }
    T(close(fd));
    t_tell(t);
}

static void
connect_fastopen(struct t *t)
{
    int one = 1;
    int fd = make_socket(t);
    T(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)));
    int result = connect(fd, ADDRESS);
    t_say(t, "%s", result == 0 || errno == EINPROGRESS ? "connecting" : "wrong");
    ask(t, fd);
}

/* ---- while TCP's own handshake is under way
 * ---------------------------------------------------------------- */

/* A listener whose queue is full does not answer: the connection stays in progress. */
static void
in_progress(struct t *t)
{
    struct pollfd ready = {.events = POLLIN | POLLOUT};
    int error = -1, value = 0;
    socklen_t len = sizeof(error);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t in_len = sizeof(in);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&in, sizeof(in)) != 0) {
        t_say(t, "bind: %s", strerrorname_np(errno));
    }
    listen(listener, 0);
    getsockname(listener, (struct sockaddr *)&in, &in_len);
    int first = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(first, (struct sockaddr *)&in, sizeof(in)) != 0) {
        t_say(t, "the first connect: %s", strerrorname_np(errno));
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    T(connect(fd, (struct sockaddr *)&in, sizeof(in)));
    T(connect(fd, (struct sockaddr *)&in, sizeof(in)));
    ready.fd = fd;
    T(poll(&ready, 1, 20));
    T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    t_say(t, "error %d", error);
    T(send(fd, "a", 1, 0));
    T(recv(fd, buf, 1, 0));
    T(recv(fd, buf, 0, 0));
    T(ioctl(fd, FIONREAD, &value));
    T(getpeername(fd, (struct sockaddr *)&in, &in_len));
    if (t->param == 0) {
        T(shutdown(fd, SHUT_RDWR));
        T(read(fd, buf, 1));
        T(write(fd, "a", 1));
    } else if (t->param == 1) {
        T(connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC},
                  sizeof(struct sockaddr)));
        T(read(fd, buf, 1));
    }
    T(close(fd));
    T(close(first));
}

/* Whoever else looks at the socket meanwhile, the error is the program's to find. */
static void
dissolve_often(struct t *t)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t in_len = sizeof(in);
    int reset = 0;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    T(bind(listener, (struct sockaddr *)&in, sizeof(in)));
    T(listen(listener, 0));
    getsockname(listener, (struct sockaddr *)&in, &in_len);
    int first = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(first, (struct sockaddr *)&in, sizeof(in)));
    for (int i = 0; i < t->param; i++) {
        struct timespec pause = {0, i % 20 * 1000000}; /* until it is being looked at */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fd, (struct sockaddr *)&in, sizeof(in));
        nanosleep(&pause, NULL);
        (void)connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC},
                      sizeof(struct sockaddr));
        reset += read(fd, buf, 1) < 0 && errno == ECONNRESET;
        close(fd);
    }
    t_say(t, "%d times", reset);
    close(first);
}

const struct scenario scenarios_connect[] = {
    {"connect.twice", serve, connect_twice, 0, T_UNCONNECTED, NULL},
    {"connect.wrong", serve, connect_wrong, 0, T_UNCONNECTED, NULL},
    {"connect.unspec", serve, connect_unspec, 1, T_UNCONNECTED, NULL},
    {"connect.refused.so_error", nothing, be_refused, 0, T_UNCONNECTED | T_DIRECT, NULL},
    {"connect.refused.write", nothing, be_refused, 1, T_UNCONNECTED | T_DIRECT, NULL},
    {"connect.refused.read", nothing, be_refused, 2, T_UNCONNECTED | T_DIRECT, NULL},
    {"connect.refused.again", nothing, be_refused, 3, T_UNCONNECTED | T_DIRECT, NULL},
    {"connect.refused.poll_again", nothing, be_refused, 4, T_UNCONNECTED | T_DIRECT,
     NULL},
    {"connect.to_itself", nothing, to_itself, 0, T_UNCONNECTED | T_DIRECT, NULL},
    {"connect.accept", accept_all_ways, dial_thrice, 0, T_UNCONNECTED, NULL},
    {"connect.inherited", accept_inherits, dial_when_told, 0, T_UNCONNECTED, NULL},
    {"connect.short_queue", short_queue, overfill_queue, 0, T_UNCONNECTED | T_DIRECT,
     NULL},
    /* Data in a SYN would go out in clear: the program is to connect first. */
    {"connect.end.close", accept_the_end, end_at_once, 0, T_UNCONNECTED, NULL},
    {"connect.end.connect", accept_the_end, end_at_once, 1, T_UNCONNECTED, NULL},
    {"connect.end.exit", accept_the_end, end_at_once, 2, T_UNCONNECTED, NULL},
    {"connect.fastopen.sendto", just_wait, send_fastopen, 0, T_UNCONNECTED | T_DIRECT,
     "[blocking] C: sendto(fd, \"hello\", 5, MSG_FASTOPEN, ADDRESS) = 5 => "
     "C: sendto(fd, \"hello\", 5, MSG_FASTOPEN, ADDRESS) = -1 EOPNOTSUPP\n"
     "[nonblocking] C: sendto(fd, \"hello\", 5, MSG_FASTOPEN, ADDRESS) = -1 EINPROGRESS "
     "=> "
     "C: sendto(fd, \"hello\", 5, MSG_FASTOPEN, ADDRESS) = -1 EOPNOTSUPP"},
    {"connect.fastopen.sendmsg", just_wait, send_fastopen, 1, T_UNCONNECTED | T_DIRECT,
     "[blocking] C: sendmsg(fd, &msg, MSG_FASTOPEN) = 5 => "
     "C: sendmsg(fd, &msg, MSG_FASTOPEN) = -1 EOPNOTSUPP\n"
     "[nonblocking] C: sendmsg(fd, &msg, MSG_FASTOPEN) = -1 EINPROGRESS => "
     "C: sendmsg(fd, &msg, MSG_FASTOPEN) = -1 EOPNOTSUPP"},
    {"connect.fastopen.option", serve, connect_fastopen, 0, T_UNCONNECTED, NULL},
    {"connect.in_progress.shutdown", nothing, in_progress, 0, T_UNCONNECTED | T_DIRECT,
     NULL},
    {"connect.in_progress.unspec", nothing, in_progress, 1, T_UNCONNECTED | T_DIRECT,
     NULL},
    {"connect.in_progress.unspec_often", nothing, dissolve_often, 100,
     T_UNCONNECTED | T_DIRECT | T_BLOCKING, NULL},
    {"connect.in_progress.close", nothing, in_progress, 2, T_UNCONNECTED | T_DIRECT,
     NULL},
    {0},
};
