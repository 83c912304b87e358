/* The application data, alerts and ticket of RFC 8448 section 3, byte for byte. */
#include "tests/lib/record_pair.h"

static const struct record_secrets server = {
    .key = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef, 0xc2, 0x6b, 0xb9, 0xf2, 0xac,
            0x92, 0xe3, 0x56},
    .iv = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84},
    .secret = {0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11,
               0x6b, 0x45, 0xa9, 0x50, 0x32, 0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb,
               0x6b, 0x3a, 0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43},
};
static const struct record_secrets client = {
    .key = {0x17, 0x42, 0x2d, 0xda, 0x59, 0x6e, 0xd5, 0xd9, 0xac, 0xd8, 0x90, 0xe3, 0xc6,
            0x3f, 0x50, 0x51},
    .iv = {0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08, 0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9},
    .secret = {0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d, 0xc0, 0x5a, 0xf8,
               0x88, 0x9b, 0xce, 0x65, 0x52, 0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf,
               0x00, 0x87, 0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5},
};

static const char ticket[] = "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116"
                             "e95d41d6af8f6b580dcf3d11d63c758"
                             "db289a015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3"
                             "c7353d16d9da773b9ca7f2b9fa1b6c0"
                             "d4a3d03f75e09c30ba1e62972ac46f75f7b981be63439b2999ce1306461"
                             "5139891d5e4c5b406f16e3fc181a77c"
                             "a475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86cbeea"
                             "c87aac347d143f9605d64f650db4d02"
                             "3e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce1869"
                             "6129c8153556b3b6c6779b37bf15985"
                             "684f";
static const char client_data[] =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd5"
    "4a9a20"
    "441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
static const char server_data[] =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc60"
    "2dcb50"
    "1a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
static const char client_alert[] = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
static const char server_alert[] = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

static size_t
unhex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

/* a is one end with the keys of the RFC; b is bare. */
static void
init(struct pair *pair, const struct record_secrets *read,
     const struct record_secrets *write)
{
    int fds[2];

    memset(pair, 0, sizeof(*pair));
    pair_sockets(fds, 0);
    side_init(&pair->a, fds[0]);
    side_init(&pair->b, fds[1]);
    assert_int_equal(
        record_start(pair->a.rec, 0x0304, RECORD_AES_128_GCM, 32, read, write), 0);
}

static void
put(struct pair *pair, const char *hex)
{
    uint8_t buf[512];

    pair_raw(pair, buf, unhex(hex, buf));
    settle(pair->b.fd, pair->a.fd);
}

static void
expect_sent(struct pair *pair, const char *hex)
{
    uint8_t want[512];
    uint8_t got[512];
    size_t len = unhex(hex, want);

    settle(pair->a.fd, pair->b.fd);
    assert_int_equal(recv(pair->b.fd, got, sizeof(got), MSG_DONTWAIT), len);
    assert_memory_equal(got, want, len);
}

static void
payload(uint8_t out[50])
{
    for (int i = 0; i < 50; i++) {
        out[i] = (uint8_t)i;
    }
}

static void
as_client(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t data[50];
    uint8_t got[100];

    payload(data);
    init(&pair, &server, &client);
    put(&pair, ticket);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), -EAGAIN);
    assert_int_equal(side_write(&pair.a, data, 50), 50);
    expect_sent(&pair, client_data);
    put(&pair, server_data);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), 50);
    assert_memory_equal(got, data, 50);
    assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), 0);
    expect_sent(&pair, client_alert);
    put(&pair, server_alert);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), 0);
    pair_done(&pair);
}

static void
as_server(void **state)
{
    (void)state;
    struct pair pair;
    struct record_secrets write = server;
    uint8_t data[50];
    uint8_t got[100];

    write.seq = 1; /* the ticket was record 0 */
    payload(data);
    init(&pair, &client, &write);
    put(&pair, client_data);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), 50);
    assert_memory_equal(got, data, 50);
    assert_int_equal(side_write(&pair.a, data, 50), 50);
    expect_sent(&pair, server_data);
    put(&pair, client_alert);
    assert_int_equal(side_read(&pair.a, got, sizeof(got)), 0);
    assert_int_equal(record_close_notify(&pair.a.conn, pair.a.fd), 0);
    expect_sent(&pair, server_alert);
    pair_done(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_client),
        cmocka_unit_test(as_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
