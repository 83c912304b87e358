/* Staging areas: one inside another, without asking the kernel each time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shim/record/stage.h"

static void
nest_without_new_mappings(void **state)
{
    (void)state;
    uint8_t *outer = record_stage_take();
    uint8_t *inner = record_stage_take();
    assert_non_null(outer);
    assert_non_null(inner);
    memset(outer, 1, RECORD_STAGE_LEN);
    memset(inner, 2, RECORD_STAGE_LEN);
    assert_int_equal(outer[RECORD_STAGE_LEN - 1], 1);
    record_stage_give(inner);

    /* What is mapped anew has no 2 in it. */
    assert_ptr_equal(record_stage_take(), inner);
    assert_int_equal(inner[RECORD_STAGE_LEN - 1], 2);
    record_stage_give(inner);
    record_stage_give(outer);
    assert_ptr_equal(record_stage_take(), outer);
    assert_int_equal(outer[0], 1);
    record_stage_give(outer);
}

static void
nest_deeper_than_what_is_kept(void **state)
{
    (void)state;
    enum { DEPTH = 5 };
    uint8_t *areas[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        areas[i] = record_stage_take();
        assert_non_null(areas[i]);
        memset(areas[i], i, RECORD_STAGE_LEN);
    }
    for (int i = DEPTH - 1; i >= 0; i--) {
        assert_int_equal(areas[i][0], i);
        assert_int_equal(areas[i][RECORD_STAGE_LEN - 1], i);
        record_stage_give(areas[i]);
    }
    assert_ptr_equal(record_stage_take(), areas[0]);
    record_stage_give(areas[0]);
}

static void
giving_none_back_is_fine(void **state)
{
    (void)state;
    uint8_t *first = record_stage_take();
    record_stage_give(NULL);
    uint8_t *second = record_stage_take();
    assert_ptr_not_equal(second, first);
    record_stage_give(second);
    record_stage_give(first);
}

static void *
use(void *context)
{
    uint8_t **area = context;
    *area = record_stage_take();
    for (size_t i = 0; *area != NULL && i < RECORD_STAGE_LEN; i++) {
        if ((*area)[i] != 0) {
            record_stage_give(*area);
            *area = NULL;
        }
    }
    if (*area != NULL) {
        memset(*area, 3, RECORD_STAGE_LEN);
        record_stage_give(*area);
    }
    return NULL;
}

/* What a thread has left goes to the next one, and nothing is in it. */
static void
pass_on_empty(void **state)
{
    (void)state;
    uint8_t *areas[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, use, &areas[i]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_non_null(areas[i]);
    }
    assert_ptr_equal(areas[0], areas[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nest_without_new_mappings),
        cmocka_unit_test(nest_deeper_than_what_is_kept),
        cmocka_unit_test(giving_none_back_is_fine),
        cmocka_unit_test(pass_on_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
