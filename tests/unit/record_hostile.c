/*
 * What a peer must not send: each is answered with the alert that the RFC asks for, gives
 * the program an error and no byte, and leaves the socket readable for ever.
 */
#include "tests/lib/record_pair.h"

#define HELLO "hello, world"
#define HELLO_LEN (sizeof(HELLO) - 1)
#define TLS_1_3 (&suite_cases[0])
#define TLS_1_2 (&suite_cases[3])

static uint8_t buf[1 << 20];
static uint8_t got[1 << 17];

/* a has found out: no plaintext, this alert on the wire, and so for ever. */
static void
expect_refusal(struct pair *pair, uint8_t alert)
{
    memset(got, 0x77, sizeof(got));
    assert_int_equal(side_read(&pair->a, got, 20000), -EPROTO);
    for (size_t i = 0; i < 20000; i++) {
        assert_int_equal(got[i], 0x77);
    }
    pair_expect_alert(pair, 2, alert);
    assert_int_equal(pair_receive(pair, got, &(uint8_t){0}), -1); /* FIN, nothing else */
    assert_int_equal(pair->a.rec->alert_sent, alert);
    assert_int_equal(side_read(&pair->a, got, 10), -EPROTO);
    assert_int_equal(side_peek(&pair->a, got, 10), -EPROTO);
    assert_int_equal(side_write(&pair->a, "x", 1), -EPROTO);
    assert_int_equal(record_close_notify(&pair->a.conn, pair->a.fd), -EPROTO);
    assert_int_equal(record_readable(&pair->a.conn, pair->a.fd), 1);
    assert_int_equal(record_available(&pair->a.conn, pair->a.fd), 0);
    assert_true(side_is_readable(&pair->a));
}

/* The ways by which a record gets opened: read ahead, one by one, or only looked at. */
enum way { AHEAD, ONE_BY_ONE, LOOK, WAYS };

static void
go(struct pair *pair, enum way way)
{
    if (way == LOOK) {
        assert_int_equal(record_readable(&pair->a.conn, pair->a.fd), 1);
    } else if (way == ONE_BY_ONE) {
        assert_int_equal(side_read(&pair->a, got, 3), -EPROTO);
    }
}

/* Every byte of a record, one bit each. */
static void
tampered(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        size_t len = HELLO_LEN + suite_cases[s].overhead;

        for (size_t at = 0; at < len; at++) {
            struct pair pair;
            uint8_t want = 20;
            bool is_1_3 = suite_cases[s].version == 0x0304;

            /* A longer length waits for more, or is too long. */
            if (at == 3 || at == 4) {
                continue;
            }
            if (at == 0 && is_1_3) { /* for 1.2 it becomes a handshake record */
                want = 10;
            } else if (at > 0 && at < 3 && !is_1_3) {
                want = 70;
            }
            pair_init(&pair, &suite_cases[s]);
            assert_int_equal(wire_seal(&pair.to_a, 23, HELLO, HELLO_LEN, 0, buf), len);
            buf[at] ^= (uint8_t)(1 << at % 8);
            pair_raw(&pair, buf, len);
            settle(pair.b.fd, pair.a.fd);
            go(&pair, at % WAYS);
            expect_refusal(&pair, want);
            pair_done(&pair);
        }
    }
}

/* The second of two records is bad: the first is delivered, then comes the error. */
static void
good_then_bad(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        size_t len = wire_seal(&pair.to_a, 23, HELLO, HELLO_LEN, 0, buf);
        len += wire_seal(&pair.to_a, 23, HELLO, HELLO_LEN, 0, buf + len);
        buf[len - 1] ^= 1;
        pair_raw(&pair, buf, len);
        settle(pair.b.fd, pair.a.fd);
        assert_int_equal(side_read(&pair.a, got, 1000), HELLO_LEN);
        assert_memory_equal(got, HELLO, HELLO_LEN);
        assert_true(side_is_readable(&pair.a));
        expect_refusal(&pair, 20);
        pair_done(&pair);
    }
}

static void
replayed_lost_and_swapped(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (int what = 0; what < 3; what++) {
            struct pair pair;

            pair_init(&pair, &suite_cases[s]);
            size_t one = wire_seal(&pair.to_a, 23, HELLO, HELLO_LEN, 0, buf);
            wire_seal(&pair.to_a, 23, HELLO, HELLO_LEN, 0, buf + one);
            if (what == 0) { /* replay */
                pair_raw(&pair, buf, one);
                pair_raw(&pair, buf, one);
            } else { /* the second alone, or before the first */
                pair_raw(&pair, buf + one, one);
                pair_raw(&pair, buf, what == 1 ? 0 : one);
            }
            settle(pair.b.fd, pair.a.fd);
            if (what == 0) {
                assert_int_equal(side_read(&pair.a, got, 1000), HELLO_LEN);
            }
            expect_refusal(&pair, 20);
            pair_done(&pair);
        }
    }
}

/* A record sealed with our own sending key comes back to us. */
static void
reflected(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        pair_raw(&pair, buf, wire_seal(&pair.from_a, 23, HELLO, HELLO_LEN, 0, buf));
        pair.from_a.keys.seq--;
        settle(pair.b.fd, pair.a.fd);
        expect_refusal(&pair, 20);
        pair_done(&pair);
    }
}

/* Bare headers. */
static void
headers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const struct suite_case *suite;
        uint8_t header[5];
        uint8_t want;
    } cases[] = {
        {"1.3 plaintext alert", TLS_1_3, {21, 3, 3, 0, 2}, 10},
        {"1.3 alert type, right length", TLS_1_3, {21, 3, 3, 0, 19}, 10},
        {"1.3 ChangeCipherSpec", TLS_1_3, {20, 3, 3, 0, 1}, 10},
        {"1.3 handshake in the clear", TLS_1_3, {22, 3, 3, 0, 40}, 10},
        {"1.3 heartbeat", TLS_1_3, {24, 3, 3, 0, 40}, 10},
        {"1.3 HTTP", TLS_1_3, {'G', 'E', 'T', ' ', '/'}, 10},
        {"1.3 one too long", TLS_1_3, {23, 3, 3, 0x41, 0x01}, 22},
        {"1.3 much too long", TLS_1_3, {23, 3, 3, 0xff, 0xff}, 22},
        {"1.3 empty", TLS_1_3, {23, 3, 3, 0, 0}, 20},
        {"1.3 no room for a type", TLS_1_3, {23, 3, 3, 0, 16}, 20},
        {"1.2 ChangeCipherSpec", TLS_1_2, {20, 3, 3, 0, 1}, 10},
        {"1.2 heartbeat", TLS_1_2, {24, 3, 3, 0, 40}, 10},
        {"1.2 version 1.1", TLS_1_2, {23, 3, 2, 0, 40}, 70},
        {"1.2 version 1.3", TLS_1_2, {23, 3, 4, 0, 40}, 70},
        {"1.2 SSLv2", TLS_1_2, {0x80, 0x2e, 1, 0, 2}, 70},
        {"1.2 one too long", TLS_1_2, {23, 3, 3, 0x41, 0x01}, 22},
        {"1.2 much too long", TLS_1_2, {23, 3, 3, 0xff, 0xff}, 22},
        {"1.2 empty", TLS_1_2, {23, 3, 3, 0, 0}, 20},
        {"1.2 too short", TLS_1_2, {23, 3, 3, 0, 23}, 20},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (enum way way = AHEAD; way < WAYS; way++) {
            struct pair pair;

            print_message("           %s\n", cases[i].name);
            pair_init(&pair, cases[i].suite);
            pair_raw(&pair, cases[i].header, 5);
            settle(pair.b.fd, pair.a.fd);
            go(&pair, way);
            expect_refusal(&pair, cases[i].want);
            pair_done(&pair);
        }
    }
}

/* Well sealed, badly meant. */
static void
contents(void **state)
{
    (void)state;
    static const uint8_t big_ticket[] = {4, 3, 0, 0, 0};
    static const uint8_t update_2[] = {24, 0, 0, 1, 2};
    static const uint8_t update_short[] = {24, 0, 0, 0};
    static const uint8_t update_long[] = {24, 0, 0, 2, 0, 0};
    static const uint8_t update_more[] = {24, 0, 0, 1, 0, 4, 0, 0, 0};
    static const uint8_t request[] = {13, 0, 0, 3, 0, 0, 0};
    static const uint8_t finished[] = {20, 0, 0, 4, 1, 2, 3, 4};
    static const uint8_t client_hello[] = {1, 0, 0, 4, 3, 3, 0, 0};
    static const uint8_t two_hello_requests[] = {0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t close_and_more[] = {1, 0, 0};
    static const struct {
        const char *name;
        const struct suite_case *suite;
        uint8_t type;
        const void *data;
        size_t len;
        size_t pad;
        uint8_t want;
    } cases[] = {
        {"1.3 type 0: nothing but zeros", TLS_1_3, 0, "\0\0\0", 3, 9, 10},
        {"1.3 ChangeCipherSpec inside", TLS_1_3, 20, "\1", 1, 0, 10},
        {"1.3 unknown type", TLS_1_3, 99, "x", 1, 0, 10},
        {"1.3 plaintext too long", TLS_1_3, 23, buf, 16385, 0, 22},
        {"1.3 plaintext and padding too long", TLS_1_3, 23, buf, 16384, 1, 22},
        {"1.3 padding alone too long", TLS_1_3, 23, buf, 0, 16385, 22},
        {"1.3 empty handshake", TLS_1_3, 22, "", 0, 0, 10},
        {"1.3 empty alert", TLS_1_3, 21, "", 0, 0, 50},
        {"1.3 alert of one byte", TLS_1_3, 21, "\2", 1, 0, 50},
        {"1.3 alerts in one record", TLS_1_3, 21, close_and_more, 3, 0, 50},
        {"1.3 ticket too long", TLS_1_3, 22, big_ticket, 5, 0, 50},
        {"1.3 KeyUpdate value", TLS_1_3, 22, update_2, 5, 0, 47},
        {"1.3 KeyUpdate too short", TLS_1_3, 22, update_short, 4, 0, 50},
        {"1.3 KeyUpdate too long", TLS_1_3, 22, update_long, 6, 0, 50},
        {"1.3 KeyUpdate not last", TLS_1_3, 22, update_more, 9, 0, 10},
        {"1.3 CertificateRequest", TLS_1_3, 22, request, 7, 0, 10},
        {"1.3 Finished", TLS_1_3, 22, finished, 8, 0, 10},
        {"1.3 ClientHello", TLS_1_3, 22, client_hello, 8, 0, 10},
        {"1.2 plaintext too long", TLS_1_2, 23, buf, 16385, 0, 22},
        {"1.2 ClientHello", TLS_1_2, 22, client_hello, 8, 0, 40},
        {"1.2 Finished", TLS_1_2, 22, finished, 8, 0, 10},
        {"1.2 empty handshake", TLS_1_2, 22, "", 0, 0, 10},
        {"1.2 HelloRequest twice", TLS_1_2, 22, two_hello_requests, 8, 0, 10},
        {"1.2 alert of one byte", TLS_1_2, 21, "\2", 1, 0, 50},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (enum way way = AHEAD; way < WAYS; way++) {
            struct pair pair;

            print_message("           %s\n", cases[i].name);
            pair_init(&pair, cases[i].suite);
            pair_send(&pair, cases[i].type, cases[i].data, cases[i].len, cases[i].pad);
            go(&pair, way);
            expect_refusal(&pair, cases[i].want);
            pair_done(&pair);
        }
    }
}

/* A handshake message that has begun goes on in the next record, not after data. */
static void
data_inside_a_message(void **state)
{
    (void)state;
    static const struct {
        const uint8_t begin[9];
        size_t len;
    } cases[] = {
        {{4}, 1}, {{4, 0, 0, 9}, 4}, {{4, 0, 0, 9, 1, 2}, 6}, {{24, 0, 0, 1}, 4}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;

        pair_init(&pair, TLS_1_3);
        pair_send(&pair, 22, cases[i].begin, cases[i].len, 0);
        assert_int_equal(side_read(&pair.a, got, 100), -EAGAIN);
        pair_send(&pair, 23, HELLO, HELLO_LEN, 0);
        expect_refusal(&pair, 10);
        pair_done(&pair);
    }
}

/* As many as are let through, and one more; application data starts the count again. */
static void
floods(void **state)
{
    (void)state;
    static const uint8_t ticket[] = {4, 0, 0, 1, 0};
    static const uint8_t update[] = {24, 0, 0, 1, 0};
    static const struct {
        const char *name;
        const struct suite_case *suite;
        uint8_t type;
        const void *data;
        size_t len;
        size_t pad;
        int limit;
    } cases[] = {
        {"1.3 empty", TLS_1_3, 23, "", 0, 0, 32},
        {"1.3 padding", TLS_1_3, 23, "", 0, 1000, 32},
        {"1.3 user_canceled", TLS_1_3, 21, "\1\x5a", 2, 0, 32},
        {"1.3 tickets", TLS_1_3, 22, ticket, 5, 0, 1024},
        {"1.3 KeyUpdate", TLS_1_3, 22, update, 5, 0, 64},
        {"1.2 empty", TLS_1_2, 23, "", 0, 0, 32},
        {"1.2 warnings", TLS_1_2, 21, "\1\x64", 2, 0, 32},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int twice = 0; twice < 2; twice++) {
            struct pair pair;

            pair_init(&pair, cases[i].suite);
            for (int round = 0; round <= twice; round++) {
                for (int n = 0; n < cases[i].limit; n++) {
                    pair_raw(&pair, buf,
                             wire_seal(&pair.to_a, cases[i].type, cases[i].data,
                                       cases[i].len, cases[i].pad, buf));
                    if (cases[i].data == update) {
                        wire_update(&pair.to_a);
                    }
                }
                settle(pair.b.fd, pair.a.fd);
                assert_int_equal(side_read(&pair.a, got, 30000), -EAGAIN);
                assert_false(side_is_readable(&pair.a));
                if (round < twice) {
                    pair_send(&pair, 23, "x", 1, 0);
                    assert_int_equal(side_read(&pair.a, got, 30000), 1);
                }
            }
            pair_send(&pair, cases[i].type, cases[i].data, cases[i].len, cases[i].pad);
            expect_refusal(&pair, 10);
            pair_done(&pair);
        }
    }
}

/* The counter has an end, long before it wraps. */
static void
worn_out(void **state)
{
    (void)state;
    struct pair pair;
    uint64_t end = UINT64_C(1) << 48;

    pair_init(&pair, TLS_1_2);
    pair.a.rec->tx.seq = pair.from_a.keys.seq = end - 1;
    assert_int_equal(side_write(&pair.a, "x", 1), 1);
    assert_int_equal(side_write(&pair.a, "x", 1), -EKEYEXPIRED);
    assert_int_equal(side_write(&pair.a, "x", 1), -EKEYEXPIRED);
    uint8_t type = 0;
    assert_int_equal(pair_receive(&pair, got, &type), 1);
    assert_int_equal(pair_receive(&pair, got, &type), -1);
    pair_done(&pair);

    pair_init(&pair, TLS_1_2);
    pair.a.rec->rx.seq = pair.to_a.keys.seq = end;
    pair_send(&pair, 23, "x", 1, 0);
    expect_refusal(&pair, 80);
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tampered),
        cmocka_unit_test(good_then_bad),
        cmocka_unit_test(replayed_lost_and_swapped),
        cmocka_unit_test(reflected),
        cmocka_unit_test(headers),
        cmocka_unit_test(contents),
        cmocka_unit_test(data_inside_a_message),
        cmocka_unit_test(floods),
        cmocka_unit_test(worn_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
