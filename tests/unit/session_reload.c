/* A process that was forked while a thread was about to look at files looks by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/session/generation.h"
#include "shim/session/reload.h"
#include "shim/session/session.h"
#include "tests/lib/policy_text.h"

enum { TRIES = 1000, TRY_US = 10000 };

static char path[] = "/tmp/mtls-session-reload-XXXXXX";
static struct policy_text out;
static _Atomic int looker_tid;

static void
write_policy(const char *more)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%slog = none\n%s", POLICY_TEXT_HEAD, more) > 0);
    assert_int_equal(fclose(file), 0);
}

static void *
look(void *unused)
{
    (void)unused;
    atomic_store(&looker_tid, gettid());
    for (int i = 0; i < TRIES; i++) {
        reload_look();
        (void)usleep(TRY_US);
    }
    return NULL;
}

/* Whether the thread waits for a lock. */
static bool
waits(int tid)
{
    char name[64];
    char text[512] = "";
    snprintf(name, sizeof(name), "/proc/self/task/%d/syscall", tid);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    (void)!fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    return atoi(text) == (int)SYS_futex && text[0] != 'r';
}

static int
reload_in_child(uint64_t before)
{
    session_fork_child();
    for (int i = 0; i < TRIES && generation_newest_id() == before; i++) {
        reload_look();
        (void)usleep(TRY_US);
    }
    return generation_newest_id() == before;
}

static void
a_child_looks_by_itself(void **state)
{
    pthread_t thread;
    int status;
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    write_policy("");
    policy_text_init(&out);
    struct generation *first = generation_load(path, false, &out.report);
    assert_non_null(first);
    generation_install(first);
    reload_start(false);
    uint64_t before = generation_newest_id();

    session_fork_prepare();
    write_policy("[inbound more]\nmode=deny\n");
    assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
    while (atomic_load(&looker_tid) == 0 || !waits(atomic_load(&looker_tid))) {
        (void)usleep(TRY_US);
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(reload_in_child(before));
    }
    session_fork_parent();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(pthread_cancel(thread), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(unlink(path), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_child_looks_by_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
