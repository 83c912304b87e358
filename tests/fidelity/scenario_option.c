/* Options, queues and names of a connection. */
#include "tests/fidelity/fidelity.h"

#include <linux/sockios.h>
#include <sys/wait.h>

static char buf[1 << 16];

static void
just_wait(struct t *t)
{
    t_wait(t);
}

/* ---- FIONREAD
 * -------------------------------------------------------------------------------- */

static void
give_pieces(struct t *t)
{
    int one = 1;
    setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    t_wait(t);
    for (int i = 0; i < t->param; i++) {
        T(write(t->fd, "0123456789", 10));
    }
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
}

static void
available(struct t *t)
{
    int count = -1;
    T(ioctl(t->fd, FIONREAD, &count));
    t_say(t, "  %d", count);
}

static void
count_pieces(struct t *t)
{
    available(t);
    t_tell(t);
    t_wait(t);
    available(t);
    T(recv(t->fd, buf, 3, 0));
    available(t);
    T(recv(t->fd, buf, 9, MSG_PEEK));
    available(t);
    T(recv(t->fd, buf, 9, 0));
    available(t);
    T(recv(t->fd, buf, sizeof(buf), MSG_DONTWAIT));
    available(t);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    available(t);
    T(read(t->fd, buf, 1));
    available(t);
    T(ioctl(t->fd, FIONREAD, t_bad_page()));
    T(ioctl(-1, FIONREAD, buf));
    t_tell(t);
}

/* ---- SIOCOUTQ, SIOCATMARK, FIONBIO and others
 * --------------------------------------------------- */

static void
control(struct t *t)
{
    int value = -1;
    T(ioctl(t->fd, SIOCOUTQ, &value));
    t_say(t, "  %d", value);
    T(ioctl(t->fd, SIOCOUTQNSD, &value));
    t_say(t, "  %d", value);
    T(ioctl(t->fd, SIOCATMARK, &value));
    t_say(t, "  %d", value);
    value = 1;
    T(ioctl(t->fd, FIONBIO, &value));
    T(recv(t->fd, buf, 1, 0));
    T(fcntl(t->fd, F_GETFL) & O_NONBLOCK);
    value = 0;
    T(ioctl(t->fd, FIONBIO, &value));
    T(recv(t->fd, buf, 1, MSG_DONTWAIT));
    T_BLOCKS(recv(t->fd, buf, 1, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR | O_NONBLOCK));
    T(recv(t->fd, buf, 1, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR));
    T_BLOCKS(recv(t->fd, buf, 1, 0));
    T(ioctl(t->fd, 0x12345678, &value));
    T(ioctl(t->fd, FIOCLEX));
    T(fcntl(t->fd, F_GETFD));
    T(lseek(t->fd, 0, SEEK_CUR));
    T(fsync(t->fd));
    T(ftruncate(t->fd, 0));
    t_tell(t);
}

/* ---- options that say what a socket is
 * ------------------------------------------------------------- */

static void
print_option(struct t *t, const char *name, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);
    int result = getsockopt(t->fd, level, option, &value, &len);
    t_say(t, "%s: %d %s, %d bytes, %d", name, result,
          result < 0 ? strerrorname_np(errno) : "", (int)len, value);
}

static void
describe(struct t *t)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int value = 1;
    print_option(t, "type", SOL_SOCKET, SO_TYPE);
    print_option(t, "protocol", SOL_SOCKET, SO_PROTOCOL);
    print_option(t, "accepts", SOL_SOCKET, SO_ACCEPTCONN);
    print_option(t, "error", SOL_SOCKET, SO_ERROR);
    print_option(t, "keepalive", SOL_SOCKET, SO_KEEPALIVE);
    print_option(t, "low water", SOL_SOCKET, SO_RCVLOWAT);
    print_option(t, "send low water", SOL_SOCKET, SO_SNDLOWAT);
    print_option(t, "nodelay", IPPROTO_TCP, TCP_NODELAY);
    print_option(t, "cork", IPPROTO_TCP, TCP_CORK);
    print_option(t, "unknown", IPPROTO_TCP, 9999);
    T(getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
    t_say(t, "state %d", info.tcpi_state);
    len = 1;
    T(getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &value, &len));
    t_say(t, "%d bytes", (int)len);
    T(getsockopt(t->fd, SOL_SOCKET, SO_ERROR, t_bad_page(), &len));
    T(getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &value, NULL));
    T(getsockopt(-1, SOL_SOCKET, SO_ERROR, &value, &len));
    value = 1;
    T(setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
    print_option(t, "nodelay", IPPROTO_TCP, TCP_NODELAY);
    T(setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
    print_option(t, "keepalive", SOL_SOCKET, SO_KEEPALIVE);
    T(setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &value, 1));
    T(setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, NULL, sizeof(value)));
    t_tell(t);
}

static void
name(struct t *t)
{
    struct sockaddr_storage own = {0}, other = {0};
    socklen_t own_len = sizeof(own), other_len = sizeof(other);
    T(getsockname(t->fd, (struct sockaddr *)&own, &own_len));
    T(getpeername(t->fd, (struct sockaddr *)&other, &other_len));
    t_say(t, "%s, %s", own_len == other_len ? "equal" : "different",
          own.ss_family == other.ss_family ? "equal" : "different");
    T(shutdown(t->fd, SHUT_WR));
    T(getpeername(t->fd, (struct sockaddr *)&other, &other_len));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLHUP);
    T(getpeername(t->fd, (struct sockaddr *)&other, &other_len));
    T(getsockname(t->fd, (struct sockaddr *)&own, &own_len));
}

static void
close_after(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(close(t->fd));
    t_tell(t);
}

/* recvfrom and recvmsg say nothing of who sent, and of what came along. */
static void
receive_names(struct t *t)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    char control_buf[100];
    struct iovec iov = {buf, 4};
    struct msghdr msg = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control_buf,
        .msg_controllen = sizeof(control_buf),
        .msg_flags = 0x7777,
    };
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    memset(&from, 7, sizeof(from));
    T(recvfrom(t->fd, buf, 4, 0, (struct sockaddr *)&from, &len));
    t_say(t, "name of %d bytes, first %d", (int)len, ((char *)&from)[0]);
    T(recvfrom(t->fd, buf, 4, MSG_PEEK, (struct sockaddr *)&from, NULL));
    T(recvfrom(t->fd, buf, 4, MSG_PEEK, NULL, NULL));
    T(recvmsg(t->fd, &msg, 0));
    t_say(t, "name of %d bytes, control of %d, flags %x", (int)msg.msg_namelen,
          (int)msg.msg_controllen, (unsigned)msg.msg_flags);
    msg.msg_iovlen = 0;
    T(recvmsg(t->fd, &msg, MSG_DONTWAIT));
    msg.msg_iovlen = 2000;
    T(recvmsg(t->fd, &msg, MSG_DONTWAIT));
    msg.msg_iovlen = 1;
    msg.msg_iov = t_bad_page();
    T(recvmsg(t->fd, &msg, MSG_DONTWAIT));
    T(recvmsg(t->fd, t_bad_page(), MSG_DONTWAIT));
    T(recvmsg(t->fd, NULL, MSG_DONTWAIT));
    t_tell(t);
}

static void
give_twelve(struct t *t)
{
    T(write(t->fd, "0123456789ab", 12));
    t_tell(t);
    t_wait(t);
}

/* ---- TCP_CORK and MSG_MORE: held back, then sent
 * ------------------------------------------------------- */

static void
hold_back(struct t *t)
{
    int on = 1, off = 0;
    if (t->param == 0) {
        T(setsockopt(t->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
        T(write(t->fd, "abc", 3));
        T(write(t->fd, "def", 3));
        T(setsockopt(t->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)));
    } else {
        T(send(t->fd, "abc", 3, MSG_MORE));
        T(send(t->fd, "def", 3, t->param == 1 ? 0 : MSG_MORE));
        if (t->param == 2) {
            T(setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
        } else if (t->param == 3) {
            T(shutdown(t->fd, SHUT_WR));
        }
    }
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
}

static void
take_held(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    long n = T(recv(t->fd, buf, 100, 0));
    t_bytes(t, buf, n);
    t_tell(t);
}

/* What becomes of it when nobody takes the cork out, or another does. */
enum after_cork {
    CORK_FORGOTTEN,
    CORK_CLOSED,
    CORK_LEFT, /* by a process that ends */
    CORK_CHILD_LEAVES,
    CORK_CHILD_UNCORKS,
    CORK_MUCH,
    CORK_EXEC,
};

static void
set_cork(struct t *t, int on)
{
    T(setsockopt(t->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
    print_option(t, "cork", IPPROTO_TCP, TCP_CORK);
}

static void
let_child(const struct t *t, bool uncork)
{
    int off = 0, status;
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = uncork
                      ? setsockopt(t->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)) == 0
                      : write(t->fd, "def", 3) == 3;
        close(t->fd);
        _exit(!ok);
    }
    waitpid(pid, &status, 0);
}

static void
cork(struct t *t)
{
    struct pollfd room = {.fd = t->fd, .events = POLLOUT};
    set_cork(t, 1);
    T(write(t->fd, "abc", 3));
    T(poll(&room, 1, 0));
    switch (t->param) {
    case CORK_FORGOTTEN:
        break;
    case CORK_CLOSED:
        T(close(t->fd));
        break;
    case CORK_LEFT:
        _exit(0);
    case CORK_CHILD_LEAVES:
        let_child(t, false);
        break;
    case CORK_CHILD_UNCORKS:
        let_child(t, true);
        print_option(t, "cork", IPPROTO_TCP, TCP_CORK);
        break;
    case CORK_MUCH:
        t_write_all(t, t->fd, t_data(200001, 1), 200001);
        T(write(t->fd, "def", 3));
        set_cork(t, 0);
        T(write(t->fd, "ghi", 3));
        break;
    case CORK_EXEC:
        (void)fcntl(t->fd, F_SETFD, 0);
        (void)dup2(t->fd, 1);
        (void)fcntl(1, F_SETFL, fcntl(1, F_GETFL) & ~O_NONBLOCK);
        execl("/bin/echo", "echo", "def", (char *)NULL);
        _exit(1);
    }
    t_wait(t);
}

static void
take_corked(struct t *t)
{
    static const size_t lens[] = {
        [CORK_FORGOTTEN] = 3,    [CORK_CLOSED] = 4,        [CORK_LEFT] = 4,
        [CORK_CHILD_LEAVES] = 6, [CORK_CHILD_UNCORKS] = 3, [CORK_MUCH] = 200010,
        [CORK_EXEC] = 8};
    char *got = t_data(lens[t->param], 2);
    size_t len = t_read_all(t, t->fd, got, lens[t->param]); /* or to the end */
    t_say(t, "%zu bytes", len);
    t_bytes(t, got, (long)(len < 8 ? len : 8));
    t_bytes(t, got + len - 3, 3);
    t_tell(t);
}

/* ---- SO_RCVLOWAT
 * ------------------------------------------------------------------------------------------
 */

static void
low_water(struct t *t)
{
    int mark = 5;
    T(setsockopt(t->fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
    print_option(t, "low water", SOL_SOCKET, SO_RCVLOWAT);
    t_tell(t);
    t_wait(t);
    long n = T(recv(t->fd, buf, 10, MSG_DONTWAIT));
    t_bytes(t, buf, n);
    t_tell(t);
}

static void
give_ten(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "0123456789", 10));
    t_sent(t, t->fd);
    t_tell(t);
    t_wait(t);
}

/* ---- vectors
 * ------------------------------------------------------------------------------------------------
 */

static void
vectors(struct t *t)
{
    static struct iovec iov[IOV_MAX + 1];
    for (int i = 0; i <= IOV_MAX; i++) {
        iov[i] = (struct iovec){"0123456789" + i % 10, 1};
    }
    T(writev(t->fd, iov, 0));
    T(writev(t->fd, NULL, 0));
    T(writev(t->fd, iov, 1));
    T(writev(t->fd, iov, -1));
    T(writev(t->fd, iov, IOV_MAX));
    T(writev(t->fd, iov, IOV_MAX + 1));
    T(writev(t->fd, NULL, 2));
    T(writev(t->fd, t_bad_page(), 2));
    iov[1].iov_len = (size_t)-1;
    T(writev(t->fd, iov, 2));
    iov[1] = (struct iovec){NULL, 0};
    T(writev(t->fd, iov, 3));
    iov[1] = (struct iovec){NULL, 1};
    T(writev(t->fd, iov + 1, 2));
    T(sendmsg(t->fd, &(struct msghdr){.msg_iov = iov + 2, .msg_iovlen = IOV_MAX - 1}, 0));
    T(sendmsg(t->fd, &(struct msghdr){.msg_iov = iov, .msg_iovlen = IOV_MAX + 1}, 0));
    T(sendmsg(t->fd, &(struct msghdr){.msg_iov = NULL, .msg_iovlen = 0}, 0));
    T(sendmsg(t->fd, &(struct msghdr){.msg_iov = NULL, .msg_iovlen = 1}, 0));
    T(sendmsg(t->fd, t_bad_page(), 0));
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    t_wait(t);
}

static void
take_vectors(struct t *t)
{
    static struct iovec iov[IOV_MAX + 1];
    size_t done = 0;
    t_wait(t);
    for (int i = 0; i <= IOV_MAX; i++) {
        iov[i] = (struct iovec){buf + i, 1};
    }
    T(readv(t->fd, iov, 0));
    T(readv(t->fd, NULL, 0));
    T(readv(t->fd, iov, -1));
    T(readv(t->fd, iov, IOV_MAX + 1));
    T(readv(t->fd, NULL, 2));
    T(readv(t->fd, t_bad_page(), 2));
    ssize_t n;
    while ((n = readv(t->fd, iov, IOV_MAX)) > 0 || (n < 0 && errno == EAGAIN)) {
        done += n > 0 ? (size_t)n : 0;
        t_await(t, t->fd, POLLIN);
    }
    t_say(t, "%zu bytes", done);
    t_tell(t);
}

const struct scenario scenarios_option[] = {
    {"option.fionread.1", give_pieces, count_pieces, 1, T_DIRECT | T_NONBLOCKING, NULL},
    {"option.fionread.2", give_pieces, count_pieces, 2, T_DIRECT, NULL},
    {"option.fionread.20", give_pieces, count_pieces, 20, T_DIRECT, NULL},
    {"option.ioctl", just_wait, control, 0, T_DIRECT, NULL},
    {"option.describe", just_wait, describe, 0, 0, NULL},
    {"option.describe_accepting", describe, just_wait, 0, 0, NULL},
    {"option.names", close_after, name, 0, 0, NULL},
    {"option.recvfrom", give_twelve, receive_names, 0, 0, NULL},
    {"option.cork", take_held, hold_back, 0, T_DIRECT, NULL},
    {"option.cork.forgotten", take_corked, cork, CORK_FORGOTTEN, T_DIRECT, NULL},
    {"option.cork.accepting", cork, take_corked, CORK_FORGOTTEN, T_DIRECT, NULL},
    {"option.cork.closed", take_corked, cork, CORK_CLOSED, T_DIRECT, NULL},
    {"option.cork.left", take_corked, cork, CORK_LEFT, T_DIRECT, NULL},
    {"option.cork.child_leaves", take_corked, cork, CORK_CHILD_LEAVES, T_DIRECT, NULL},
    {"option.cork.child_uncorks", take_corked, cork, CORK_CHILD_UNCORKS, T_DIRECT, NULL},
    {"option.cork.much", take_corked, cork, CORK_MUCH, 0, NULL},
    {"option.cork.exec", take_corked, cork, CORK_EXEC, T_DIRECT, NULL},
    {"option.cork.fresh", take_corked, cork, CORK_FORGOTTEN, T_DIRECT | T_FRESH, NULL},
    {"option.more", take_held, hold_back, 1, T_DIRECT, NULL},
    {"option.more_nodelay", take_held, hold_back, 2, T_DIRECT, NULL},
    {"option.more_shutdown", take_held, hold_back, 3, T_DIRECT, NULL},
    {"option.low_water", give_ten, low_water, 0, T_DIRECT, NULL},
    {"option.vectors", take_vectors, vectors, 0, 0, NULL},
    {0},
};
