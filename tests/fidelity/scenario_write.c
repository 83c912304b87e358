/* Every writing call of libc in every state of a connection. */
#include "tests/fidelity/fidelity.h"

#include <sys/eventfd.h>

static ssize_t
call_writev(int fd, const void *buf, size_t len)
{
    struct iovec iov[2] = {{(void *)buf, len / 2},
                           {(char *)buf + len / 2, len - len / 2}};
    return writev(fd, iov, 2);
}

static ssize_t
call_pwritev2(int fd, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};
    return pwritev2(fd, &iov, 1, -1, 0);
}

static ssize_t
call_pwritev2_nowait(int fd, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};
    return pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);
}

static ssize_t
call_pwritev(int fd, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};
    return pwritev(fd, &iov, 1, 0);
}

static ssize_t
call_pwrite(int fd, const void *buf, size_t len)
{
    return pwrite(fd, buf, len, 0);
}

static ssize_t
call_send(int fd, const void *buf, size_t len)
{
    return send(fd, buf, len, 0);
}

static ssize_t
call_sendto(int fd, const void *buf, size_t len)
{
    return sendto(fd, buf, len, 0, NULL, 0);
}

static ssize_t
call_sendto_address(int fd, const void *buf, size_t len)
{
    struct sockaddr_in elsewhere = {.sin_family = AF_INET, .sin_port = 9};
    return sendto(fd, buf, len, 0, (struct sockaddr *)&elsewhere, sizeof(elsewhere));
}

static ssize_t
call_sendmsg(int fd, const void *buf, size_t len)
{
    struct iovec iov[2] = {{(void *)buf, len / 2},
                           {(char *)buf + len / 2, len - len / 2}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    return sendmsg(fd, &msg, 0);
}

static ssize_t
call_sendmmsg(int fd, const void *buf, size_t len)
{
    struct iovec iov = {(void *)buf, len};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    int count = sendmmsg(fd, &msg, 1, 0);
    return count == 1 ? (ssize_t)msg.msg_len : count;
}

#define WITH_FLAGS(name, flags)                                                          \
    static ssize_t name(int fd, const void *buf, size_t len)                             \
    {                                                                                    \
        return send(fd, buf, len, flags);                                                \
    }
WITH_FLAGS(send_nosignal, MSG_NOSIGNAL)
WITH_FLAGS(send_dontwait, MSG_DONTWAIT)
WITH_FLAGS(send_more, MSG_MORE)
WITH_FLAGS(send_oob, MSG_OOB)
WITH_FLAGS(send_eor, MSG_EOR)
WITH_FLAGS(send_dontroute, MSG_DONTROUTE)
WITH_FLAGS(send_confirm, MSG_CONFIRM)
WITH_FLAGS(send_zerocopy, MSG_ZEROCOPY)
WITH_FLAGS(send_fastopen, MSG_FASTOPEN)
WITH_FLAGS(send_peek, MSG_PEEK)
WITH_FLAGS(send_errqueue, MSG_ERRQUEUE)
WITH_FLAGS(send_unknown, 0x100000)

/* The rows' param is an index of this list. */
static const struct write_call {
    const char *name;
    ssize_t (*call)(int fd, const void *buf, size_t len);
} calls[] = {
    {"write", write},
    {"writev", call_writev},
    {"pwritev2", call_pwritev2},
    {"pwritev2 NOWAIT", call_pwritev2_nowait},
    {"pwritev", call_pwritev},
    {"pwrite", call_pwrite},
    {"send", call_send},
    {"sendto", call_sendto},
    {"sendto with an address", call_sendto_address},
    {"sendmsg", call_sendmsg},
    {"sendmmsg", call_sendmmsg},
    {"send NOSIGNAL", send_nosignal},
    {"send DONTWAIT", send_dontwait},
    {"send MORE", send_more},
    {"send OOB", send_oob},
    {"send EOR", send_eor},
    {"send DONTROUTE", send_dontroute},
    {"send CONFIRM", send_confirm},
    {"send ZEROCOPY", send_zerocopy},
    {"send FASTOPEN", send_fastopen},
    {"send PEEK", send_peek},
    {"send ERRQUEUE", send_errqueue},
    {"send unknown flag", send_unknown},
};

static void
attempt(struct t *t, int fd, const void *buf, size_t len)
{
    const struct write_call *call = &calls[t->param];
    T_NAMED(call->name, call->call(fd, buf, len));
}

/* ---- data and what is none
 * --------------------------------------------------------------- */

static void
give(struct t *t)
{
    static const char text[] = {'m', 'i', 'x', 'e', 'd'}; /* a NUL would not fit */
    char *mixed = t_before_bad_page(sizeof(text));
    memcpy(mixed, text, sizeof(text));
    attempt(t, t->fd, "0123456789", 10);
    attempt(t, t->fd, "abc", 3);
    attempt(t, t->fd, "", 0);
    attempt(t, t->fd, NULL, 0);
    t_say(t, "NULL, a page that is not there, half of it not there:");
    attempt(t, t->fd, NULL, 10);
    attempt(t, t->fd, t_bad_page(), 10);
    attempt(t, t->fd, mixed, 10);
    attempt(t, t->fd, mixed, 5);
    attempt(t, -1, "a", 1);
    attempt(t, 1000, "a", 1);
    T(close(t->fd));
    attempt(t, t->fd, "a", 1);
    attempt(t, t->fd, "", 0);
    t_tell(t);
}

/* All that has come, up to the end. */
static void
take(struct t *t)
{
    char buf[100];
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
}

/* ---- after its own end
 * ---------------------------------------------------------------------- */

static void
give_after_end(struct t *t)
{
    attempt(t, t->fd, "abc", 3);
    T(shutdown(t->fd, SHUT_WR));
    attempt(t, t->fd, "abc", 3);
    attempt(t, t->fd, "abc", 3);
    attempt(t, t->fd, "", 0);
    attempt(t, t->fd, NULL, 3);
    t_tell(t);
}

/* ---- after a reset
 * ---------------------------------------------------------------------------- */

static void
reset(struct t *t)
{
    struct linger none = {1, 0};
    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    T(close(t->fd));
    t_tell(t);
}

static void
give_after_reset(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    attempt(t, t->fd, "abc", 3);
    attempt(t, t->fd, "abc", 3);
    attempt(t, t->fd, "", 0);
}

/* There is no urgent data in TLS: its bytes are not sent at all. */
#define NO_URGENT_DATA                                                                   \
    "C: send OOB = 10 => C: send OOB = -1 EOPNOTSUPP\n"                                  \
    "C: send OOB = 3 => C: send OOB = -1 EOPNOTSUPP\n"                                   \
    "C: send OOB = -1 EFAULT => C: send OOB = -1 EOPNOTSUPP\n"                           \
    "C: send OOB = 5 => C: send OOB = -1 EOPNOTSUPP\n"                                   \
    "CA:   \"0123456789abcmixe\" => A:   \"\""
#define NO_URGENT_DATA_AT_END                                                            \
    "C: send OOB = 3 => C: send OOB = -1 EOPNOTSUPP\n"                                   \
    "CA:   \"ab\" => A:   \"\""

#define ROWS(index, name, differs_data, differs_end, differs_reset)                      \
    {"write.data." name, take, give, index, 0, differs_data},                            \
        {"write.end." name, take, give_after_end, index, 0, differs_end},                \
    {                                                                                    \
        "write.reset." name, reset, give_after_reset, index, T_DIRECT, differs_reset     \
    }

/* Libc's names for eight bytes at once, which need not be an eventfd's. */
static void
take_events(struct t *t)
{
    eventfd_t value = 0;
    T(eventfd_read(t->fd, &value));
    t_bytes(t, &value, sizeof(value));
    t_meet(t);
    T(eventfd_write(t->fd, value));
    t_meet(t);
}

static void
give_events(struct t *t)
{
    eventfd_t value = 0x6867666564636261;
    T(eventfd_write(t->fd, value));
    t_sent(t, t->fd);
    t_meet(t);
    t_meet(t);
    t_await(t, t->fd, POLLIN);
    T(eventfd_read(t->fd, &value));
    t_bytes(t, &value, sizeof(value));
}

const struct scenario scenarios_write[] = {
    ROWS(0, "write", NULL, NULL, NULL),
    ROWS(1, "writev", NULL, NULL, NULL),
    ROWS(2, "pwritev2", NULL, NULL, NULL),
    ROWS(3, "pwritev2_nowait", NULL, NULL, NULL),
    ROWS(4, "pwritev", NULL, NULL, NULL),
    ROWS(5, "pwrite", NULL, NULL, NULL),
    ROWS(6, "send", NULL, NULL, NULL),
    ROWS(7, "sendto", NULL, NULL, NULL),
    ROWS(8, "sendto_address", NULL, NULL, NULL),
    ROWS(9, "sendmsg", NULL, NULL, NULL),
    ROWS(10, "sendmmsg", NULL, NULL, NULL),
    ROWS(11, "send_nosignal", NULL, NULL, NULL),
    ROWS(12, "send_dontwait", NULL, NULL, NULL),
    ROWS(13, "send_more", NULL, NULL, NULL),
    {"write.data.send_oob", take, give, 14, T_DIRECT, NO_URGENT_DATA},
    {"write.end.send_oob", take, give_after_end, 14, T_DIRECT, NO_URGENT_DATA_AT_END},
    {"write.reset.send_oob", reset, give_after_reset, 14, T_DIRECT, NULL},
    ROWS(15, "send_eor", NULL, NULL, NULL),
    ROWS(16, "send_dontroute", NULL, NULL, NULL),
    ROWS(17, "send_confirm", NULL, NULL, NULL),
    ROWS(18, "send_zerocopy", NULL, NULL, NULL),
    ROWS(19, "send_fastopen", NULL, NULL, NULL),
    ROWS(20, "send_peek", NULL, NULL, NULL),
    ROWS(21, "send_errqueue", NULL, NULL, NULL),
    ROWS(22, "send_unknown_flag", NULL, NULL, NULL),
    {"write.eventfd", take_events, give_events, 0, T_BLOCKING, NULL},
    {0},
};
