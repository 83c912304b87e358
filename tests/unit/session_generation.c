/* Generations come and go under readers that hold on to what they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shim/session/generation.h"
#include "tests/lib/policy_text.h"

enum { READERS = 4, INSTALLED = 2000 };

static char path[64];
static struct policy_text out;

/* Writes the policy with so many rules; -1 = one that is broken. */
static void
write_policy(int rules)
{
    static int fd = -1;
    char text[1000] = POLICY_TEXT_HEAD;

    if (fd < 0) {
        fd = memfd_create("policy.ini", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    size_t len = strlen(text);
    for (int i = 0; i < rules; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "[inbound r%d]\nmode=deny\n", i);
    }
    if (rules < 0) {
        snprintf(text + len, sizeof(text) - len, "nonsense\n");
    }
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void
install_next(void)
{
    struct generation *newest = generation_acquire();
    struct generation *next = generation_replace(newest, &out.report);

    assert_non_null(next);
    generation_install(next);
    generation_unref(newest);
}

static void
none_before_the_first(void **state)
{
    (void)state;
    assert_null(generation_acquire());
    assert_int_equal(generation_newest_id(), 0);
}

static void
what_is_held_stays(void **state)
{
    (void)state;
    policy_text_init(&out);
    write_policy(1);
    struct generation *first = generation_load(path, false, &out.report);
    assert_non_null(first);
    generation_install(first);
    assert_int_equal(generation_newest_id(), 1);

    struct generation *held = generation_acquire();
    assert_ptr_equal(held, first);
    write_policy(2);
    install_next();
    assert_int_equal(generation_newest_id(), 2);
    assert_int_equal(generation_id(held), 1);
    assert_int_equal(generation_policy(held)->rule_count, 1);
    struct generation *newest = generation_acquire();
    assert_int_equal(generation_policy(newest)->rule_count, 2);
    generation_unref(newest);
    generation_unref(held);
}

static void
a_broken_policy_is_no_generation(void **state)
{
    (void)state;
    write_policy(-1);
    struct generation *newest = generation_acquire();
    policy_text_init(&out);
    assert_null(generation_replace(newest, &out.report));
    assert_true(out.report.count > 0);
    generation_unref(newest);
    write_policy(1);
}

static void
a_renewed_one_shares_the_policy(void **state)
{
    (void)state;
    struct context *const none[1] = {NULL};
    struct generation *newest = generation_acquire();
    struct generation *renewed = generation_renew(newest, none);
    assert_non_null(renewed);
    assert_ptr_equal(generation_policy(renewed), generation_policy(newest));
    generation_install(renewed);
    generation_unref(newest);
}

static atomic_bool done;

static void *
read_on(void *unused)
{
    (void)unused;
    uint64_t last = 0;
    uintptr_t wrong = 0;
    while (!atomic_load(&done)) {
        RULING_SCOPE ruling = {.generation = generation_acquire()};
        const struct policy *policy = generation_policy(ruling.generation);
        wrong += policy->rule_count < 1 || strcmp(policy->rules[0].name, "r0") != 0;
        wrong += generation_id(ruling.generation) < last;
        last = generation_id(ruling.generation);
        ruling.rule = &policy->rules[0];
        struct ruling copy = ruling_copy(&ruling);
        ruling_done(&ruling);
        wrong += strcmp(copy.rule->name, "r0") != 0;
        ruling_done(&copy);
    }
    return (void *)wrong;
}

static void
readers_never_see_what_was_freed(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    }
    for (int i = 0; i < INSTALLED; i++) {
        install_next();
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_before_the_first),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(a_broken_policy_is_no_generation),
        cmocka_unit_test(a_renewed_one_shares_the_policy),
        cmocka_unit_test(readers_never_see_what_was_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
