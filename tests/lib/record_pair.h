/*
 * A record and its peer over TCP on loopback.  The peer may be another record (b), or the
 * test itself, which seals and opens by hand with the wires.
 */
#ifndef TESTS_LIB_RECORD_PAIR_H
#define TESTS_LIB_RECORD_PAIR_H

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/record/record.h"
#include "tests/lib/record_wire.h"

struct side {
    struct record *rec;
    struct record_conn conn;
    int fd;
    uint8_t *memory;
};

struct pair {
    struct side a, b;
    struct wire to_a, from_a; /* what b would seal and open with */
};

static const struct suite_case {
    const char *name;
    uint16_t version;
    enum record_suite suite;
    uint8_t hash_len;
    size_t overhead;
} suite_cases[] = {
    {"TLS 1.3 AES-128-GCM", 0x0304, RECORD_AES_128_GCM, 32, 22},
    {"TLS 1.3 AES-256-GCM", 0x0304, RECORD_AES_256_GCM, 48, 22},
    {"TLS 1.3 ChaCha20-Poly1305", 0x0304, RECORD_CHACHA20_POLY1305, 32, 22},
    {"TLS 1.2 AES-128-GCM", 0x0303, RECORD_AES_128_GCM, 32, 29},
    {"TLS 1.2 AES-256-GCM", 0x0303, RECORD_AES_256_GCM, 48, 29},
    {"TLS 1.2 ChaCha20-Poly1305", 0x0303, RECORD_CHACHA20_POLY1305, 32, 21},
};
#define SUITE_COUNT (sizeof(suite_cases) / sizeof(suite_cases[0]))

/* Under ASan recv() is taken to write what it returns; with MSG_TRUNC it does not
 * (tcp(7)). */
static inline ssize_t
record_pair_recv(int fd, void *to, size_t len, int flags)
{
    return (flags & MSG_TRUNC) != 0
               ? syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL)
               : recv(fd, to, len, flags);
}

static inline void
pair_sockets(int fds[2], int sndbuf)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int one = 1;

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    if (sndbuf > 0) {
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &sndbuf, sizeof(sndbuf));
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
    }
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sndbuf > 0) {
        setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &sndbuf, sizeof(sndbuf));
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
    }
    assert_int_equal(connect(fds[0], (struct sockaddr *)&addr, len), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
}

/* The record, in memory that a fork shares, and the buffers of one side. */
static inline void
side_init(struct side *side, int fd)
{
    size_t len = 4096 + RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN;

    record_io = (struct record_io){
        .recv = record_pair_recv, .send = send, .shutdown = shutdown, .inq = wire_inq};
    side->fd = fd;
    side->memory =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(side->memory, MAP_FAILED);
    side->rec = (struct record *)(void *)side->memory;
    assert_int_equal(record_init(side->rec), 0);
    record_conn_init(&side->conn, side->rec, side->memory + 4096,
                     side->memory + 4096 + RECORD_RX_BUFFER_LEN);
}

static inline void
side_done(struct side *side)
{
    record_done(side->rec);
    record_conn_done(&side->conn);
    munmap(side->memory, 4096 + RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN);
    if (side->fd >= 0) {
        close(side->fd);
    }
}

static inline struct wire
pair_wire(const struct suite_case *suite, uint8_t salt)
{
    struct wire wire = {
        .version = suite->version, .suite = suite->suite, .hash_len = suite->hash_len};

    for (size_t i = 0; i < sizeof(wire.keys.key); i++) {
        wire.keys.key[i] = (uint8_t)(salt + 7 * i);
        wire.keys.secret[i] = (uint8_t)(salt + 11 * i);
    }
    for (size_t i = 0; i < sizeof(wire.keys.iv); i++) {
        wire.keys.iv[i] = (uint8_t)(salt + 3 * i);
    }
    wire.keys.seq = suite->version == 0x0303 ? 1 : 0;
    return wire;
}

static inline void
pair_init_sndbuf(struct pair *pair, const struct suite_case *suite, int sndbuf)
{
    int fds[2];

    memset(pair, 0, sizeof(*pair));
    pair_sockets(fds, sndbuf);
    side_init(&pair->a, fds[0]);
    side_init(&pair->b, fds[1]);
    pair->to_a = pair_wire(suite, 1);
    pair->from_a = pair_wire(suite, 101);
    assert_int_equal(record_start(pair->a.rec, suite->version, suite->suite,
                                  suite->hash_len, &pair->to_a.keys, &pair->from_a.keys),
                     0);
    assert_int_equal(record_start(pair->b.rec, suite->version, suite->suite,
                                  suite->hash_len, &pair->from_a.keys, &pair->to_a.keys),
                     0);
}

static inline void
pair_init(struct pair *pair, const struct suite_case *suite)
{
    pair_init_sndbuf(pair, suite, 0);
}

static inline void
pair_done(struct pair *pair)
{
    side_done(&pair->a);
    side_done(&pair->b);
}

/* What poll says now, after loopback has had its chance. */
static inline short
side_poll(const struct side *side)
{
    struct pollfd pfd = {.fd = side->fd, .events = POLLIN | POLLOUT | POLLRDHUP};

    assert_true(poll(&pfd, 1, 0) >= 0);
    return pfd.revents;
}

static inline bool
side_is_readable(const struct side *side)
{
    return (side_poll(side) & POLLIN) != 0;
}

/* Waits, at most five seconds, until the fd is readable. */
static inline void
side_wait(const struct side *side)
{
    struct pollfd pfd = {.fd = side->fd, .events = POLLIN};

    assert_int_equal(poll(&pfd, 1, 5000), 1);
}

static inline ssize_t
side_read(struct side *side, void *buf, size_t len)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};

    return record_read(&side->conn, side->fd, &iov, 1, 0);
}

static inline ssize_t
side_peek(struct side *side, void *buf, size_t len)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};

    return record_read(&side->conn, side->fd, &iov, 1, MSG_PEEK);
}

static inline ssize_t
side_write(struct side *side, const void *buf, size_t len)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    return record_write(&side->conn, side->fd, &iov, 1, MSG_NOSIGNAL);
}

/* Puts bytes on the wire towards a, and waits until a's kernel has them. */
static inline void
pair_raw(struct pair *pair, const void *buf, size_t len)
{
    const uint8_t *from = buf;
    size_t done = 0;

    while (done < len) {
        ssize_t n = send(pair->b.fd, from + done, len - done, MSG_NOSIGNAL);
        assert_true(n > 0);
        done += (size_t)n;
    }
}

/* Waits until the receiver's kernel has all that the sender's was given. */
static inline void
settle(int sender, int receiver)
{
    struct tcp_info out = {0};
    struct tcp_info in = {0};

    for (int i = 0; i < 50000; i++) {
        socklen_t len = sizeof(out);
        assert_int_equal(getsockopt(sender, IPPROTO_TCP, TCP_INFO, &out, &len), 0);
        len = sizeof(in);
        assert_int_equal(getsockopt(receiver, IPPROTO_TCP, TCP_INFO, &in, &len), 0);
        if (out.tcpi_notsent_bytes == 0 &&
            in.tcpi_bytes_received >= out.tcpi_bytes_sent - out.tcpi_bytes_retrans) {
            return;
        }
        usleep(100);
    }
    fail_msg("the kernel did not deliver");
}

/* Seals by hand and sends towards a. */
static inline void
pair_send(struct pair *pair, uint8_t type, const void *data, size_t len, size_t pad)
{
    uint8_t *buf = malloc(len + pad + 64);

    assert_non_null(buf);
    pair_raw(pair, buf, wire_seal(&pair->to_a, type, data, len, pad, buf));
    free(buf);
    settle(pair->b.fd, pair->a.fd);
}

/*
 * Opens by hand the next record that a has sent, after at most five seconds; returns its
 * length and type; -1 when there is none but an end of stream.
 */
static inline ssize_t
pair_receive(struct pair *pair, uint8_t *out, uint8_t *type)
{
    static uint8_t buf[RECORD_CIPHERTEXT_MAX];
    size_t have = 0;
    size_t total = 5;

    while (have < total) {
        side_wait(&pair->b);
        ssize_t n = recv(pair->b.fd, buf + have, total - have, 0);
        if (n <= 0) {
            return -1;
        }
        have += (size_t)n;
        total = have >= 5 ? 5 + (size_t)(buf[3] << 8 | buf[4]) : 5;
        assert_true(total <= sizeof(buf));
    }
    ssize_t len = wire_open(&pair->from_a, buf, have, out, type, &total);
    assert_true(len >= 0);
    return len;
}

/* The next thing that a has sent is this alert. */
static inline void
pair_expect_alert(struct pair *pair, uint8_t level, uint8_t alert)
{
    static uint8_t out[RECORD_CIPHERTEXT_MAX];
    uint8_t type = 0;

    assert_int_equal(pair_receive(pair, out, &type), 2);
    assert_int_equal(type, 21);
    assert_int_equal(out[0], level);
    assert_int_equal(out[1], alert);
}

#endif
