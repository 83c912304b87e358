/* What one record writes the other reads: each suite, many sizes, vectors, both ways. */
#include "tests/lib/record_pair.h"

static const size_t sizes[] = {1,     2,     15,    16,    17,    100,   1000,   16383,
                               16384, 16385, 32768, 65535, 65536, 65537, 100000, 300000};

static uint8_t *
make_data(size_t len)
{
    uint8_t *data = malloc(len + 1);

    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 31 + i / 251);
    }
    return data;
}

/* Writes all of data from one side and reads it on the other in pieces of at most
 * `piece`. */
static void
transfer(struct side *from, struct side *to, const uint8_t *data, size_t len,
         size_t piece)
{
    uint8_t *got = malloc(len + 16);
    size_t sent = 0;
    size_t have = 0;

    assert_non_null(got);
    while (have < len) {
        ssize_t n = sent < len ? side_write(from, data + sent, len - sent)
                               : record_flush(&from->conn, from->fd);
        assert_true(n >= 0 || n == -EAGAIN);
        sent += n > 0 && sent < len ? (size_t)n : 0;
        size_t want = len - have < piece ? len - have : piece;

        memset(got + have, 0xa5, want + 16);
        ssize_t r = side_read(to, got + have, want);
        assert_true(r > 0 || r == -EAGAIN);
        size_t done = r > 0 ? (size_t)r : 0;
        for (size_t i = done; i < want + 16; i++) {
            assert_int_equal(got[have + i], 0xa5); /* nothing past the returned count */
        }
        have += done;
    }
    assert_memory_equal(got, data, len);
    assert_false(record_pending(&from->conn));
    free(got);
}

static void
sizes_of_all_suites(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;

        pair_init(&pair, &suite_cases[s]);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint8_t *data = make_data(sizes[i]);

            transfer(&pair.a, &pair.b, data, sizes[i], sizes[i]);
            transfer(&pair.b, &pair.a, data, sizes[i], 1 + sizes[i] / 3);
            transfer(&pair.a, &pair.b, data, sizes[i], 4096);
            free(data);
        }
        assert_int_equal(pair.a.rec->tx.bytes, pair.b.rec->rx.bytes);
        assert_int_equal(pair.b.rec->tx.bytes, pair.a.rec->rx.bytes);
        pair_done(&pair);
    }
}

/* The peer is the RFC, not another record: what is on the wire is what it says. */
static void
wire_format_of_all_suites(void **state)
{
    (void)state;
    for (size_t s = 0; s < SUITE_COUNT; s++) {
        struct pair pair;
        static uint8_t out[RECORD_CIPHERTEXT_MAX];
        uint8_t *data = make_data(40000);
        size_t have = 0;
        uint8_t type = 0;

        pair_init(&pair, &suite_cases[s]);
        assert_int_equal(side_write(&pair.a, data, 40000), 40000);
        while (have < 40000) {
            ssize_t n = pair_receive(&pair, out, &type);
            assert_int_equal(type, 23);
            assert_int_equal(n, have < 32768 ? 16384 : 40000 - 32768);
            assert_memory_equal(out, data + have, (size_t)n);
            have += (size_t)n;
        }
        pair_send(&pair, 23, data, 5000, 0);
        assert_int_equal(side_read(&pair.a, out, sizeof(out)), 5000);
        assert_memory_equal(out, data, 5000);
        free(data);
        pair_done(&pair);
    }
}

static void
vectors(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t *data = make_data(20000);
    uint8_t *got = calloc(1, 20000);
    static const size_t cuts[] = {0, 1, 1, 7, 16376, 16384, 16385, 19999, 20000};
    enum { COUNT = sizeof(cuts) / sizeof(cuts[0]) };
    struct iovec out[COUNT] = {{0}};
    struct iovec in[COUNT] = {{0}};

    assert_non_null(got);
    for (size_t i = 1; i < COUNT; i++) {
        out[i] = (struct iovec){data + cuts[i - 1], cuts[i] - cuts[i - 1]};
        in[i] = (struct iovec){got + cuts[i - 1], cuts[i] - cuts[i - 1]};
    }
    pair_init(&pair, &suite_cases[0]);
    assert_int_equal(record_write(&pair.a.conn, pair.a.fd, out, COUNT, 0), 20000);
    settle(pair.a.fd, pair.b.fd);
    assert_int_equal(record_read(&pair.b.conn, pair.b.fd, in, COUNT, 0), 20000);
    assert_memory_equal(got, data, 20000);
    /* Nothing to do is no error, and not an end of stream. */
    assert_int_equal(record_write(&pair.a.conn, pair.a.fd, out, 1, 0), 0);
    assert_int_equal(record_read(&pair.b.conn, pair.b.fd, in, 1, 0), 0);
    free(data);
    free(got);
    pair_done(&pair);
}

static void
start_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        int suite;
        uint8_t hash_len;
        int want;
    } cases[] = {
        {0x0303, RECORD_AES_128_GCM, 32, 0},
        {0x0304, RECORD_AES_256_GCM, 48, 0},
        {0x0302, RECORD_AES_128_GCM, 32, -EINVAL},
        {0x0305, RECORD_AES_128_GCM, 32, -EINVAL},
        {0x0304, 3, 32, -EINVAL},
        {0x0304, RECORD_AES_128_GCM, 20, -EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record rec = {0};
        struct record_secrets keys = {0};

        assert_int_equal(record_init(&rec), 0);
        assert_int_equal(record_start(&rec, cases[i].version,
                                      (enum record_suite)cases[i].suite,
                                      cases[i].hash_len, &keys, &keys),
                         cases[i].want);
        record_done(&rec);
    }
}

static void
done_wipes_the_secrets(void **state)
{
    (void)state;
    struct record rec = {0};
    struct wire wire = pair_wire(&suite_cases[1], 9);
    static const uint8_t zeros[48];

    assert_int_equal(record_init(&rec), 0);
    assert_int_equal(
        record_start(&rec, 0x0304, RECORD_AES_256_GCM, 48, &wire.keys, &wire.keys), 0);
    assert_memory_not_equal(rec.rx.key, zeros, sizeof(rec.rx.key));
    record_done(&rec);
    for (struct record_dir *dir = &rec.rx; dir <= &rec.tx; dir++) {
        assert_memory_equal(dir->key, zeros, sizeof(dir->key));
        assert_memory_equal(dir->iv, zeros, sizeof(dir->iv));
        assert_memory_equal(dir->secret, zeros, sizeof(dir->secret));
    }
}

/* The expanded keys of a process, too; and what is used for a record does not stay. */
static void
done_wipes_the_expanded_keys(void **state)
{
    (void)state;
    static const struct record_aead none;
    struct pair pair;
    char byte;

    pair_init(&pair, &suite_cases[0]);
    assert_int_equal(side_write(&pair.a, "x", 1), 1);
    settle(pair.a.fd, pair.b.fd);
    assert_int_equal(side_read(&pair.b, &byte, 1), 1);
    assert_memory_not_equal(&pair.a.conn.tx_aead, &none, sizeof(none));
    assert_memory_not_equal(&pair.b.conn.rx_aead, &none, sizeof(none));
    record_conn_done(&pair.a.conn);
    record_conn_done(&pair.b.conn);
    assert_memory_equal(&pair.a.conn.tx_aead, &none, sizeof(none));
    assert_memory_equal(&pair.b.conn.rx_aead, &none, sizeof(none));
    /* Whoever goes on has them made anew. */
    assert_int_equal(side_write(&pair.a, "y", 1), 1);
    settle(pair.a.fd, pair.b.fd);
    assert_int_equal(side_read(&pair.b, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_all_suites),
        cmocka_unit_test(wire_format_of_all_suites),
        cmocka_unit_test(vectors),
        cmocka_unit_test(start_refuses_what_it_does_not_know),
        cmocka_unit_test(done_wipes_the_secrets),
        cmocka_unit_test(done_wipes_the_expanded_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
