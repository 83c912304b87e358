/* The life between the data: alerts, ends of stream, tickets, KeyUpdate. */
#include "tests/lib/record_pair.h"

#define TLS_1_3 (&suite_cases[0])
#define TLS_1_2 (&suite_cases[3])

static uint8_t buf[1 << 20];
static uint8_t got[1 << 20];

static void
close_notify(struct pair *pair)
{
    pair_send(pair, 21, "\1\0", 2, 0);
}

static void
expect_end(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        assert_true(side_is_readable(&pair->a));
        assert_int_equal(record_readable(&pair->a.conn, pair->a.fd), 1);
        assert_int_equal(record_available(&pair->a.conn, pair->a.fd), 0);
        assert_int_equal(side_peek(&pair->a, got, 10), 0);
        assert_int_equal(side_read(&pair->a, got, 10), 0);
    }
}

/* An end of stream after data, however it is read, and nothing after it. */
static void
ends_by_close_notify(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (int way = 0; way < 4; way++) {
            struct pair pair;

            pair_init(&pair, &suite_cases[s]);
            pair_send(&pair, 23, "data", 4, 0);
            close_notify(&pair);
            pair_send(&pair, 23, "late", 4, 0);
            if (way == 1) {
                assert_int_equal(record_available(&pair.a.conn, pair.a.fd), 4);
            }
            if (way == 2) {
                assert_int_equal(side_read(&pair.a, got, 3), 3);
                assert_int_equal(side_read(&pair.a, got + 3, 1), 1);
            } else if (way == 3) {
                assert_int_equal(side_read(&pair.a, got, 4), 4);
            } else {
                assert_int_equal(side_read(&pair.a, got, 100), 4);
            }
            assert_memory_equal(got, "data", 4);
            expect_end(&pair);
            /* The other direction goes on. */
            assert_int_equal(side_write(&pair.a, "answer", 6), 6);
            uint8_t type = 0;
            assert_int_equal(pair_receive(&pair, got, &type), 6);
            assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), 0);
            pair_expect_alert(&pair, 1, 0);
            pair_done(&pair);
        }
    }
}

static void
half_close_of_ours(void **state)
{
    (void)state;
    struct pair pair;

    pair_init(&pair, TLS_1_3);
    assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), 0);
    assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd),
                     0); /* only one goes out */
    assert_int_equal(side_write(&pair.a, "x", 1), -EPIPE);
    assert_int_equal(record_flush(&pair.a.conn, pair.a.fd), 0);
    shutdown(pair.a.fd, SHUT_WR);
    pair_expect_alert(&pair, 1, 0);
    assert_int_equal(pair_receive(&pair, got, &(uint8_t){0}), -1);
    pair_send(&pair, 23, "still", 5, 0);
    assert_int_equal(side_read(&pair.a, got, 100), 5);
    pair_done(&pair);
}

/* FIN without close_notify, at every kind of place. */
static void
ends_by_truncation(void **state)
{
    (void)state;
    static const size_t cuts[] = {0, 3, 5, 25, 26}; /* of 26 bytes on the wire */

    for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
        for (int way = 0; way < 3; way++) {
            struct pair pair;
            int want = way == 0 ? -ECONNRESET : 0;

            pair_init(&pair, TLS_1_3);
            assert_int_equal(wire_seal(&pair.to_a, 23, "data", 4, 0, buf), 26);
            pair_raw(&pair, buf, cuts[c]);
            shutdown(pair.b.fd, SHUT_WR);
            settle(pair.b.fd, pair.a.fd);
            pair.a.rec->truncation_is_eof = way == 1;
            if (way == 2) {
                record_ignore_input(&pair.a.conn);
            }
            if (cuts[c] == 26) {
                assert_int_equal(record_readable(&pair.a.conn, pair.a.fd), 1);
                assert_int_equal(side_read(&pair.a, got, 100), 4);
            }
            for (int i = 0; i < 2; i++) {
                side_wait(&pair.a);
                assert_int_equal(record_readable(&pair.a.conn, pair.a.fd), 1);
                assert_int_equal(side_read(&pair.a, got, 100), want);
            }
            assert_int_equal(side_write(&pair.a, "x", 1),
                             1); /* FIN says nothing of this */
            pair_done(&pair);
        }
    }
}

static void
ends_by_reset(void **state)
{
    (void)state;
    struct pair pair;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    pair_init(&pair, TLS_1_3);
    setsockopt(pair.b.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(pair.b.fd);
    pair.b.fd = -1;
    side_wait(&pair.a);
    assert_int_equal(side_read(&pair.a, got, 100), -ECONNRESET);
    assert_int_equal(side_read(&pair.a, got, 100), -ECONNRESET);
    assert_true(side_is_readable(&pair.a));
    pair_done(&pair);
}

static void
alerts_received(void **state)
{
    (void)state;
    static const struct {
        const struct suite_case *suite;
        uint8_t alert[2];
        int want; /* of reading */
    } cases[] = {
        {TLS_1_3, {2, 20}, -ECONNRESET},
        {TLS_1_3, {2, 49}, -ECONNRESET},
        {TLS_1_3, {1, 42}, -ECONNRESET}, /* the level means nothing in 1.3 */
        {TLS_1_3, {2, 123}, -ECONNRESET},
        {TLS_1_3, {1, 90}, -EAGAIN},
        {TLS_1_3, {1, 100}, -ECONNRESET},
        {TLS_1_2, {2, 40}, -ECONNRESET},
        {TLS_1_2, {1, 100}, -EAGAIN},
        {TLS_1_2, {1, 90}, -EAGAIN},
        {TLS_1_2, {1, 42}, -EAGAIN},
        {TLS_1_2, {2, 100}, -ECONNRESET},
        {TLS_1_3, {2, 0}, 0},
        {TLS_1_2, {2, 0}, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;

        pair_init(&pair, cases[i].suite);
        pair_send(&pair, 21, cases[i].alert, 2, 0);
        assert_int_equal(side_read(&pair.a, got, 100), cases[i].want);
        if (cases[i].want == -ECONNRESET) {
            assert_int_equal(pair.a.rec->alert_received, cases[i].alert[1]);
            assert_int_equal(side_write(&pair.a, "x", 1), -ECONNRESET);
            assert_true(side_is_readable(&pair.a));
            assert_int_equal(pair_receive(&pair, got, &(uint8_t){0}), -1); /* no answer */
        } else {
            assert_int_equal(pair.a.rec->alert_received, 255);
            assert_int_equal(side_is_readable(&pair.a), cases[i].want == 0);
        }
        assert_int_equal(pair.a.rec->alert_sent, 255);
        pair_done(&pair);
    }
}

static void
hello_request_is_declined(void **state)
{
    (void)state;
    struct pair pair;

    pair_init(&pair, TLS_1_2);
    pair_send(&pair, 22, "\0\0\0", 4, 0);
    assert_int_equal(side_read(&pair.a, got, 100), -EAGAIN);
    pair_expect_alert(&pair, 1, 100);
    pair_send(&pair, 23, "x", 1, 0);
    assert_int_equal(side_read(&pair.a, got, 100), 1);
    assert_int_equal(pair.a.rec->alert_sent, 255);
    pair_done(&pair);
}

/* Tickets: several in one record, one over many, of any fragment size. */
static void
tickets_are_skipped(void **state)
{
    (void)state;
    static const size_t fragments[] = {1, 2, 3, 4, 5, 7, 100, 1000, 5000, 16384};
    size_t len = 0;

    for (size_t n = 0; n < 9000; n = n == 0 ? 1 : n * 9) { /* sizes 0, 1, 9, 81, ... */
        uint8_t head[4] = {4, 0, (uint8_t)(n >> 8), (uint8_t)n};

        memcpy(buf + len, head, 4);
        memset(buf + len + 4, 24, n);
        len += 4 + n;
    }
    for (size_t f = 0; f < sizeof(fragments) / sizeof(fragments[0]); f++) {
        for (int way = 0; way < 2; way++) {
            struct pair pair;
            uint8_t wire[20000];

            pair_init(&pair, TLS_1_3);
            pair_send(&pair, 23, "a", 1, 0);
            /* No more records than the limit lets through. */
            size_t end = fragments[f] * 1000 < len ? 4 + 5 + 13 : len;
            for (size_t at = 0; at < end;) {
                size_t n = end - at < fragments[f] ? end - at : fragments[f];

                pair_raw(&pair, wire, wire_seal(&pair.to_a, 22, buf + at, n, 0, wire));
                at += n;
            }
            pair_send(&pair, 23, "b", 1, 0);
            if (way == 1) {
                assert_int_equal(side_read(&pair.a, got, 1), 1);
                assert_int_equal(record_available(&pair.a.conn, pair.a.fd), 1);
                assert_int_equal(side_read(&pair.a, got + 1, 1), 1);
            } else {
                assert_int_equal(side_read(&pair.a, got, 100), 2);
            }
            assert_memory_equal(got, "ab", 2);
            assert_false(side_is_readable(&pair.a));
            pair_done(&pair);
        }
    }
}

static void
key_updates_received(void **state)
{
    (void)state;
    static const uint8_t update[] = {24, 0, 0, 1, 0};

    for (size_t s = 0; s < 3; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        for (int round = 0; round < 5; round++) {
            pair_send(&pair, 23, "before", 6, 0);
            if (round % 2 == 0) {
                pair_send(&pair, 22, update, sizeof(update), 0);
            } else { /* in two pieces */
                pair_send(&pair, 22, update, 2, 0);
                pair_send(&pair, 22, update + 2, 3, 7);
            }
            wire_update(&pair.to_a);
            pair_send(&pair, 23, "after", 5, 0);
            assert_int_equal(side_read(&pair.a, got, 100), 11);
            assert_memory_equal(got, "beforeafter", 11);
        }
        assert_false(side_is_readable(&pair.b)); /* nobody asked for an answer */
        pair_done(&pair);
    }
}

static void
expect_update(struct pair *pair, uint8_t request)
{
    uint8_t want[] = {24, 0, 0, 1, request};
    uint8_t type = 0;

    assert_int_equal(pair_receive(pair, got, &type), 5);
    assert_int_equal(type, 22);
    assert_memory_equal(got, want, 5);
    wire_update(&pair->from_a);
}

/* A request is answered at once, even when the program only reads. */
static void
key_updates_answered(void **state)
{
    (void)state;
    static const uint8_t request[] = {24, 0, 0, 1, 1};

    for (size_t s = 0; s < 3; s++) {
        struct pair pair;
        uint8_t type = 0;

        pair_init(&pair, &suite_cases[s]);
        for (int round = 0; round < 3; round++) {
            pair_send(&pair, 22, request, sizeof(request), 0);
            wire_update(&pair.to_a);
            assert_int_equal(side_read(&pair.a, got, 100), -EAGAIN);
            expect_update(&pair, 0);
            assert_int_equal(side_write(&pair.a, "data", 4), 4);
            assert_int_equal(pair_receive(&pair, got, &type), 4);
            pair_send(&pair, 23, "data", 4, 0);
            assert_int_equal(side_read(&pair.a, got, 100), 4);
        }
        pair_done(&pair);
    }
}

static void
key_updates_of_ours(void **state)
{
    (void)state;
    for (size_t s = 0; s < 3; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        for (int round = 0; round < 4; round++) {
            uint64_t epoch = pair.b.rec->rx.epoch;

            assert_int_equal(record_key_update(&pair.a.conn, pair.a.fd, round % 2 == 1),
                             0);
            assert_int_equal(side_write(&pair.a, "ping", 4), 4);
            settle(pair.a.fd, pair.b.fd);
            assert_int_equal(side_read(&pair.b, got, 100), 4);
            assert_int_equal(pair.b.rec->rx.epoch, epoch + 1);
            assert_int_equal(pair.a.rec->tx.epoch, epoch + 1);
            assert_int_equal(side_write(&pair.b, "pong", 4), 4);
            settle(pair.b.fd, pair.a.fd);
            assert_int_equal(side_read(&pair.a, got, 100), 4);
            assert_int_equal(pair.a.rec->rx.epoch, 1 + (round + 1) / 2);
        }
        assert_memory_equal(pair.a.rec->tx.secret, pair.b.rec->rx.secret, 48);
        assert_memory_equal(pair.b.rec->tx.secret, pair.a.rec->rx.secret, 48);
        pair_done(&pair);
    }
    struct pair pair;
    pair_init(&pair, TLS_1_2);
    assert_int_equal(record_key_update(&pair.a.conn, pair.a.fd, false), -EOPNOTSUPP);
    pair_done(&pair);
}

/* We change the key by ourselves before it is used up. */
static void
key_updates_in_time(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t type = 0;

    pair_init(&pair, TLS_1_3);
    pair.a.rec->tx.seq = pair.from_a.keys.seq = (UINT64_C(1) << 23) - 1;
    assert_int_equal(side_write(&pair.a, "old", 3), 3);
    assert_int_equal(side_write(&pair.a, "new", 3), 3);
    assert_int_equal(pair_receive(&pair, got, &type), 3);
    expect_update(&pair, 0);
    assert_int_equal(pair_receive(&pair, got, &type), 3);
    assert_memory_equal(got, "new", 3);
    assert_int_equal(pair.a.rec->tx.seq, 1);
    pair_done(&pair);
}

/* Close without a reset: what no program would have seen is taken out of the queue. */
static void
drain(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool data, half, tickets, closed, fin;
        int want;
        bool reset; /* the peer sees RST when we close */
    } cases[] = {
        {.name = "nothing", .want = -EAGAIN},
        {.name = "close_notify", .closed = true, .want = 1},
        {.name = "close_notify and FIN", .closed = true, .fin = true, .want = 1},
        {.name = "FIN", .fin = true, .want = 1},
        {.name = "tickets", .tickets = true, .want = -EAGAIN},
        {.name = "tickets, close_notify", .tickets = true, .closed = true, .want = 1},
        {.name = "data", .data = true, .want = 0, .reset = true},
        {.name = "data half read", .data = true, .half = true, .want = 0, .reset = true},
        {.name = "data, close_notify",
         .data = true,
         .closed = true,
         .want = 0,
         .reset = true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;
        static const uint8_t ticket[] = {4, 0, 0, 2, 1, 1};

        print_message("           %s\n", cases[i].name);
        pair_init(&pair, TLS_1_3);
        if (cases[i].tickets) {
            pair_send(&pair, 22, ticket, sizeof(ticket), 0);
            pair_send(&pair, 22, ticket, sizeof(ticket), 0);
        }
        if (cases[i].data) {
            pair_send(&pair, 23, "abc", 3, 0);
        }
        if (cases[i].closed) {
            close_notify(&pair);
        }
        if (cases[i].fin) {
            shutdown(pair.b.fd, SHUT_WR);
            settle(pair.b.fd, pair.a.fd);
            side_wait(&pair.a);
        }
        if (cases[i].half) {
            assert_int_equal(side_read(&pair.a, got, 1), 1);
        }
        assert_int_equal(record_drain(&pair.a.conn, pair.a.fd), cases[i].want);
        close(pair.a.fd);
        pair.a.fd = -1;
        side_wait(&pair.b);
        ssize_t n = recv(pair.b.fd, got, 100, 0);
        assert_int_equal(n < 0, cases[i].reset);
        pair_done(&pair);
    }
}

/* Empty buffers give their pages back; what is in them stays. */
static void
trim(void **state)
{
    (void)state;
    struct pair pair;
    unsigned char in_core[RECORD_RX_BUFFER_LEN / 4096];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    memset(buf, 7, 16384);
    pair_init(&pair, TLS_1_3);
    pair_send(&pair, 23, buf, 16384, 0);
    assert_int_equal(side_read(&pair.a, got, 10), 10);
    /* Not as long as it holds something, nor when it has just been used. */
    for (int i = 0; i < 3; i++) {
        assert_true(record_trim(&pair.a.conn));
    }
    assert_int_equal(side_read(&pair.a, got + 10, 20000), 16374);
    assert_memory_equal(got, buf, 16384);
    assert_int_equal(mincore(pair.a.conn.rx_buffer, RECORD_RX_BUFFER_LEN, in_core), 0);
    assert_int_equal(in_core[0] & 1, 1);
    assert_true(record_trim(&pair.a.conn));
    assert_int_equal(mincore(pair.a.conn.rx_buffer, RECORD_RX_BUFFER_LEN, in_core), 0);
    assert_int_equal(in_core[0] & 1, 1);
    assert_false(record_trim(&pair.a.conn));
    assert_int_equal(mincore(pair.a.conn.rx_buffer, RECORD_RX_BUFFER_LEN, in_core), 0);
    for (size_t i = 0; i < RECORD_RX_BUFFER_LEN / page; i++) {
        assert_int_equal(in_core[i] & 1, 0);
    }
    assert_int_equal(pair.a.rec->rx.touched, 0);
    assert_false(record_trim(&pair.a.conn));
    pair_send(&pair, 23, buf, 16384, 0);
    assert_int_equal(side_read(&pair.a, got, 5000), 5000);
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_by_close_notify),
        cmocka_unit_test(half_close_of_ours),
        cmocka_unit_test(ends_by_truncation),
        cmocka_unit_test(ends_by_reset),
        cmocka_unit_test(alerts_received),
        cmocka_unit_test(hello_request_is_declined),
        cmocka_unit_test(tickets_are_skipped),
        cmocka_unit_test(key_updates_received),
        cmocka_unit_test(key_updates_answered),
        cmocka_unit_test(key_updates_of_ours),
        cmocka_unit_test(key_updates_in_time),
        cmocka_unit_test(drain),
        cmocka_unit_test(trim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
