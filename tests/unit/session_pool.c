/* The memory of a session is used again, and nothing of the one before is left in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/session/pool.h"

enum { COUNT = 20 };

static void
assert_zero(const uint8_t *bytes, size_t len, const char *what)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            fail_msg("%s: byte %zu is left", what, i);
        }
    }
}

static void
assert_wiped(const struct handle *handle)
{
    assert_zero((const uint8_t *)handle->session, sizeof(*handle->session), "session");
    assert_zero(pool_buffers(handle), POOL_BUFFERS_LEN, "buffers");
}

/* Writes to all of a session, as its layers do: they say how far. */
static void
fill(const struct handle *handle)
{
    struct record *record = &handle->session->record;
    memset(handle->session, 'k', sizeof(*handle->session));
    memset(pool_buffers(handle), 'k', POOL_BUFFERS_LEN);
    record->rx.reach = record->tx.reach = 0;
    record_touch(&record->rx, RECORD_RX_BUFFER_LEN);
    record_touch(&record->tx, RECORD_TX_QUEUE_LEN);
    record->had_ticket = true;
    handle->session->early_touched = true;
}

/* The same with as much as an ordinary connection uses. */
static void
use_a_little(const struct handle *handle)
{
    enum { LEN = 100 };
    struct record *record = &handle->session->record;
    memset(handle->conn.rx_buffer, 'k', LEN);
    record_touch(&record->rx, LEN);
    memset(handle->conn.tx_buffer, 'k', LEN);
    record_touch(&record->tx, LEN);
    memset(handle->conn.tx_buffer + RECORD_TX_QUEUE_LEN, 'k', RECORD_TICKET_LEN_MAX);
    record->had_ticket = true;
}

static void
test_used_again(void **state)
{
    (void)state;
    struct handle *handle = pool_take();
    assert_non_null(handle);
    const struct session *memory = handle->session;
    int memfd = pool_memfd(handle);
    assert_true(memfd >= 0);
    assert_wiped(handle);
    void (*const uses[])(const struct handle *) = {fill, use_a_little};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        uses[i](handle);
        pool_give(handle, true);
        handle = pool_take();
        assert_ptr_equal(handle->session, memory);
        assert_int_equal(pool_memfd(handle), memfd);
        assert_wiped(handle);
    }
    pool_give(handle, true);
}

/* Beyond the first few, sessions share their memory with others. */
static void
test_shared_used_again(void **state)
{
    (void)state;
    struct handle *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i] = pool_take();
        assert_non_null(all[i]);
        fill(all[i]);
    }
    assert_int_equal(pool_memfd(all[COUNT - 1]), -1);
    const struct session *memory = all[COUNT - 1]->session;
    pool_give(all[COUNT - 1], true);
    all[COUNT - 1] = pool_take();
    assert_ptr_equal(all[COUNT - 1]->session, memory);
    assert_wiped(all[COUNT - 1]);
    assert_int_equal(*(const char *)all[COUNT - 2]->session, 'k');
    for (int i = 0; i < COUNT; i++) {
        pool_give(all[i], true);
    }
    pool_trim();
}

/* Whether a page is there; all that is not is zero. */
static bool
is_resident(const uint8_t *page)
{
    unsigned char there = 0;
    assert_int_equal(mincore((void *)(uintptr_t)page, 1, &there), 0);
    return (there & 1) != 0;
}

/* A place that was used a little keeps its pages for the next session, and is chosen for
 * it; when there is none to come they are given back, though others are in use. */
static void
test_shared_pages_stay(void **state)
{
    (void)state;
    struct handle *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i] = pool_take();
        assert_non_null(all[i]);
    }
    const uint8_t *buffers = pool_buffers(all[COUNT - 1]);
    assert_false(is_resident(buffers));
    use_a_little(all[COUNT - 1]);
    pool_give(all[COUNT - 1], true);
    pool_give(all[COUNT - 2], true);
    assert_true(is_resident(buffers));
    all[COUNT - 1] = pool_take();
    assert_ptr_equal(pool_buffers(all[COUNT - 1]), buffers);
    assert_wiped(all[COUNT - 1]);
    use_a_little(all[COUNT - 1]);
    pool_give(all[COUNT - 1], true);
    pool_trim();
    assert_false(is_resident(buffers));
    for (int i = 0; i < COUNT - 2; i++) {
        pool_give(all[i], true);
    }
    pool_trim();
}

/* Another process may have it mapped, and is not to see what comes next. */
static void
test_not_after_others_had_it(void **state)
{
    (void)state;
    struct handle *handle = pool_take();
    int memfd = pool_memfd(handle);
    pool_give(handle, false);
    assert_int_equal(fcntl(memfd, F_GETFD), -1);
}

static void
test_given_back(void **state)
{
    (void)state;
    struct handle *used = pool_take();
    struct handle *unused = pool_take();
    int used_memfd = pool_memfd(used);
    int unused_memfd = pool_memfd(unused);
    pool_give(unused, true);
    assert_true(fcntl(unused_memfd, F_GETFD) >= 0);
    pool_trim();
    assert_int_equal(fcntl(unused_memfd, F_GETFD), -1);
    assert_true(fcntl(used_memfd, F_GETFD) >= 0);
    fill(used);
    pool_give(used, true);
    pool_trim();
    assert_int_equal(fcntl(used_memfd, F_GETFD), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used_again),
        cmocka_unit_test(test_shared_used_again),
        cmocka_unit_test(test_shared_pages_stay),
        cmocka_unit_test(test_not_after_others_had_it),
        cmocka_unit_test(test_given_back),
    };
    return cmocka_run_group_tests_name("session_pool", tests, NULL, NULL);
}
