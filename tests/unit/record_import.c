/* A record that somebody else has written: what does not fit together is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shim/record/record.h"

static uint8_t buffers[RECORD_RX_BUFFER_LEN + RECORD_TX_BUFFER_LEN];

static void
make(struct record *rec)
{
    struct record_secrets secrets = {.seq = 7};
    memset(secrets.key, 0x11, sizeof(secrets.key));
    memset(secrets.secret, 0x22, sizeof(secrets.secret));
    memset(rec, 0, sizeof(*rec));
    assert_int_equal(record_init(rec), 0);
    assert_int_equal(
        record_start(rec, 0x0304, RECORD_AES_128_GCM, 32, &secrets, &secrets), 0);
}

static int
import(const struct record *from, struct record *to)
{
    struct record_conn conn = {
        .rec = to, .rx_buffer = buffers, .tx_buffer = buffers + RECORD_RX_BUFFER_LEN};
    memset(to, 0, sizeof(*to));
    int result = record_import(&conn, from);
    if (result == 0) {
        record_conn_done(&conn);
    }
    return result;
}

static void
test_sound(void **state)
{
    struct record from;
    struct record to;
    (void)state;
    make(&from);
    from.rx.leftover = true;
    from.rx.start = 100;
    from.rx.len = RECORD_RX_BUFFER_LEN - 100;
    from.tx.start = 1;
    from.tx.len = RECORD_TX_BUFFER_LEN - 1;
    /* Its locks are nobody's business. */
    memset(&from.rx.lock, 0xff, sizeof(from.rx.lock));
    memset(&from.tx.lock, 0xff, sizeof(from.tx.lock));
    assert_int_equal(import(&from, &to), 0);
    assert_int_equal(to.rx.seq, 7);
    assert_int_equal(to.rx.len, from.rx.len);
    assert_memory_equal(to.tx.key, from.tx.key, sizeof(to.tx.key));
    assert_memory_equal(to.tx.secret, from.tx.secret, sizeof(to.tx.secret));
    assert_int_equal(pthread_mutex_trylock(&to.rx.lock), 0);
    assert_int_equal(pthread_mutex_trylock(&to.tx.lock), 0);
    assert_int_equal(pthread_mutex_unlock(&to.rx.lock), 0);
    assert_int_equal(pthread_mutex_unlock(&to.tx.lock), 0);
    record_done(&to);
}

static void
test_unsound(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        size_t size;
        uint32_t value;
    } cases[] = {
#define BAD(member, value)                                                               \
    {#member " = " #value, offsetof(struct record, member),                              \
     sizeof(((struct record *)0)->member), value}
        BAD(version, 0x0302),
        BAD(version, 0),
        BAD(suite, 3),
        BAD(suite, 255),
        BAD(hash_len, 0),
        BAD(hash_len, 49),
        BAD(control.message_len, 5),
        BAD(control.message_len, 255),
        BAD(rx.start, RECORD_RX_BUFFER_LEN + 1),
        BAD(rx.start, UINT32_MAX),
        BAD(rx.len, RECORD_CIPHERTEXT_MAX + 1),
        BAD(rx.len, RECORD_RX_BUFFER_LEN + 1),
        BAD(rx.len, UINT32_MAX),
        BAD(tx.start, RECORD_TX_BUFFER_LEN + 1),
        BAD(tx.start, UINT32_MAX),
        BAD(tx.len, RECORD_TX_BUFFER_LEN + 1),
        BAD(tx.len, UINT32_MAX),
        BAD(rx.error, 1),
        BAD(tx.error, INT32_MAX),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record from;
        struct record to;
        make(&from);
        memcpy((uint8_t *)&from + cases[i].offset, &cases[i].value, cases[i].size);
        if (import(&from, &to) != -EINVAL) {
            fail_msg("taken over: %s", cases[i].name);
        }
        record_done(&from);
    }
}

/* Leftover and what is unsent may begin anywhere, and must end in the buffer. */
static void
test_ends(void **state)
{
    struct record from;
    struct record to;
    (void)state;
    make(&from);
    from.rx.leftover = true;
    from.rx.start = 100;
    from.rx.len = RECORD_RX_BUFFER_LEN - 99;
    assert_int_equal(import(&from, &to), -EINVAL);
    from.rx.len = 0;
    from.tx.start = 100;
    from.tx.len = RECORD_TX_BUFFER_LEN - 99;
    assert_int_equal(import(&from, &to), -EINVAL);
    from.tx.len--;
    assert_int_equal(import(&from, &to), 0);
    record_done(&to);
    record_done(&from);
}

/* An incomplete record has its place; where nothing is kept, it is of no interest where
 * it was. */
static void
test_place(void **state)
{
    static const struct {
        uint32_t start, len;
        int result;
    } cases[] = {{RECORD_SKEW, 10, 0}, {0, 10, -EINVAL}, {100, 10, -EINVAL}, {100, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record from;
        struct record to;
        make(&from);
        from.rx.start = cases[i].start;
        from.rx.len = cases[i].len;
        assert_int_equal(import(&from, &to), cases[i].result);
        if (cases[i].result == 0) {
            record_done(&to);
        }
        record_done(&from);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_unsound),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
