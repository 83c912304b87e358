/* One record, several threads, processes and signal handlers. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "shim/record/lock.h"
#include "tests/lib/record_pair.h"

#define TLS_1_3 (&suite_cases[0])
#define STREAM_LEN ((size_t)100 * 1024 * 1024)
#define CHUNK_LEN ((size_t)256 * 1024)

static uint8_t pattern[CHUNK_LEN + 65536];
static uint8_t got[1 << 17];

static void
make_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i % 65536 * 37 + i % 65536 / 256);
    }
}

static void
wait_for(int fd, short events)
{
    struct pollfd pfd = {.fd = fd, .events = events};

    if (poll(&pfd, 1, 10000) != 1) {
        abort();
    }
}

static void *
write_stream(void *arg)
{
    struct side *side = arg;

    for (size_t done = 0; done < STREAM_LEN;) {
        size_t want = STREAM_LEN - done < CHUNK_LEN ? STREAM_LEN - done : CHUNK_LEN;
        ssize_t n = side_write(side, pattern + done % 65536, want);

        if (n == -EAGAIN) {
            wait_for(side->fd, POLLOUT);
        } else if (n <= 0) {
            return "write";
        } else {
            done += (size_t)n;
        }
    }
    for (int err; (err = record_flush(&side->conn, side->fd)) != 0;) {
        if (err != -EAGAIN) {
            return "flush";
        }
        wait_for(side->fd, POLLOUT);
    }
    return NULL;
}

static void *
read_stream(void *arg)
{
    struct side *side = arg;
    uint8_t *buf = malloc(CHUNK_LEN);
    char *fault = buf == NULL ? "memory" : NULL;

    for (size_t done = 0; done < STREAM_LEN && fault == NULL;) {
        ssize_t n = side_read(side, buf, done % 7 == 0 ? 1000 : CHUNK_LEN);

        if (n == -EAGAIN) {
            wait_for(side->fd, POLLIN);
        } else if (n <= 0) {
            fault = "read";
        } else if (memcmp(buf, pattern + done % 65536, (size_t)n) != 0) {
            fault = "data";
        } else {
            done += (size_t)n;
        }
    }
    free(buf);
    return fault;
}

/* Both directions at once, 100 MB each, with key changes under way. */
static void
full_duplex(void **state)
{
    (void)state;
    static void *(*const work[4])(void *) = {write_stream, read_stream, write_stream,
                                             read_stream};
    struct pair pair;
    pthread_t threads[4];

    pair_init(&pair, TLS_1_3);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, work[i], i < 2 ? &pair.a : &pair.b), 0);
    }
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        assert_int_equal(record_key_update(&pair.a.conn, pair.a.fd, i % 2 == 0), 0);
        assert_int_equal(record_key_update(&pair.b.conn, pair.b.fd, false), 0);
        record_trim(&pair.a.conn);
        record_readable(&pair.b.conn, pair.b.fd);
    }
    for (int i = 0; i < 4; i++) {
        void *fault;

        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    assert_true(pair.a.rec->tx.epoch > 1);
    assert_true(pair.b.rec->tx.epoch > 1);
    assert_int_equal(pair.a.rec->tx.bytes, STREAM_LEN);
    assert_int_equal(pair.a.rec->rx.bytes, STREAM_LEN);
    pair_done(&pair);
}

static int
child_status(pid_t pid)
{
    int status = 0;

    alarm(20);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    alarm(0);
    return status;
}

/* Parent and child use one connection by turns: one key, one sequence, no nonce twice. */
static void
fork_shares_the_sequence(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        assert_int_equal(side_write(&pair.a, "1", 1), 1);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            bool fine = side_write(&pair.a, "2", 1) == 1 &&
                        (suite_cases[s].version == 0x0303 ||
                         record_key_update(&pair.a.conn, pair.a.fd, false) == 0) &&
                        side_write(&pair.a, "3", 1) == 1 &&
                        side_read(&pair.b, got, 2) == 2;
            _exit(fine ? 0 : 1);
        }
        assert_int_equal(child_status(pid), 0);
        assert_int_equal(side_write(&pair.a, "4", 1), 1); /* with the child's new key */
        settle(pair.a.fd, pair.b.fd);
        assert_int_equal(side_read(&pair.b, got, 100), 2);
        assert_memory_equal(got, "34", 2);
        pair_done(&pair);
    }
}

/* A partial record and a leftover are seen by the other process, too. */
static void
fork_shares_what_is_kept(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t wire[200];

    pair_init(&pair, TLS_1_3);
    pair_send(&pair, 23, "leftover", 8, 0);
    assert_int_equal(side_read(&pair.a, got, 4), 4);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        size_t len = wire_seal(&pair.to_a, 23, "partial", 7, 0, wire);
        bool fine = side_read(&pair.a, got, 4) == 4 && memcmp(got, "over", 4) == 0;

        pair_raw(&pair, wire, len / 2);
        settle(pair.b.fd, pair.a.fd);
        fine &= side_read(&pair.a, got, 4) == -EAGAIN;
        pair_raw(&pair, wire + len / 2, len - len / 2);
        _exit(fine ? 0 : 1);
    }
    assert_int_equal(child_status(pid), 0);
    settle(pair.b.fd, pair.a.fd);
    assert_int_equal(side_read(&pair.a, got, 100), 7);
    assert_memory_equal(got, "partial", 7);
    pair_done(&pair);
}

static ssize_t
die_in_recv(int fd, void *buf, size_t len, int flags)
{
    recv(fd, buf, len, flags);
    _exit(3);
}

static ssize_t
die_in_send(int fd, const void *buf, size_t len, int flags)
{
    send(fd, buf, len / 2, flags);
    _exit(3);
}

/* A process dies holding a lock: the others get an error, no key is used again. */
static void
dead_owner(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        for (int then = 0; then < 5; then++) {
            struct pair pair;

            pair_init(&pair, TLS_1_3);
            pair_send(&pair, 23, "abc", 3, 0);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                record_io.recv = die_in_recv;
                record_io.send = die_in_send;
                _exit(what == 0 ? (int)side_read(&pair.a, got, 100)
                                : (int)side_write(&pair.a, "xyz", 3));
            }
            int status = child_status(pid);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
            uint64_t seq = pair.a.rec->tx.seq;
            if (then == 1) {
                record_trim(&pair.a.conn);
            } else if (then == 2 && what == 0) {
                assert_int_equal(record_readable(&pair.a.conn, pair.a.fd), 1);
            } else if (then == 3 && what == 1) {
                assert_int_equal(record_flush(&pair.a.conn, pair.a.fd), -ECONNRESET);
            } else if (then == 4 && what == 1) {
                assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd),
                                 -ECONNRESET);
            }
            if (what == 0) {
                assert_int_equal(side_read(&pair.a, got, 100), -ECONNRESET);
                assert_int_equal(side_write(&pair.a, "x", 1), -ECONNRESET);
            } else {
                assert_int_equal(side_write(&pair.a, "x", 1), -ECONNRESET);
                assert_int_equal(side_read(&pair.a, got, 100), -ECONNRESET);
            }
            assert_int_equal(side_read(&pair.a, got, 100), -ECONNRESET);
            assert_int_equal(pair.a.rec->tx.seq, seq);
            if (then != 1) {
                assert_true(side_is_readable(&pair.a));
            }
            pair_done(&pair);
        }
    }
}

/* A signal handler that comes in the middle of a call, and uses the same record. */
static struct pair *handler_pair;
static ssize_t handler_results[4];
static atomic_int handler_runs;

static void
on_signal(int sig)
{
    (void)sig;
    if (atomic_fetch_add(&handler_runs, 1) == 0) {
        char c;

        handler_results[0] = side_read(&handler_pair->a, &c, 1);
        handler_results[1] = side_write(&handler_pair->a, "h", 1);
        handler_results[2] = record_readable(&handler_pair->a.conn, handler_pair->a.fd);
        handler_results[3] = record_flush(&handler_pair->a.conn, handler_pair->a.fd);
    }
}

static ssize_t
signal_in_recv(int fd, void *buf, size_t len, int flags)
{
    raise(SIGUSR1);
    return recv(fd, buf, len, flags);
}

static ssize_t
signal_in_send(int fd, const void *buf, size_t len, int flags)
{
    raise(SIGUSR1);
    return send(fd, buf, len, flags);
}

static void
signal_handler_in_the_same_direction(void **state)
{
    (void)state;
    struct pair pair;

    signal(SIGUSR1, on_signal);
    pair_init(&pair, TLS_1_3);
    handler_pair = &pair;
    pair_send(&pair, 23, "abc", 3, 0);

    /* In the middle of reading: reading is refused, writing works, with its own stage. */
    handler_runs = 0;
    record_io.recv = signal_in_recv;
    assert_int_equal(side_read(&pair.a, got, 100), 3);
    assert_memory_equal(got, "abc", 3);
    record_io.recv = recv;
    assert_int_equal(handler_results[0], -EDEADLK);
    assert_int_equal(handler_results[1], 1);
    assert_int_equal(handler_results[2], 1); /* a read would not give -EAGAIN */
    assert_int_equal(handler_results[3], 0);

    /* In the middle of writing: the other way round, and nothing is disturbed. */
    pair_send(&pair, 23, "d", 1, 0);
    handler_runs = 0;
    record_io.send = signal_in_send;
    assert_int_equal(side_write(&pair.a, "w", 1), 1);
    record_io.send = send;
    assert_int_equal(handler_results[0], 1);
    assert_int_equal(handler_results[1], -EDEADLK);
    assert_int_equal(handler_results[3], -EDEADLK);
    settle(pair.a.fd, pair.b.fd);
    assert_int_equal(side_read(&pair.b, got, 100), 2);
    assert_memory_equal(got, "hw", 2);
    pair_done(&pair);
}

/*
 * One thread writes, and is interrupted by a handler that reads; another reads meanwhile
 * and has to answer with an alert.  Neither may wait for the other for ever.
 */
static atomic_int cross_step;

static void
on_cross(int sig)
{
    char c;

    (void)sig;
    if (atomic_fetch_add(&handler_runs, 1) > 0) {
        return;
    }
    cross_step = 1; /* tx is held: now the other one may go and take rx */
    for (int i = 0; i < 5000 && cross_step != 2; i++) {
        usleep(1000);
    }
    handler_results[0] = side_read(&handler_pair->a, &c, 1);
}

static ssize_t
cross_in_recv(int fd, void *buf, size_t len, int flags)
{
    cross_step = 2; /* rx is held: now the handler may go and wait for it */
    usleep(20000);
    return recv(fd, buf, len, flags);
}

static void *
read_what_is_bad(void *arg)
{
    char c;

    for (int i = 0; i < 5000 && cross_step != 1; i++) {
        usleep(1000);
    }
    return side_read(arg, &c, 1) == -EPROTO ? NULL : arg;
}

static void
locks_across_a_signal_handler(void **state)
{
    (void)state;
    struct pair pair;
    pthread_t thread;
    void *result;

    signal(SIGUSR1, on_cross);
    pair_init(&pair, TLS_1_3);
    handler_pair = &pair;
    cross_step = 0;
    handler_runs = 0;
    pair_send(&pair, 99, "no such type", 12, 0);
    record_io.recv = cross_in_recv;
    record_io.send = signal_in_send;
    assert_int_equal(pthread_create(&thread, NULL, read_what_is_bad, &pair.a), 0);
    alarm(20);
    side_write(&pair.a, "w", 1);
    assert_int_equal(pthread_join(thread, &result), 0);
    alarm(0);
    assert_null(result);
    assert_true(handler_results[0] == -EPROTO || handler_results[0] == -EDEADLK);
    record_io.recv = recv;
    record_io.send = send;
    pair_done(&pair);
}

/* Cancelled in the middle of a system call, by its type at once: not before its bytes are
 * safe. */
static atomic_int cancel_step;

static ssize_t
cancel_in_recv(int fd, void *buf, size_t len, int flags)
{
    cancel_step = 1;
    for (int i = 0; i < 5000 && cancel_step != 2; i++) {
        usleep(1000);
    }
    return recv(fd, buf, len, flags);
}

/* What is read is lost to a thread that goes the moment it may, as in plain TCP. */
static void *
read_and_be_cancelled(void *arg)
{
    char c;

    record_lock_shield_threads();
    /* What must not be done is what is tested. NOLINTNEXTLINE(cert-pos47-c) */
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    side_read(arg, &c, 1);
    return NULL;
}

static void
cancellation_waits(void **state)
{
    (void)state;
    struct pair pair;
    pthread_t thread;

    pair_init(&pair, TLS_1_3);
    pair_send(&pair, 23, "ab", 2, 0);
    cancel_step = 0;
    record_io.recv = cancel_in_recv;
    assert_int_equal(pthread_create(&thread, NULL, read_and_be_cancelled, &pair.a), 0);
    for (int i = 0; i < 5000 && cancel_step != 1; i++) {
        usleep(1000);
    }
    assert_int_equal(pthread_cancel(thread), 0);
    record_io.recv = recv;
    cancel_step = 2;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(side_read(&pair.a, got, 100), 1);
    assert_int_equal(got[0], 'b');
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_duplex),
        cmocka_unit_test(fork_shares_the_sequence),
        cmocka_unit_test(fork_shares_what_is_kept),
        cmocka_unit_test(dead_owner),
        cmocka_unit_test(signal_handler_in_the_same_direction),
        cmocka_unit_test(locks_across_a_signal_handler),
        cmocka_unit_test(cancellation_waits),
    };

    make_pattern();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
