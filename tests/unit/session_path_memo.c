/* What a set of anchors remembers of chains it has vouched for, and when that ends. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/session/path_memo.h"

enum { FROM = 1000, TO = 2000, ROUNDS = 200000 };

static struct path_memo memo;

static const uint8_t *
id_of(unsigned place, unsigned rest)
{
    static _Thread_local uint8_t id[CHAIN_ID_LEN];
    memset(id, (int)rest, sizeof(id));
    id[0] = (uint8_t)place;
    return id;
}

/* The path is told apart by the chain. */
static struct chain_path
path_of(const uint8_t *id)
{
    struct chain_path path = {.count = 1 + id[1] % CHAIN_COUNT_MAX};
    for (int i = 1; i < path.count; i++) {
        path.at[i] = (uint8_t)(CHAIN_COUNT_MAX - i);
    }
    return path;
}

static void
keep(const uint8_t *id, bool is_server, int64_t from_s, int64_t to_s)
{
    struct chain_path path = path_of(id);
    path_memo_keep(&memo, id, is_server, &path, from_s, to_s);
}

static bool
has(const uint8_t *id, bool is_server, int64_t now_s)
{
    struct chain_path path = {.count = 0};
    struct chain_path want = path_of(id);
    bool found = path_memo_has(&memo, id, is_server, now_s, &path);
    if (found) {
        assert_int_equal(path.count, want.count);
        assert_memory_equal(path.at, want.at, (size_t)want.count);
    }
    return found;
}

static int
forget_all(void **state)
{
    (void)state;
    memset(&memo, 0, sizeof(memo));
    return 0;
}

static void
test_knows_what_it_was_told_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned place, rest;
        bool is_server;
        int64_t now_s;
        bool want;
    } rows[] = {
        {"the same", 3, 7, true, 1500, true},
        {"another chain in that place", 3, 8, true, 1500, false},
        {"another place", 4, 7, true, 1500, false},
        {"as a server's", 3, 7, false, 1500, false},
        {"before", 3, 7, true, FROM - 1, false},
        {"its first second", 3, 7, true, FROM, true},
        {"its last second", 3, 7, true, TO, true},
        {"after", 3, 7, true, TO + 1, false},
    };
    assert_false(has(id_of(3, 7), true, 1500));
    assert_false(has(id_of(0, 0), false, 0)); /* what all zero is */
    keep(id_of(3, 7), true, FROM, TO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (has(id_of(rows[i].place, rows[i].rest), rows[i].is_server, rows[i].now_s) !=
            rows[i].want) {
            fail_msg("%s", rows[i].name);
        }
    }
}

static void
test_the_latest_has_the_place(void **state)
{
    (void)state;
    keep(id_of(3, 7), true, FROM, TO);
    keep(id_of(3, 8), true, FROM, TO);
    assert_false(has(id_of(3, 7), true, 1500));
    assert_true(has(id_of(3, 8), true, 1500));
}

static void *
keep_on(void *rest)
{
    for (int i = 0; i < ROUNDS; i++) {
        /* Whoever mixes the two finds one that is valid for ever. */
        bool first = (uintptr_t)rest == 1;
        keep(id_of(3, (unsigned)(uintptr_t)rest), first, first ? 0 : FROM,
             first ? 1 : TO);
    }
    return NULL;
}

static void
test_two_writers_are_never_mixed(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, keep_on, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_false(has(id_of(3, 1), true, 1500));
        assert_false(has(id_of(3, 1), false, 1500));
        assert_false(has(id_of(3, 2), true, 1500));
        assert_false(has(id_of(3, 2), false, 1));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(has(id_of(3, 1), true, 1) || has(id_of(3, 2), false, 1500));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_knows_what_it_was_told_alone, forget_all),
        cmocka_unit_test_setup(test_the_latest_has_the_place, forget_all),
        cmocka_unit_test_setup(test_two_writers_are_never_mixed, forget_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
