/* Writing: batches, what the kernel does not take, ends and signals. */
#include <signal.h>

#include "tests/lib/record_pair.h"

#define TLS_1_3 (&suite_cases[0])

static uint8_t data[1 << 20];
static uint8_t got[1 << 20];
static volatile sig_atomic_t pipes;

static void
on_pipe(int sig)
{
    (void)sig;
    pipes++;
}

static void
make_data(void)
{
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 13 + i / 509);
    }
}

/* A kernel that takes little: every record is cut, and nothing is lost or repeated. */
static void
pending_with_small_buffers(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;
        size_t sent = 0;
        size_t have = 0;
        size_t full = 0;

        pair_init_sndbuf(&pair, &suite_cases[s], 2048);
        while (have < sizeof(data)) {
            while (sent < sizeof(data)) {
                uint64_t seq = pair.a.rec->tx.seq;
                bool pending = record_pending(&pair.a.conn);
                ssize_t n = side_write(&pair.a, data + sent, sizeof(data) - sent);
                if (n == -EAGAIN) {
                    full++;
                    /* While bytes are pending nothing new is sealed. */
                    assert_true(record_pending(&pair.a.conn));
                    assert_int_equal(pair.a.rec->tx.seq, seq);
                    break;
                }
                assert_true(n > 0);
                assert_true(!pending || n <= (ssize_t)(sizeof(data) - sent));
                sent += (size_t)n;
            }
            if (sent == sizeof(data)) {
                int err = record_flush(&pair.a.conn, pair.a.fd);
                assert_true(err == 0 || err == -EAGAIN);
                assert_int_equal(err == 0, !record_pending(&pair.a.conn));
            }
            ssize_t n = side_read(&pair.b, got + have, have % 2 == 0 ? 3000 : 70000);
            assert_true(n > 0 || n == -EAGAIN);
            have += n > 0 ? (size_t)n : 0;
            assert_true(have <= sizeof(data));
        }
        assert_true(full > 0);
        assert_memory_equal(got, data, sizeof(data));
        assert_int_equal(pair.a.rec->tx.bytes, sizeof(data));
        pair_done(&pair);
    }
}

/* A full kernel: at most one batch more than it took is accepted. */
static void
accepts_one_batch_too_many(void **state)
{
    (void)state;
    struct pair pair;
    size_t accepted = 0;
    ssize_t n;

    pair_init_sndbuf(&pair, TLS_1_3, 4096);
    for (int i = 0; (n = side_write(&pair.a, data, sizeof(data))) > 0; i++) {
        accepted += (size_t)n;
        assert_true(i < 100);
    }
    assert_int_equal(n, -EAGAIN);
    assert_true(pair.a.rec->tx.len <= RECORD_TX_BUFFER_LEN);
    assert_true(pair.a.rec->tx.len <= accepted + 4096);
    /* An alert finds room behind what is pending, and close_notify comes last. */
    assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), -EAGAIN);
    assert_int_equal(side_write(&pair.a, "x", 1), -EPIPE);
    size_t have = 0;
    while ((n = side_read(&pair.b, got, sizeof(got))) != 0) {
        assert_true(n > 0 || n == -EAGAIN);
        have += n > 0 ? (size_t)n : 0;
        int err = record_close_notify(&pair.a.conn, pair.a.fd);
        assert_true(err == 0 || err == -EAGAIN);
    }
    assert_int_equal(have, accepted);
    assert_false(record_pending(&pair.a.conn));
    pair_done(&pair);
}

/* Requests of the peer while bytes are pending are answered before the next record. */
static void
key_update_behind_pending(void **state)
{
    (void)state;
    static const uint8_t request[] = {24, 0, 0, 1, 1};
    struct pair pair;
    size_t accepted = 0;
    size_t have = 0;
    ssize_t n;

    pair_init_sndbuf(&pair, TLS_1_3, 4096);
    for (int i = 0; i < 100 && (n = side_write(&pair.a, data, 50000)) > 0; i++) {
        accepted += (size_t)n;
    }
    assert_true(record_pending(&pair.a.conn));
    pair_send(&pair, 22, request, sizeof(request), 0);
    wire_update(&pair.to_a);
    assert_int_equal(side_read(&pair.a, got, 100), -EAGAIN);
    assert_true(pair.a.rec->key_update_wanted);
    assert_int_equal(pair.a.rec->tx.epoch, 1);
    for (int i = 0; have < accepted + 6; i++) {
        assert_true(i < 100000);
        if (pair.a.rec->tx.epoch == 1 && side_write(&pair.a, "behind", 6) == 6) {
            assert_int_equal(pair.a.rec->tx.epoch, 2);
        }
        record_flush(&pair.a.conn, pair.a.fd);
        n = side_read(&pair.b, got, sizeof(got));
        have += n > 0 ? (size_t)n : 0;
        n = n > 0 ? n : 6;
    }
    assert_memory_equal(got + n - 6, "behind", 6);
    assert_false(pair.a.rec->key_update_wanted);
    assert_int_equal(pair.b.rec->rx.epoch, 2);
    pair_done(&pair);
}

/* The peer is gone: the flags decide about SIGPIPE, each time. */
static void
broken_pipe(void **state)
{
    (void)state;
    for (int quiet = 0; quiet < 2; quiet++) {
        struct pair pair;
        struct iovec iov = {.iov_base = data, .iov_len = 1};
        int flags = quiet ? MSG_NOSIGNAL : 0;
        ssize_t n = 1;

        pair_init(&pair, TLS_1_3);
        close(pair.b.fd);
        pair.b.fd = -1;
        pipes = 0;
        for (int i = 0; i < 5000 && n > 0; i++) {
            n = record_write(&pair.a.conn, pair.a.fd, &iov, 1, flags);
            usleep(n > 0 ? 100 : 0);
        }
        if (n == -ECONNRESET) { /* the RST was first: then as sticky as all */
            assert_int_equal(record_write(&pair.a.conn, pair.a.fd, &iov, 1, flags), n);
        } else {
            assert_int_equal(n, -EPIPE);
            assert_int_equal(pipes, quiet ? 0 : 1);
            assert_int_equal(record_write(&pair.a.conn, pair.a.fd, &iov, 1, flags),
                             -EPIPE);
            assert_int_equal(pipes, quiet ? 0 : 2);
        }
        assert_false(record_pending(&pair.a.conn));
        assert_true(record_flush(&pair.a.conn, pair.a.fd) < 0);
        pair_done(&pair);
    }
    /* After our own shutdown it is EPIPE for sure. */
    struct pair pair;
    struct iovec iov = {.iov_base = data, .iov_len = 1};

    pair_init(&pair, TLS_1_3);
    shutdown(pair.a.fd, SHUT_WR);
    pipes = 0;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(record_write(&pair.a.conn, pair.a.fd, &iov, 1, 0), -EPIPE);
        assert_int_equal(pipes, i);
    }
    assert_int_equal(record_write(&pair.a.conn, pair.a.fd, &iov, 1, MSG_NOSIGNAL),
                     -EPIPE);
    assert_int_equal(pipes, 3);
    pair_done(&pair);
}

/* Flags that mean something else for ciphertext do not reach the kernel. */
static int last_flags;
static ssize_t fake_result = -1;
static int fake_errno;
static int fake_count;

static ssize_t
fake_send(int fd, const void *buf, size_t len, int flags)
{
    last_flags = flags;
    fake_count += len > 0; /* without any it only asks */
    if (fake_errno != 0) {
        errno = fake_errno;
        return -1;
    }
    if (fake_result >= 0) {
        fake_errno = EPIPE;
        return send(fd, buf, (size_t)fake_result, flags);
    }
    return send(fd, buf, len, flags);
}

static void
flags_are_filtered(void **state)
{
    (void)state;
    struct pair pair;
    struct iovec iov = {.iov_base = data, .iov_len = 3000};

    pair_init(&pair, TLS_1_3);
    record_io.send = fake_send;
    fake_result = -1;
    fake_errno = 0;
    assert_int_equal(
        record_write(&pair.a.conn, pair.a.fd, &iov, 1,
                     MSG_OOB | MSG_ZEROCOPY | MSG_FASTOPEN | MSG_MORE | MSG_NOSIGNAL),
        3000);
    assert_int_equal(last_flags, MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);
    pair_done(&pair);
}

static ssize_t
write_more(struct pair *pair, const void *buf, size_t len)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    return record_write(&pair->a.conn, pair->a.fd, &iov, 1, MSG_MORE);
}

/* What MSG_MORE announces more of waits for it, and goes out by the same system call:
 * whatever comes next. */
static void
more_is_held(void **state)
{
    (void)state;
    static const char *const then[] = {"a write",     "a flush",  "a close_notify",
                                       "a KeyUpdate", "too much", "a full kernel"};

    for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++) {
        struct pair pair;
        size_t more = 0;

        pair_init(&pair, TLS_1_3);
        record_io.send = fake_send;
        fake_count = 0;
        fake_errno = 0;
        fake_result = -1;
        assert_int_equal(write_more(&pair, data, 10), 10);
        assert_int_equal(write_more(&pair, data + 10, 10), 10);
        assert_int_equal(fake_count, 0);
        assert_true(record_held(&pair.a.conn) > 0 && record_pending(&pair.a.conn));
        switch (i) {
        case 0:
            more = (size_t)side_write(&pair.a, data + 20, 10);
            break;
        case 1:
            assert_int_equal(record_flush(&pair.a.conn, pair.a.fd), 0);
            break;
        case 2:
            assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), 0);
            break;
        case 3:
            assert_int_equal(record_key_update(&pair.a.conn, pair.a.fd, false), 0);
            assert_int_equal(fake_count, 0);
            more = (size_t)side_write(&pair.a, data + 20, 10);
            fake_count--;
            break;
        case 4:
            more = (size_t)write_more(&pair, data + 20, RECORD_HELD_LEN_MAX);
            assert_int_equal(last_flags & MSG_MORE, MSG_MORE);
            break;
        case 5:
            fake_errno = EAGAIN;
            more = (size_t)side_write(&pair.a, data + 20, 10);
            assert_true(record_pending(&pair.a.conn));
            fake_errno = 0;
            assert_int_equal(record_flush(&pair.a.conn, pair.a.fd), 0);
            fake_count--;
            break;
        }
        assert_int_equal(fake_count, 1);
        assert_false(record_held(&pair.a.conn) > 0 || record_pending(&pair.a.conn));
        settle(pair.a.fd, pair.b.fd);
        assert_int_equal(side_read(&pair.b, got, sizeof(got)), 20 + more);
        assert_memory_equal(got, data, 20 + more);
        pair_done(&pair);
    }
}

/* The kernel's answers: what passes by, and what ends the connection. */
static void
errors_of_the_kernel(void **state)
{
    (void)state;
    static const struct {
        int err;
        bool sticky;
    } cases[] = {{EAGAIN, false},    {ENOBUFS, false}, {ENOMEM, false},
                 {EBADF, false},     {EPIPE, true},    {EIO, true},
                 {ECONNRESET, true}, {ETIMEDOUT, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;

        pair_init(&pair, TLS_1_3);
        record_io.send = fake_send;
        fake_result = -1;
        fake_errno = cases[i].err;
        ssize_t n = side_write(&pair.a, data, 1000);
        assert_int_equal(n, cases[i].sticky ? -cases[i].err : 1000);
        assert_int_equal(record_pending(&pair.a.conn), !cases[i].sticky);
        if (!cases[i].sticky) {
            assert_int_equal(side_write(&pair.a, data, 1000), -cases[i].err);
        }
        fake_errno = 0;
        n = side_write(&pair.a, data, 1000);
        assert_int_equal(n, cases[i].sticky ? -cases[i].err : 1000);
        if (!cases[i].sticky) {
            settle(pair.a.fd, pair.b.fd);
            assert_int_equal(side_read(&pair.b, got, 3000), 2000);
        }
        pair_done(&pair);
    }
}

/* An error behind accepted data: the short count now, the error at the next call. */
static void
error_after_a_part(void **state)
{
    (void)state;
    struct pair pair;

    pair_init(&pair, TLS_1_3);
    record_io.send = fake_send;
    fake_errno = 0;
    fake_result = 100; /* of the first batch; the next call fails */
    assert_int_equal(side_write(&pair.a, data, sizeof(data)), RECORD_BATCH_PLAINTEXT_MAX);
    assert_int_equal(side_write(&pair.a, data, sizeof(data)), -EPIPE);
    assert_false(record_pending(&pair.a.conn));
    pair_done(&pair);
}

/* One system call for each batch. */
static void
batches(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        int calls;
    } cases[] = {{1, 1}, {16384, 1}, {65536, 1}, {65537, 2}, {200000, 4}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;
        int big = 1 << 22;

        pair_init(&pair, TLS_1_3);
        setsockopt(pair.a.fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
        record_io.send = fake_send;
        fake_result = -1;
        fake_errno = 0;
        fake_count = 0;
        assert_int_equal(side_write(&pair.a, data, cases[i].len), cases[i].len);
        assert_int_equal(fake_count, cases[i].calls);
        pair_done(&pair);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pending_with_small_buffers),
        cmocka_unit_test(accepts_one_batch_too_many),
        cmocka_unit_test(key_update_behind_pending),
        cmocka_unit_test(broken_pipe),
        cmocka_unit_test(flags_are_filtered),
        cmocka_unit_test(more_is_held),
        cmocka_unit_test(errors_of_the_kernel),
        cmocka_unit_test(error_after_a_part),
        cmocka_unit_test(batches),
    };

    signal(SIGPIPE, on_pipe);
    make_data();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
