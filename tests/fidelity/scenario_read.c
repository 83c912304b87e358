/* Every reading call of libc in every state of a connection. */
#include "tests/fidelity/fidelity.h"

#include <sys/sendfile.h>

/* What fortified programs call. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
                       struct sockaddr *address, socklen_t *address_len);

static ssize_t
call_readv(int fd, void *buf, size_t len)
{
    struct iovec iov[2] = {{buf, len / 2}, {(char *)buf + len / 2, len - len / 2}};
    return readv(fd, iov, 2);
}

static ssize_t
call_preadv2(int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    return preadv2(fd, &iov, 1, -1, 0);
}

static ssize_t
call_preadv2_nowait(int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    return preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
}

static ssize_t
call_preadv2_offset(int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    return preadv2(fd, &iov, 1, 0, 0);
}

static ssize_t
call_preadv(int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    return preadv(fd, &iov, 1, 0);
}

static ssize_t
call_pread(int fd, void *buf, size_t len)
{
    return pread(fd, buf, len, 0);
}

static ssize_t
call_read_chk(int fd, void *buf, size_t len)
{
    return __read_chk(fd, buf, len, len);
}

static ssize_t
call_recv(int fd, void *buf, size_t len)
{
    return recv(fd, buf, len, 0);
}

static ssize_t
call_recv_chk(int fd, void *buf, size_t len)
{
    return __recv_chk(fd, buf, len, len, 0);
}

static ssize_t
call_recvfrom(int fd, void *buf, size_t len)
{
    return recvfrom(fd, buf, len, 0, NULL, NULL);
}

static ssize_t
call_recvfrom_chk(int fd, void *buf, size_t len)
{
    return __recvfrom_chk(fd, buf, len, len, 0, NULL, NULL);
}

static ssize_t
call_recvmsg(int fd, void *buf, size_t len)
{
    struct iovec iov[2] = {{buf, len / 2}, {(char *)buf + len / 2, len - len / 2}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    return recvmsg(fd, &msg, 0);
}

static ssize_t
call_recvmmsg(int fd, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    int count = recvmmsg(fd, &msg, 1, 0, NULL);
    return count == 1 ? (ssize_t)msg.msg_len : count;
}

#define WITH_FLAGS(name, flags)                                                          \
    static ssize_t name(int fd, void *buf, size_t len)                                   \
    {                                                                                    \
        return recv(fd, buf, len, flags);                                                \
    }
WITH_FLAGS(recv_peek, MSG_PEEK)
WITH_FLAGS(recv_dontwait, MSG_DONTWAIT)
WITH_FLAGS(recv_peek_dontwait, MSG_PEEK | MSG_DONTWAIT)
WITH_FLAGS(recv_waitall, MSG_WAITALL)
WITH_FLAGS(recv_waitall_dontwait, MSG_WAITALL | MSG_DONTWAIT)
WITH_FLAGS(recv_trunc, MSG_TRUNC)
WITH_FLAGS(recv_trunc_dontwait, MSG_TRUNC | MSG_DONTWAIT)
WITH_FLAGS(recv_peek_trunc, MSG_PEEK | MSG_TRUNC)
WITH_FLAGS(recv_nosignal, MSG_NOSIGNAL)
WITH_FLAGS(recv_oob, MSG_OOB)
WITH_FLAGS(recv_errqueue, MSG_ERRQUEUE)
WITH_FLAGS(recv_cmsg_cloexec, MSG_CMSG_CLOEXEC)
WITH_FLAGS(recv_more, MSG_MORE)
WITH_FLAGS(recv_unknown, 0x100000)

/* The rows' param is an index of this list. */
static const struct read_call {
    const char *name;
    ssize_t (*call)(int fd, void *buf, size_t len);
} calls[] = {
    {"read", read},
    {"readv", call_readv},
    {"preadv2", call_preadv2},
    {"preadv2 NOWAIT", call_preadv2_nowait},
    {"preadv2 at an offset", call_preadv2_offset},
    {"preadv", call_preadv},
    {"pread", call_pread},
    {"read_chk", call_read_chk},
    {"recv", call_recv},
    {"recv_chk", call_recv_chk},
    {"recvfrom", call_recvfrom},
    {"recvfrom_chk", call_recvfrom_chk},
    {"recvmsg", call_recvmsg},
    {"recvmmsg", call_recvmmsg},
    {"recv PEEK", recv_peek},
    {"recv DONTWAIT", recv_dontwait},
    {"recv PEEK DONTWAIT", recv_peek_dontwait},
    {"recv WAITALL", recv_waitall},
    {"recv WAITALL DONTWAIT", recv_waitall_dontwait},
    {"recv TRUNC", recv_trunc},
    {"recv TRUNC DONTWAIT", recv_trunc_dontwait},
    {"recv PEEK TRUNC", recv_peek_trunc},
    {"recv NOSIGNAL", recv_nosignal},
    {"recv OOB", recv_oob},
    {"recv ERRQUEUE", recv_errqueue},
    {"recv CMSG_CLOEXEC", recv_cmsg_cloexec},
    {"recv MORE", recv_more},
    {"recv unknown flag", recv_unknown},
};

static char buf[100];

static void
attempt(struct t *t, int fd, size_t len)
{
    const struct read_call *call = &calls[t->param];
    memset(buf, '.', sizeof(buf));
    long n = T_NAMED_BLOCKS(call->name, call->call(fd, buf, len));
    if (n > 0) {
        t_bytes(t, buf, n);
    }
}

/* ---- data, then nothing, then the end
 * --------------------------------------------------- */

static void
give_data(struct t *t)
{
    T(write(t->fd, "0123456789", 10));
    t_tell(t);
    t_wait(t);
    T(close(t->fd));
    t_tell(t);
}

static void
read_waiting(struct t *t)
{
    attempt(t, t->fd, 8);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt(t, t->fd, 4);
    attempt(t, t->fd, 100);
    attempt(t, t->fd, 100);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt(t, t->fd, 100);
    attempt(t, t->fd, 100);
}

static void
give_waiting(struct t *t)
{
    t_wait(t);
    give_data(t);
}

/* ---- lengths and addresses that are odd
 * --------------------------------------------------- */

static void
give_edges(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "0123456789", 10));
    t_tell(t);
    t_wait(t);
    T(close(t->fd));
    t_tell(t);
}

static void
read_edges(struct t *t)
{
    const struct read_call *call = &calls[t->param];
    attempt(t, t->fd, 0);
    T_NAMED_BLOCKS("without a buffer, nothing to read", call->call(t->fd, NULL, 10));
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt(t, t->fd, 0);
    T_NAMED_BLOCKS("without a buffer", call->call(t->fd, NULL, 10));
    T_NAMED_BLOCKS("into a page that is not there", call->call(t->fd, t_bad_page(), 10));
    attempt(t, t->fd, 5);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    attempt(t, t->fd, 100);
    attempt(t, t->fd, 0);
    attempt(t, t->fd, 10);
    attempt(t, -1, 10);
    attempt(t, 1000, 10);
    T_NAMED_BLOCKS("without a buffer at the end", call->call(t->fd, NULL, 10));
    T(close(t->fd));
    attempt(t, t->fd, 10);
    attempt(t, t->fd, 0);
}

/* ---- after a reset; after its own shutdown
 * -------------------------------------------------- */

static void
give_reset(struct t *t)
{
    struct linger none = {1, 0};
    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    T(close(t->fd));
    t_tell(t);
}

static void
read_reset(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt(t, t->fd, 10);
    attempt(t, t->fd, 10);
    attempt(t, t->fd, 10);
}

static void
give_little(struct t *t)
{
    T(write(t->fd, "abc", 3));
    t_tell(t);
    t_wait(t);
}

static void
read_shut(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(shutdown(t->fd, SHUT_RD));
    attempt(t, t->fd, 2);
    attempt(t, t->fd, 10);
    attempt(t, t->fd, 10);
    attempt(t, t->fd, 0);
    t_tell(t);
}

#define ROWS(index, name, oob)                                                           \
    {"read.data." name, give_waiting, read_waiting, index, 0, oob},                      \
        {"read.edges." name, give_edges, read_edges, index, 0, NULL},                    \
        {"read.reset." name, give_reset, read_reset, index, T_DIRECT, NULL},             \
    {                                                                                    \
        "read.shut." name, give_little, read_shut, index, 0, NULL                        \
    }

const struct scenario scenarios_read[] = {
    ROWS(0, "read", NULL),
    ROWS(1, "readv", NULL),
    ROWS(2, "preadv2", NULL),
    ROWS(3, "preadv2_nowait", NULL),
    ROWS(4, "preadv2_offset", NULL),
    ROWS(5, "preadv", NULL),
    ROWS(6, "pread", NULL),
    ROWS(7, "read_chk", NULL),
    ROWS(8, "recv", NULL),
    ROWS(9, "recv_chk", NULL),
    ROWS(10, "recvfrom", NULL),
    ROWS(11, "recvfrom_chk", NULL),
    ROWS(12, "recvmsg", NULL),
    ROWS(13, "recvmmsg", NULL),
    ROWS(14, "recv_peek", NULL),
    ROWS(15, "recv_dontwait", NULL),
    ROWS(16, "recv_peek_dontwait", NULL),
    ROWS(17, "recv_waitall", NULL),
    ROWS(18, "recv_waitall_dontwait", NULL),
    ROWS(19, "recv_trunc", NULL),
    ROWS(20, "recv_trunc_dontwait", NULL),
    ROWS(21, "recv_peek_trunc", NULL),
    ROWS(22, "recv_nosignal", NULL),
    ROWS(23, "recv_oob", NULL),
    ROWS(24, "recv_errqueue", NULL),
    ROWS(25, "recv_cmsg_cloexec", NULL),
    ROWS(26, "recv_more", NULL),
    ROWS(27, "recv_unknown_flag", NULL),
    {0},
};
