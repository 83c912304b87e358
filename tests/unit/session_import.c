/* A session that was passed to several processes of another user is taken by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/record/lock.h"
#include "shim/session/import.h"
#include "shim/session/pool.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum { PROCESSES = 2, ROUNDS = 300 };

/* Shared by all of them. */
struct field {
    _Atomic int round;
    _Atomic int ready;
    _Atomic int taken;
};

static void
make_open(struct session *session)
{
    struct record_secrets secrets = {.seq = 7};
    memset(session, 0, sizeof(*session));
    assert_int_equal(record_lock_init(&session->lock), 0);
    assert_int_equal(record_init(&session->record), 0);
    assert_int_equal(record_start(&session->record, 0x0304, RECORD_AES_128_GCM, 32,
                                  &secrets, &secrets),
                     0);
    session->magic = SESSION_MAGIC;
    session->layout = SESSION_LAYOUT;
    atomic_store(&session->state, SESSION_OPEN);
}

/* All begin at the same moment. */
static void
take_each(struct field *field, int memfd)
{
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_fetch_add(&field->ready, 1);
        while (atomic_load(&field->round) < round) {
            sched_yield();
        }
        struct handle *handle = session_import(memfd);
        if (handle != NULL) {
            atomic_fetch_add(&field->taken, 1);
            table_release(handle);
        }
    }
    atomic_fetch_add(&field->ready, 1);
}

static void
wait_for_all(struct field *field)
{
    while (atomic_load(&field->ready) < PROCESSES) {
        (void)usleep(100);
    }
    atomic_store(&field->ready, 0);
}

static void
one_process_takes_it(void **state)
{
    struct field *field = mmap(NULL, sizeof(*field), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct handle *handle = pool_take_alone();
    (void)state;
    assert_ptr_not_equal(field, MAP_FAILED);
    assert_non_null(handle);
    int memfd = pool_memfd(handle);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            take_each(field, memfd);
            _exit(0);
        }
    }
    int badly = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        wait_for_all(field);
        make_open(handle->session);
        atomic_store(&field->taken, 0);
        atomic_store(&field->round, round);
        wait_for_all(field);
        atomic_fetch_add(&field->ready, PROCESSES); /* they are ready for the next one */
        badly += atomic_load(&field->taken) != 1 ||
                 atomic_load(&handle->session->state) != SESSION_FAILED;
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(NULL) > 0);
    }
    assert_int_equal(badly, 0); /* nobody waits for us any more */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_process_takes_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
