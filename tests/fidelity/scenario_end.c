/* How connections end: by halves, at once, with a reset, too early. */
#include "tests/fidelity/fidelity.h"

static char buf[1 << 16];

static void
attempt_read(struct t *t)
{
    long n = T_BLOCKS(read(t->fd, buf, 100));
    if (n > 0) {
        t_bytes(t, buf, n);
    }
}

static void
abort_connection(struct t *t)
{
    struct linger none = {1, 0};
    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    T(close(t->fd));
}

static void
just_wait(struct t *t)
{
    t_wait(t);
}

/* ---- half-close, in both orders
 * -------------------------------------------------------------- */

static void
end_first(struct t *t)
{
    T(write(t->fd, "request", 7));
    T(shutdown(t->fd, SHUT_WR));
    T(write(t->fd, "more", 4));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt_read(t);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLHUP);
    attempt_read(t);
    attempt_read(t);
    T(shutdown(t->fd, SHUT_RDWR));
    T(close(t->fd));
}

static void
end_second(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    attempt_read(t);
    attempt_read(t);
    T(write(t->fd, "answer", 6));
    t_tell(t);
    t_wait(t);
    T(shutdown(t->fd, SHUT_WR));
    T(shutdown(t->fd, SHUT_WR));
    T(shutdown(t->fd, SHUT_RD));
    T(write(t->fd, "more", 4));
    T(close(t->fd));
    t_tell(t);
}

/* ---- shutdown in every way
 * ----------------------------------------------------------------------- */

static void
shut(struct t *t)
{
    int how = (int)t->param;
    T(shutdown(t->fd, how));
    attempt_read(t);
    T(write(t->fd, "abc", 3));
    T(shutdown(t->fd, how));
    t_tell(t);
    t_wait(t);
}

static void
shut_there(struct t *t)
{
    t_wait(t);
    if (t->param == SHUT_RD || t->param > 2) {
        t_await(t, t->fd, POLLIN);
    } else {
        t_await(t, t->fd, POLLRDHUP);
    }
    attempt_read(t);
    t_tell(t);
}

static void
shut_unconnected(struct t *t)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    T(shutdown(fd, SHUT_RD));
    T(shutdown(fd, SHUT_WR));
    T(shutdown(fd, 7));
    T(write(fd, "abc", 3));
    T(read(fd, buf, 3));
    T(shutdown(-1, SHUT_RD));
    T(shutdown(0x7fffffff, SHUT_RD));
    (void)t;
}

static void
nothing(struct t *t)
{
    (void)t;
}

/* ---- reading is shut, then bytes come
 * ------------------------------------------------------------ */

static void
shut_then_data(struct t *t)
{
    T(shutdown(t->fd, SHUT_RD));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(recv(t->fd, buf, 100, MSG_DONTWAIT));
    T(write(t->fd, "still writing", 13));
    t_tell(t);
}

static void
data_for_the_deaf(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "anybody?", 8));
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt_read(t);
}

/* ---- closed while there is something to read
 * ------------------------------------------------------ */

static void
close_unread(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    if (t->param != 0) {
        T(read(t->fd, buf, (size_t)t->param));
    }
    T(write(t->fd, "parting words", 13));
    t_sent(t, t->fd);
    T(close(t->fd));
    t_tell(t);
}

/* The same without a close(): by the end of the process, by what takes its number. */
enum { BY_EXIT, BY_QUICK_EXIT, BY_EXIT_NOW, BY_DUP2, BY_LAST_CHILD, BY_EXEC, NO_LINGER };

static void
leave_unread(struct t *t)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    if (t->param == NO_LINGER) {
        T(read(t->fd, buf, 10));
        T(setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
    }
    T(write(t->fd, "parting words", 13));
    t_sent(t, t->fd);
    t_tell(t);
    switch (t->param) {
    case BY_QUICK_EXIT:
        quick_exit(0);
    case BY_EXIT_NOW:
        _exit(0);
    case BY_DUP2:
        T(dup2(t->listener, t->fd));
        t_tell(t);
        t_wait(t);
        break;
    case BY_LAST_CHILD:
        if (fork() == 0) {
            t_await(t, t->fd, POLLIN);
            _exit(0);
        }
        T(close(t->fd));
        t_wait(t);
        break;
    case BY_EXEC:
        (void)fcntl(t->fd, F_SETFD, FD_CLOEXEC);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    default:
        exit(0);
    }
}

static void
is_not_heard(struct t *t)
{
    T(write(t->fd, "0123456789", 10));
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLHUP);
    attempt_read(t);
    attempt_read(t);
    attempt_read(t);
    T(write(t->fd, "abc", 3));
    T(write(t->fd, "abc", 3));
    t_tell(t);
}

/* ---- writing to an end that is closed
 * --------------------------------------------------------------- */

static void
close_at_once(struct t *t)
{
    T(close(t->fd));
    t_tell(t);
    t_wait(t);
}

static void
write_to_closed(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(write(t->fd, "abc", 3));
    t_await(t, t->fd, POLLERR);
    T(write(t->fd, "abc", 3));
    T(send(t->fd, "abc", 3, MSG_NOSIGNAL));
    attempt_read(t);
    T(write(t->fd, "abc", 3));
    t_tell(t);
}

static void
read_then_write_to_closed(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    attempt_read(t);
    T(write(t->fd, "abc", 3));
    t_await(t, t->fd, POLLERR);
    attempt_read(t);
    T(write(t->fd, "abc", 3));
    T(writev(t->fd, &(struct iovec){"abc", 3}, 1));
    attempt_read(t);
    t_tell(t);
}

/* SIGPIPE as it is without a handler: the process ends. */
static void
die_of_sigpipe(struct t *t)
{
    signal(SIGPIPE, SIG_DFL);
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    T(write(t->fd, "abc", 3));
    t_say(t, "still alive");
}

static void
ignore_sigpipe(struct t *t)
{
    signal(SIGPIPE, SIG_IGN);
    T(shutdown(t->fd, SHUT_WR));
    T(write(t->fd, "abc", 3));
    T(send(t->fd, "abc", 3, 0));
    T(sendmsg(t->fd,
              &(struct msghdr){.msg_iov = &(struct iovec){"a", 1}, .msg_iovlen = 1}, 0));
    t_say(t, "still alive");
    t_tell(t);
}

static void
block_sigpipe(struct t *t)
{
    sigset_t pipes, pending;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipes, NULL);
    T(shutdown(t->fd, SHUT_WR));
    T(write(t->fd, "abc", 3));
    sigpending(&pending);
    t_say(t, "pending: %d", sigismember(&pending, SIGPIPE));
    T(sigtimedwait(&pipes, NULL, &(struct timespec){0, 0}));
    T(send(t->fd, "abc", 3, MSG_NOSIGNAL));
    sigpending(&pending);
    t_say(t, "pending: %d", sigismember(&pending, SIGPIPE));
    t_tell(t);
}

/* ---- resets
 * -------------------------------------------------------------------------------------------
 */

static void
reset_after_data(struct t *t)
{
    T(write(t->fd, "0123456789", 10));
    t_sent(t, t->fd);
    abort_connection(t);
    t_tell(t);
}

static void
read_reset(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLERR);
    attempt_read(t);
    attempt_read(t);
    attempt_read(t);
    T(send(t->fd, "abc", 3, 0));
    T(shutdown(t->fd, SHUT_RDWR));
    T(close(t->fd));
}

/* What has come before the reset is read in small pieces. */
static void
read_reset_slowly(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLERR);
    T(recv(t->fd, buf, 3, MSG_PEEK));
    T(read(t->fd, buf, 3));
    T(read(t->fd, buf, 3));
    T(recv(t->fd, buf, 100, MSG_WAITALL));
    attempt_read(t);
    attempt_read(t);
}

static void
write_reset(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLERR);
    T(write(t->fd, "abc", 3));
    T(write(t->fd, "abc", 3));
    attempt_read(t);
    attempt_read(t);
}

static void
reset_blocked_reader(struct t *t)
{
    struct timespec moment = {0, 20000000};
    t_wait(t);
    nanosleep(&moment, NULL); /* the other end has begun to read, most likely */
    abort_connection(t);
}

static void
be_reset(struct t *t)
{
    t_tell(t);
    T(read(t->fd, buf, 10));
    T(read(t->fd, buf, 10));
}

static void
end_for_blocked_reader(struct t *t)
{
    struct timespec moment = {0, 20000000};
    t_wait(t);
    nanosleep(&moment, NULL);
    T(shutdown(t->fd, SHUT_WR));
    t_wait(t);
}

static void
be_ended(struct t *t)
{
    t_tell(t);
    T(recv(t->fd, buf, 10, MSG_WAITALL));
    T(read(t->fd, buf, 10));
    t_tell(t);
}

static void
write_little_and_end(struct t *t)
{
    T(write(t->fd, "0123456789", 10));
    T(shutdown(t->fd, SHUT_WR));
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
}

static void
waitall_to_the_end(struct t *t)
{
    t_wait(t);
    T(recv(t->fd, buf, 100, MSG_WAITALL));
    T(recv(t->fd, buf, 100, MSG_WAITALL));
    t_tell(t);
}

/* ---- SO_LINGER with a time: close waits, and the data arrives
 * ------------------------------------------ */

static void
linger_close(struct t *t)
{
    struct linger some = {1, (int)t->param};
    T(setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &some, sizeof(some)));
    t_write_all(t, t->fd, t_data(sizeof(buf), 1), sizeof(buf));
    T(close(t->fd));
    t_tell(t);
}

static void
read_to_end(struct t *t)
{
    t_wait(t);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
    t_await(t, t->fd, POLLRDHUP);
    attempt_read(t);
}

/* Large data, then close at once: all of it must arrive. */
static void
close_behind_data(struct t *t)
{
    t_write_all(t, t->fd, t_data(1000000, 1), 1000000);
    T(close(t->fd));
}

static void
exit_behind_data(struct t *t)
{
    t_write_all(t, t->fd, t_data(1000000, 1), 1000000);
}

static void
quick_exit_behind_data(struct t *t)
{
    t_write_all(t, t->fd, t_data(1000000, 1), 1000000);
    quick_exit(0);
}

static void
read_large_to_end(struct t *t)
{
    char *data = malloc(1000001);
    size_t len = t_read_all(t, t->fd, data, 1000001);
    t_bytes(t, data, (long)len);
}

/* ---- before a byte has been exchanged
 * -------------------------------------------------------------------- */

static void
close_fresh(struct t *t)
{
    T(close(t->fd));
    t_tell(t);
}

static void
read_fresh(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    attempt_read(t);
    attempt_read(t);
}

static void
write_and_close_fresh(struct t *t)
{
    T(write(t->fd, "hello", 5));
    T(close(t->fd));
}

static void
read_all_fresh(struct t *t)
{
    size_t len = t_read_all(t, t->fd, buf, 100);
    t_bytes(t, buf, (long)len);
}

/* Before anybody has accepted it, so in the middle of its handshake. */
static void
reset_unaccepted(struct t *t)
{
    int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(fd, (struct sockaddr *)&t->address, t->address_len);
    t_await(t, fd, POLLOUT);
    if (t->param > 0) {
        T(write(fd, buf, (size_t)t->param));
    }
    t->fd = fd;
    abort_connection(t);
    t_tell(t);
}

static void
accept_reset(struct t *t)
{
    t_wait(t);
    int fd = accept(t->listener, NULL, NULL);
    t_await(t, fd, POLLERR);
    T(read(fd, buf, 10));
    T(close(fd));
}

static void
half_close_fresh(struct t *t)
{
    T(shutdown(t->fd, SHUT_WR));
    T(write(t->fd, "abc", 3));
    size_t len = t_read_all(t, t->fd, buf, 100);
    t_bytes(t, buf, (long)len);
}

static void
answer_fresh(struct t *t)
{
    size_t len = t_read_all(t, t->fd, buf, 100);
    t_bytes(t, buf, (long)len);
    T(write(t->fd, "answer", 6));
    T(close(t->fd));
}

static void
shut_reading_fresh(struct t *t)
{
    T(shutdown(t->fd, SHUT_RD));
    T(read(t->fd, buf, 10));
    T(write(t->fd, "hello", 5));
    T(close(t->fd));
}

const struct scenario scenarios_end[] = {
    {"end.half.accepting_first", end_first, end_second, 0, 0, NULL},
    {"end.half.connecting_first", end_second, end_first, 0, 0, NULL},
    {"end.shutdown.read", shut_there, shut, SHUT_RD, 0, NULL},
    {"end.shutdown.write", shut_there, shut, SHUT_WR, 0, NULL},
    {"end.shutdown.both", shut_there, shut, SHUT_RDWR, 0, NULL},
    {"end.shutdown.invalid", shut_there, shut, 7, 0, NULL},
    {"end.shutdown.unconnected", nothing, shut_unconnected, 0, T_UNCONNECTED, NULL},
    {"end.shutdown.then_data", data_for_the_deaf, shut_then_data, 0, T_DIRECT, NULL},
    {"end.unread.all", close_unread, is_not_heard, 0, T_DIRECT, NULL},
    {"end.unread.some", close_unread, is_not_heard, 4, T_DIRECT, NULL},
    {"end.unread.none", close_unread, is_not_heard, 10, T_DIRECT, NULL},
    {"end.unread.exit", leave_unread, is_not_heard, BY_EXIT, T_DIRECT, NULL},
    {"end.unread.quick_exit", leave_unread, is_not_heard, BY_QUICK_EXIT, T_DIRECT, NULL},
    {"end.unread._exit", leave_unread, is_not_heard, BY_EXIT_NOW, T_DIRECT, NULL},
    {"end.unread.dup2", leave_unread, is_not_heard, BY_DUP2, T_DIRECT, NULL},
    {"end.unread.last_child", leave_unread, is_not_heard, BY_LAST_CHILD, T_DIRECT, NULL},
    {"end.unread.exec", leave_unread, is_not_heard, BY_EXEC, T_DIRECT, NULL},
    {"end.unread.no_linger", leave_unread, is_not_heard, NO_LINGER, T_DIRECT, NULL},
    {"end.closed.write", close_at_once, write_to_closed, 0, T_DIRECT, NULL},
    {"end.closed.write_accepting", write_to_closed, close_at_once, 0, T_DIRECT, NULL},
    {"end.closed.read_write", close_at_once, read_then_write_to_closed, 0, T_DIRECT,
     NULL},
    {"end.sigpipe.default", just_wait, die_of_sigpipe, 0, 0, NULL},
    {"end.sigpipe.ignored", just_wait, ignore_sigpipe, 0, 0, NULL},
    {"end.sigpipe.blocked", just_wait, block_sigpipe, 0, 0, NULL},
    {"end.reset.read", reset_after_data, read_reset, 0, T_DIRECT, NULL},
    {"end.reset.read_slowly", reset_after_data, read_reset_slowly, 0, T_DIRECT, NULL},
    /* The reset was told to the writer; that no close_notify came is told to the reader.
     */
    {"end.reset.write", reset_after_data, write_reset, 0, T_DIRECT,
     "C: read(t->fd, buf, 100) = 0 => C: read(t->fd, buf, 100) = -1 ECONNRESET"},
    {"end.reset.blocked", reset_blocked_reader, be_reset, 0, T_DIRECT | T_BLOCKING, NULL},
    {"end.fin.blocked", end_for_blocked_reader, be_ended, 0, T_BLOCKING, NULL},
    {"end.fin.waitall", write_little_and_end, waitall_to_the_end, 0, T_BLOCKING, NULL},
    {"end.linger.2", read_to_end, linger_close, 2, 0, NULL},
    {"end.large.close", read_large_to_end, close_behind_data, 0, 0, NULL},
    {"end.large.exit", read_large_to_end, exit_behind_data, 0, 0, NULL},
    {"end.large.quick_exit", read_large_to_end, quick_exit_behind_data, 0, 0, NULL},
    {"end.large.close_accepting", close_behind_data, read_large_to_end, 0, 0, NULL},
    {"end.fresh.close", close_fresh, read_fresh, 0, T_FRESH, NULL},
    {"end.fresh.close_connecting", read_fresh, close_fresh, 0, T_FRESH, NULL},
    {"end.fresh.write_close", read_all_fresh, write_and_close_fresh, 0, T_FRESH, NULL},
    {"end.fresh.write_close_accepting", write_and_close_fresh, read_all_fresh, 0, T_FRESH,
     NULL},
    {"end.fresh.reset", accept_reset, reset_unaccepted, 0, T_UNCONNECTED | T_DIRECT,
     NULL},
    {"end.fresh.write_reset", accept_reset, reset_unaccepted, 5, T_UNCONNECTED | T_DIRECT,
     NULL},
    {"end.fresh.half", answer_fresh, half_close_fresh, 0, T_FRESH, NULL},
    {"end.fresh.half_accepting", half_close_fresh, answer_fresh, 0, T_FRESH, NULL},
    {"end.fresh.shut_reading", read_all_fresh, shut_reading_fresh, 0, T_FRESH, NULL},
    {0},
};
