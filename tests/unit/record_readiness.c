/*
 * Poll on the raw socket tells the truth: undelivered plaintext is always backed by a
 * byte in the kernel, and where there is none left, the socket is not readable.
 */
#include "tests/lib/record_pair.h"

#define RECORDS_LOST_MAX (40 * 64) /* overhead and padding of as many as a test sends */

static uint8_t wire_bytes[1 << 20];
static uint8_t plain[1 << 20];
static uint8_t got[1 << 20];

static void
make_plain(void)
{
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (uint8_t)(i * 7 + i / 256);
    }
}

/* After a step: `left` bytes of plaintext have arrived in full and are not delivered. */
static void
check(struct pair *pair, size_t left)
{
    if (left > 0) {
        assert_true(side_is_readable(&pair->a)); /* before any help */
    }
    int readable = record_readable(&pair->a.conn, pair->a.fd);

    assert_int_equal(readable, left > 0);
    assert_int_equal(side_is_readable(&pair->a), left > 0);
    size_t available = record_available(&pair->a.conn, pair->a.fd);
    assert_int_equal(available > 0, left > 0);
    if (left <= RECORD_RX_BUFFER_LEN / 2) {
        /* Another record may have begun to come in. */
        assert_true(available == left || available == left + 1);
    } else {
        /* Not looked at: taken for full records, the beginning of one included. */
        assert_true(available >= left);
        assert_true(available < left + RECORD_CIPHERTEXT_MAX + RECORDS_LOST_MAX);
    }
}

/* Every place where the kernel's queue can end inside two records, for each suite. */
static void
every_split_point(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        static const size_t first = 11;
        static const size_t second = 30;
        size_t overhead = suite_cases[s].overhead;
        size_t end = first + second + 2 * overhead;

        for (size_t split = 0; split <= end; split++) {
            for (int help = 0; help < 3; help++) {
                struct pair pair;
                size_t whole = split == end                ? first + second
                               : split >= first + overhead ? first
                                                           : 0;

                pair_init(&pair, &suite_cases[s]);
                size_t len = wire_seal(&pair.to_a, 23, plain, first, 0, wire_bytes);
                len +=
                    wire_seal(&pair.to_a, 23, plain + first, second, 0, wire_bytes + len);
                assert_int_equal(len, end);
                pair_raw(&pair, wire_bytes, split);
                settle(pair.b.fd, pair.a.fd);
                if (help == 1) {
                    check(&pair, whole);
                } else if (help == 2) {
                    ssize_t n = side_peek(&pair.a, got, sizeof(got));
                    assert_int_equal(n, whole > 0 ? (ssize_t)whole : -EAGAIN);
                    assert_memory_equal(got, plain, whole);
                }
                ssize_t n = side_read(&pair.a, got, sizeof(got));
                assert_int_equal(n, whole > 0 ? (ssize_t)whole : -EAGAIN);
                assert_false(side_is_readable(&pair.a));
                pair_raw(&pair, wire_bytes + split, end - split);
                settle(pair.b.fd, pair.a.fd);
                check(&pair, first + second - whole);
                n = side_read(&pair.a, got + whole, sizeof(got) - whole);
                assert_int_equal(n, whole < first + second
                                        ? (ssize_t)(first + second - whole)
                                        : -EAGAIN);
                assert_memory_equal(got, plain, first + second);
                assert_false(side_is_readable(&pair.a));
                pair_done(&pair);
            }
        }
    }
}

/* A record that comes byte by byte: nothing until the last one. */
static void
byte_by_byte(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        size_t len = wire_seal(&pair.to_a, 23, plain, 40, 0, wire_bytes);
        for (size_t i = 0; i < len; i++) {
            pair_raw(&pair, wire_bytes + i, 1);
            settle(pair.b.fd, pair.a.fd);
            if (i + 1 < len && i % 2 == 0) {
                assert_int_equal(side_read(&pair.a, got, 1 + i % 60), -EAGAIN);
            }
            check(&pair, i + 1 == len ? 40 : 0);
        }
        for (size_t i = 0; i < 40; i++) {
            check(&pair, 40 - i);
            assert_int_equal(side_read(&pair.a, got + i, 1), 1);
        }
        check(&pair, 0);
        assert_memory_equal(got, plain, 40);
        pair_done(&pair);
    }
}

/* Records of these sizes (0 ends the list), read in pieces of that size. */
static const struct {
    size_t records[6];
    size_t pad;
    size_t read;
} read_cases[] = {
    {{1}, 0, 1},
    {{1, 1, 1, 1, 1}, 0, 1},
    {{1, 1, 1, 1, 1}, 0, 3},
    {{100, 1, 100}, 0, 1},
    {{100, 1, 100}, 0, 99},
    {{100, 1, 100}, 0, 100},
    {{100, 1, 100}, 0, 101},
    {{100, 1, 100}, 0, 1000},
    {{100, 1, 100}, 50, 101},
    {{100, 1, 100}, 50, 1000},
    {{4, 4, 4, 4}, 300, 4},
    {{16384}, 0, 1},
    {{16384}, 0, 16383},
    {{16384}, 0, 16384},
    {{16384}, 0, 16385},
    {{16384, 16384, 16384, 16384, 16384}, 0, 16384},
    {{16384, 16384, 16384, 16384, 16384}, 0, 65536},
    {{16384, 16384, 16384, 16384, 16384}, 0, 100000},
    {{16384, 16384, 16384, 16384, 16384}, 0, 5000},
    {{16000, 1, 16000, 3, 16000}, 384, 20000},
    {{16384, 5, 16384, 5, 16384}, 0, 16390},
};

static void
every_read_size(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (size_t c = 0; c < sizeof(read_cases) / sizeof(read_cases[0]); c++) {
            struct pair pair;
            size_t total = 0;
            size_t len = 0;
            size_t done = 0;
            size_t read = read_cases[c].read;

            pair_init(&pair, &suite_cases[s]);
            for (const size_t *n = read_cases[c].records;
                 n < read_cases[c].records + 6 && *n > 0; n++) {
                len += wire_seal(&pair.to_a, 23, plain + total, *n, read_cases[c].pad,
                                 wire_bytes + len);
                total += *n;
            }
            pair_raw(&pair, wire_bytes, len);
            settle(pair.b.fd, pair.a.fd);
            while (done < total) {
                size_t want = total - done < read ? total - done : read;

                if (done % 3 != 0) {
                    check(&pair, total - done);
                }
                assert_true(side_is_readable(&pair.a));
                memset(got + done, 0x5a, read + 1);
                assert_int_equal(side_read(&pair.a, got + done, read), want);
                assert_int_equal(got[done + want], 0x5a);
                done += want;
                /* A short count means that nothing more was there. */
                assert_true(want == read || !side_is_readable(&pair.a));
            }
            assert_memory_equal(got, plain, total);
            check(&pair, 0);
            assert_int_equal(side_read(&pair.a, got, read), -EAGAIN);
            pair_done(&pair);
        }
    }
}

/* Random records, reads, peeks and polls, with the queue cut anywhere. */
static void
random_walk(void **state)
{
    (void)state;
    unsigned seed = 12345;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;
        size_t len = 0;
        size_t total = 0;
        static size_t ends[64][2]; /* wire and plaintext */
        enum { RECORDS = 40 };

        pair_init(&pair, &suite_cases[s]);
        for (size_t i = 0; i < RECORDS; i++) {
            size_t n = (size_t)rand_r(&seed) % (i % 4 == 0 ? 16385 : 200) + 1;

            n = n > 16384 ? 16384 : n;
            len += wire_seal(&pair.to_a, 23, plain + total, n,
                             (size_t)rand_r(&seed) % 30 * (i % 3 == 0), wire_bytes + len);
            total += n;
            ends[i][0] = len;
            ends[i][1] = total;
        }
        size_t sent = 0;
        size_t done = 0;
        while (done < total) {
            size_t arrived = 0;
            size_t want =
                (size_t)rand_r(&seed) % (rand_r(&seed) % 3 == 0 ? 40000 : 50) + 1;

            if (sent < len && rand_r(&seed) % 2 == 0) {
                size_t n =
                    (size_t)rand_r(&seed) % (rand_r(&seed) % 2 == 0 ? 30000 : 40) + 1;

                n = n > len - sent ? len - sent : n;
                pair_raw(&pair, wire_bytes + sent, n);
                settle(pair.b.fd, pair.a.fd);
                sent += n;
            }
            for (size_t i = 0; i < RECORDS && ends[i][0] <= sent; i++) {
                arrived = ends[i][1];
            }
            if (rand_r(&seed) % 2 == 0) {
                check(&pair, arrived - done);
            }
            if (rand_r(&seed) % 3 == 0) {
                ssize_t n = side_peek(&pair.a, got, want);
                assert_true(arrived > done ? n > 0 : n == -EAGAIN);
                assert_memory_equal(got, plain + done, n > 0 ? (size_t)n : 0);
            }
            ssize_t n = side_read(&pair.a, got, want);
            size_t room = arrived - done < want ? arrived - done : want;
            assert_int_equal(n, room > 0 ? (ssize_t)room : -EAGAIN);
            assert_memory_equal(got, plain + done, room);
            done += room;
            if (done < arrived) {
                assert_true(side_is_readable(&pair.a));
            } else if (room < want) {
                assert_false(side_is_readable(&pair.a));
            }
        }
        assert_int_equal(pair.a.rec->rx.bytes, total);
        pair_done(&pair);
    }
}

/* What is no application data must not leave the socket readable. */
static void
quiet_records(void **state)
{
    (void)state;
    struct pair pair;
    static const uint8_t ticket[] = {4, 0, 0, 3, 1, 2, 3};

    pair_init(&pair, &suite_cases[0]);
    pair_send(&pair, 22, ticket, sizeof(ticket), 0);
    assert_true(side_is_readable(&pair.a));
    check(&pair, 0);
    pair_send(&pair, 23, NULL, 0, 0);
    pair_send(&pair, 23, NULL, 0, 100);
    check(&pair, 0);
    pair_send(&pair, 22, ticket, sizeof(ticket), 9);
    pair_send(&pair, 23, "x", 1, 9);
    check(&pair, 1);
    assert_int_equal(side_read(&pair.a, got, 1), 1);
    check(&pair, 0);
    pair_done(&pair);
}

/* More than is looked at record by record: never too little, for nginx takes what it has
 * read as much of for empty. */
static void
long_queue(void **state)
{
    (void)state;
    struct pair pair;
    const size_t len = 100000;

    pair_init(&pair, &suite_cases[0]);
    for (size_t done = 0; done < len; done += 10000) {
        pair_send(&pair, 23, plain + done, 10000, 0);
    }
    size_t available = record_available(&pair.a.conn, pair.a.fd);
    assert_true(available >= len && available < len + len / 100);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), len);
    assert_memory_equal(got, plain, len);
    check(&pair, 0);
    pair_done(&pair);
}

static unsigned recv_count;

static ssize_t
counted_recv(int fd, void *buf, size_t len, int flags)
{
    recv_count++;
    return record_pair_recv(fd, buf, len, flags);
}

/* Who reads little at a time, or asks how much there is, does not pay for each record. */
static void
small_reads_are_cheap(void **state)
{
    (void)state;
    enum { RECORDS = 4, PIECE = 8192 };
    struct pair pair;
    size_t len = 0;

    pair_init(&pair, &suite_cases[0]);
    record_io.recv = counted_recv;
    for (int round = 0; round < 2; round++) {
        const size_t total = (size_t)RECORDS * RECORD_PLAINTEXT_MAX;

        len = 0;
        for (size_t done = 0; done < total; done += RECORD_PLAINTEXT_MAX) {
            len += wire_seal(&pair.to_a, 23, plain + done, RECORD_PLAINTEXT_MAX, 0,
                             wire_bytes + len);
        }
        pair_raw(&pair, wire_bytes, len);
        settle(pair.b.fd, pair.a.fd);
        recv_count = 0;
        for (size_t done = 0; done < total; done += PIECE) {
            assert_int_equal(side_read(&pair.a, got + done, PIECE), PIECE);
        }
        assert_memory_equal(got, plain, total);
        assert_false(side_is_readable(&pair.a));
        /* The first time it is not known yet; then a look and the end of the sentinel. */
        assert_true(recv_count <= (round == 0 ? 7U : 2U));
    }
    pair_raw(&pair, wire_bytes, wire_seal(&pair.to_a, 23, plain, 1000, 0, wire_bytes));
    settle(pair.b.fd, pair.a.fd);
    assert_int_equal(side_read(&pair.a, got, 1), 1);
    uint64_t seq = pair.a.rec->rx.seq;
    recv_count = 0;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(record_available(&pair.a.conn, pair.a.fd), 999);
    }
    assert_int_equal(pair.a.rec->rx.seq, seq);
    assert_true(recv_count <= 10);
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_point),     cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(every_read_size),       cmocka_unit_test(random_walk),
        cmocka_unit_test(quiet_records),         cmocka_unit_test(long_queue),
        cmocka_unit_test(small_reads_are_cheap),
    };

    make_plain();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
