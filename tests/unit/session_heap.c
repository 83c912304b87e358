/* The memory of handshakes: who has a piece has it alone, and its pages go back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/types.h>

#include "shim/session/heap.h"

enum {
    PIECE = 20000,
    MANY = 1000, /* more than there are places for */
    THREADS = 4,
    ROUNDS = 20000,
    AT_ONCE = 5,
};

static bool
is_all(const uint8_t *piece, size_t len, uint8_t byte)
{
    return piece[0] == byte && memcmp(piece, piece + 1, len - 1) == 0;
}

/* Each has been filled with its own number: none lies on another one. */
static void
test_many_at_once(void **state)
{
    (void)state;
    static uint8_t *pieces[MANY];
    for (int i = 0; i < MANY; i++) {
        pieces[i] = heap_alloc(PIECE);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], i, PIECE);
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(is_all(pieces[i], PIECE, (uint8_t)i));
        heap_free(pieces[i]);
    }
}

static void
test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4095, 4096, 28672, 28673, 32768, 1 << 20};
    uint8_t *pieces[sizeof(sizes) / sizeof(*sizes)];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        pieces[i] = heap_alloc(sizes[i]);
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_true(is_all(pieces[i], sizes[i], (uint8_t)i));
        heap_free(pieces[i]);
    }
    heap_free(NULL);
}

static void
test_zero(void **state)
{
    (void)state;
    uint8_t *piece = heap_alloc(PIECE);
    assert_non_null(piece);
    memset(piece, 0x5a, PIECE);
    heap_free(piece);
    piece = heap_alloc_zero(PIECE);
    assert_non_null(piece);
    assert_true(is_all(piece, PIECE, 0));
    heap_free(piece);
}

/* By the way that wolfSSL goes. */
static void
test_growth(void **state)
{
    (void)state;
    static const size_t steps[] = {100, 5000, 20000, 61440, 100000, 300};
    heap_start();
    heap_begin();
    uint8_t *piece = XMALLOC(50, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    assert_non_null(piece);
    memset(piece, 1, 50);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        piece = XREALLOC(piece, steps[i], NULL, DYNAMIC_TYPE_TMP_BUFFER);
        assert_non_null(piece);
        assert_true(is_all(piece, 50, 1));
        memset(piece, 1, steps[i]);
    }
    XFREE(piece, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    piece = XMALLOC(PIECE, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    assert_non_null(piece);
    memset(piece, 2, PIECE);
    piece = XREALLOC(piece, 100000, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    assert_non_null(piece);
    assert_true(is_all(piece, PIECE, 2));
    heap_end();
    XFREE(piece, NULL, DYNAMIC_TYPE_TMP_BUFFER);
}

static void *
work(void *context)
{
    uint8_t byte = *(uint8_t *)context;
    bool sound = true;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *pieces[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) {
            pieces[k] = heap_alloc(4096 + (size_t)k);
            memset(pieces[k], byte, 4096);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            sound = sound && is_all(pieces[k], 4096, byte);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            heap_free(pieces[(k + i) % AT_ONCE]);
        }
    }
    return sound ? context : NULL;
}

/* Pages are given back meanwhile. */
static void
test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint8_t bytes[THREADS];
    for (int i = 0; i < THREADS; i++) {
        bytes[i] = (uint8_t)(i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &bytes[i]), 0);
    }
    for (int i = 0; i < 1000; i++) {
        heap_trim();
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &bytes[i]);
    }
}

#ifndef __SANITIZE_ADDRESS__ /* with it there are no pages of our own */
static bool
is_resident(uint8_t *piece)
{
    unsigned char there = 0;
    uint8_t *page = (uint8_t *)(((uintptr_t)piece + 4096) & ~(uintptr_t)4095);
    assert_int_equal(mincore(page, 4096, &there), 0);
    return (there & 1) != 0;
}

static void
test_pages_go_back(void **state)
{
    (void)state;
    uint8_t *kept = heap_alloc(PIECE);
    uint8_t *piece = heap_alloc(PIECE);
    assert_non_null(kept);
    assert_non_null(piece);
    memset(kept, 3, PIECE);
    memset(piece, 3, PIECE);
    heap_free(piece);
    heap_trim();
    assert_true(is_resident(piece)); /* it was in use since */
    heap_trim();
    assert_false(is_resident(piece));
    assert_true(is_all(kept, PIECE, 3));
    uint8_t *again = heap_alloc(PIECE);
    assert_ptr_equal(again, piece);
    heap_free(again);
    heap_free(kept);
}
#endif

static void
test_fork(void **state)
{
    (void)state;
    int status = -1;
    uint8_t *piece = heap_alloc(PIECE);
    assert_non_null(piece);
    memset(piece, 4, PIECE);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t *other = heap_alloc(PIECE);
        memset(other, 5, PIECE);
        heap_free(piece);
        _exit(is_all(other, PIECE, 5) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_all(piece, PIECE, 4));
    heap_free(piece);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),  cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_zero),          cmocka_unit_test(test_growth),
        cmocka_unit_test(test_threads),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_pages_go_back),
#endif
        cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
