/* Threads that ask OCSP responders, and a copy of the process made past libc: whoever may
 * hold a lock of libc is waited for, whoever waits for the network is not. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/session/ocsp_query.h"
#include "shim/session/session.h"
#include "shim/session/system.h"
#include "tests/lib/openssl.h"

enum { WAIT_MS = 20000, TURN_MS = 50, PATIENCE_MS = 60000 };

static uint8_t certificate[4096];
static size_t certificate_len;

/* What the stand-ins have seen, and what they wait for. */
static atomic_bool is_looking_up, has_looked_up, is_waiting, may_go_on;

static void
wait_for(atomic_bool *event)
{
    int64_t deadline_ms = session_now_ms() + WAIT_MS;
    while (!atomic_load(event)) {
        assert_true(session_now_ms() < deadline_ms);
        (void)poll(NULL, 0, 1);
    }
}

/* A name server that takes its time: whoever does not wait is through long before. */
static int
slow_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                 struct addrinfo **result)
{
    (void)node;
    atomic_store(&is_looking_up, true);
    (void)poll(NULL, 0, TURN_MS);
    int status = getaddrinfo("127.0.0.1", service, hints, result);
    atomic_store(&has_looked_up, true);
    return status;
}

static int
connect_later(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)fd, (void)address, (void)len;
    errno = EINPROGRESS;
    return -1;
}

/* A responder that says nothing until it may; then it is not there. */
static int
poll_until_told(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)fds, (void)count, (void)timeout_ms;
    atomic_store(&is_waiting, true);
    for (int turns = 0; !atomic_load(&may_go_on) && turns < WAIT_MS; turns++) {
        (void)poll(NULL, 0, 1);
    }
    errno = ECONNREFUSED;
    return -1;
}

static int
make_certificate(void **state)
{
    (void)state;
    char path[] = "/tmp/session_ocsp_query.XXXXXX";
    char arguments[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(arguments, sizeof(arguments),
             "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-keyout /dev/null -subj /CN=ca -outform DER -out %s",
             path);
    openssl(arguments);
    ssize_t len = read(fd, certificate, sizeof(certificate));
    close(fd);
    unlink(path);
    certificate_len = len > 0 ? (size_t)len : 0;
    return certificate_len > 0 ? 0 : -1;
}

static int
reset(void **state)
{
    (void)state;
    atomic_store(&is_looking_up, false);
    atomic_store(&has_looked_up, false);
    atomic_store(&is_waiting, false);
    atomic_store(&may_go_on, false);
    system_calls.getaddrinfo = slow_getaddrinfo;
    system_calls.connect = connect_later;
    system_calls.poll = poll_until_told;
    return 0;
}

static struct ocsp_key
ask(uint8_t number)
{
    struct ocsp_query query = {
        .certificate = {certificate, certificate_len},
        .issuers = {{certificate, certificate_len}},
        .issuer_count = 1,
        .responder = "http://127.0.0.1:1/",
        .timeout_ms = WAIT_MS,
    };
    query.key.bytes[0] = number;
    assert_int_equal(ocsp_query_start(&query), 0);
    return query.key;
}

static enum ocsp_cached
answer_of(const struct ocsp_key *key)
{
    struct ocsp_answer answer;
    return ocsp_cache_find(key, PATIENCE_MS, &answer);
}

static void
await_answer(const struct ocsp_key *key)
{
    int64_t deadline_ms = session_now_ms() + WAIT_MS;
    while (answer_of(key) == OCSP_PENDING) {
        assert_true(session_now_ms() < deadline_ms);
        (void)poll(NULL, 0, 1);
    }
}

static void
test_waits_while_a_name_is_looked_up(void **state)
{
    (void)state;
    struct ocsp_key key = ask(1);
    wait_for(&is_looking_up);
    ocsp_query_hold();
    assert_true(atomic_load(&has_looked_up));
    assert_int_equal(answer_of(&key), OCSP_PENDING);
    ocsp_query_release();
    atomic_store(&may_go_on, true);
}

static void
test_does_not_wait_for_the_responder(void **state)
{
    (void)state;
    struct ocsp_key key = ask(2);
    wait_for(&is_waiting);
    ocsp_query_hold();
    /* Its answer has come, and it still may not work. */
    atomic_store(&may_go_on, true);
    (void)poll(NULL, 0, TURN_MS);
    assert_int_equal(answer_of(&key), OCSP_PENDING);
    ocsp_query_release();
    await_answer(&key);
}

/* More than there are places for, one after the other: those of the ended are used again.
 */
static void
test_places_are_used_again(void **state)
{
    (void)state;
    system_calls.getaddrinfo = getaddrinfo;
    atomic_store(&may_go_on, true);
    for (uint8_t i = 0; i < 40; i++) {
        struct ocsp_key key = ask((uint8_t)(100 + i));
        await_answer(&key);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_waits_while_a_name_is_looked_up, reset),
        cmocka_unit_test_setup(test_does_not_wait_for_the_responder, reset),
        cmocka_unit_test_setup(test_places_are_used_again, reset),
    };
    return cmocka_run_group_tests(tests, make_certificate, NULL);
}
