/* mode = permissive: what the first byte decides, and that nothing else lets plaintext
 * out. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "shim/session/generation.h"
#include "shim/session/permissive.h"
#include "shim/session/table.h"
#include "tests/lib/policy_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BANNER "220 banner\r\n"

/* ---- a connection -------------------------------------------------------------------
 */

struct pair {
    int fd;   /* accepted */
    int peer; /* -1 = closed */
    union session_address local, remote;
};

static struct pair
pair_new(void)
{
    struct pair pair;
    socklen_t len = sizeof(pair.local);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&pair, 0, sizeof(pair));
    pair.local.in.sin_family = AF_INET;
    pair.local.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, &pair.local.any, sizeof(pair.local.in)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, &pair.local.any, &len), 0);
    pair.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair.peer, &pair.local.any, len), 0);
    len = sizeof(pair.remote);
    pair.fd = accept4(listener, &pair.remote.any, &len, 0);
    assert_true(pair.fd >= 0);
    close(listener);
    return pair;
}

static void
pair_free(struct pair *pair)
{
    struct handle *last = table_remove(pair->fd);
    if (last != NULL) {
        session_last_close(last, pair->fd);
    }
    close(pair->fd);
    if (pair->peer >= 0) {
        close(pair->peer);
    }
}

static void
wait_for(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    assert_int_equal(poll(&wanted, 1, 5000), 1);
}

/* What has come, at most; -1 with errno as recv(2). */
static ssize_t
peek(int fd, char *buf, size_t len)
{
    return recv(fd, buf, len, MSG_DONTWAIT);
}

/* ---- the first byte -----------------------------------------------------------------
 */

static void
first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int flags;
        enum permissive_word want;
    } cases[] = {
        {"\x16\x03\x01", 3, 0, PERMISSIVE_TLS},
        {"\x16", 1, 0, PERMISSIVE_TLS},
        {"GET / HTTP/1.0\r\n", 16, 0, PERMISSIVE_PLAINTEXT},
        {"\0", 1, 0, PERMISSIVE_PLAINTEXT},
        {"\x15\x03\x01", 3, 0, PERMISSIVE_PLAINTEXT},
        {"\x17\x03\x03", 3, 0, PERMISSIVE_PLAINTEXT},
        {"\x80\x2e\x01", 3, 0, PERMISSIVE_PLAINTEXT}, /* SSL 2.0 */
        {"!", 1, MSG_OOB, PERMISSIVE_PLAINTEXT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair pair = pair_new();
        char buf[32];
        assert_int_equal(permissive_listen(pair.fd), PERMISSIVE_SILENCE);
        assert_int_equal(send(pair.peer, cases[i].bytes, cases[i].len, cases[i].flags),
                         (ssize_t)cases[i].len);
        wait_for(pair.fd, POLLIN | POLLPRI);
        errno = 123;
        assert_int_equal(permissive_listen(pair.fd), cases[i].want);
        assert_int_equal(errno, 123);
        if (cases[i].flags == 0) { /* all of it is still there, before an end too */
            shutdown(pair.peer, SHUT_WR);
            wait_for(pair.fd, POLLRDHUP);
            assert_int_equal(permissive_listen(pair.fd), cases[i].want);
            assert_int_equal(peek(pair.fd, buf, sizeof(buf)), (ssize_t)cases[i].len);
            assert_memory_equal(buf, cases[i].bytes, cases[i].len);
        }
        pair_free(&pair);
    }
}

static void
ends(void **state)
{
    struct pair pair = pair_new();
    char byte;
    (void)state;
    shutdown(pair.peer, SHUT_WR);
    wait_for(pair.fd, POLLRDHUP);
    assert_int_equal(permissive_listen(pair.fd), PERMISSIVE_END);
    pair_free(&pair);

    /* The error stays for the program. */
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    pair = pair_new();
    setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(pair.peer);
    pair.peer = -1;
    wait_for(pair.fd, POLLRDHUP);
    assert_int_equal(permissive_listen(pair.fd), PERMISSIVE_END);
    assert_int_equal(peek(pair.fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    pair_free(&pair);
}

static void
late(void **state)
{
    struct pair pair = pair_new();
    char buf[4];
    (void)state;
    assert_false(permissive_is_late(pair.fd));
    assert_int_equal(send(pair.peer, "abcd", 4, 0), 4);
    wait_for(pair.fd, POLLIN);
    assert_false(permissive_is_late(pair.fd));
    shutdown(pair.peer, SHUT_WR);
    wait_for(pair.fd, POLLRDHUP);
    assert_false(permissive_is_late(pair.fd)); /* a FIN is no byte that was read */
    assert_int_equal(recv(pair.fd, buf, 1, 0), 1);
    assert_true(permissive_is_late(pair.fd));
    pair_free(&pair);

    pair = pair_new();
    assert_int_equal(send(pair.fd, "a", 1, 0), 1);
    assert_true(permissive_is_late(pair.fd));
    pair_free(&pair);
}

/* ---- a session ----------------------------------------------------------------------
 */

static const struct policy_rule permissive_rule = {.name = "web",
                                                   .direction = POLICY_INBOUND,
                                                   .mode = POLICY_MODE_PERMISSIVE,
                                                   .permissive_wait_ms = 60000};
static const struct policy_rule mtls_rule = {
    .name = "web", .direction = POLICY_INBOUND, .mode = POLICY_MODE_MTLS};

static void
install(const char *text)
{
    struct policy_text out;
    char path[64];
    int fd = memfd_create("policy.ini", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    policy_text_init(&out);
    struct generation *generation = generation_load(path, false, &out.report);
    assert_non_null(generation);
    generation_install(generation);
    close(fd);
}

/* Opens a session for pair->fd and writes BANNER to it; nothing goes out yet. */
static struct handle *
open_session(struct pair *pair)
{
    struct ruling ruling = {.generation = generation_acquire(), .rule = &permissive_rule};
    char buf[64];
    assert_int_equal(
        session_open(pair->fd, true, false, &ruling, &pair->local, &pair->remote, NULL),
        0);
    ruling_done(&ruling);
    struct handle *handle = table_acquire(pair->fd);
    struct iovec iov = {(char *)BANNER, strlen(BANNER)};
    assert_non_null(handle);
    assert_int_equal(session_write(handle, pair->fd, &iov, 1, MSG_NOSIGNAL),
                     (ssize_t)strlen(BANNER));
    assert_int_equal(peek(pair->peer, buf, sizeof(buf)), -1);
    assert_int_equal(errno, EAGAIN);
    return handle;
}

static int
drive_after_plaintext(struct pair *pair, struct handle *handle)
{
    short events;
    assert_int_equal(send(pair->peer, "EHLO\r\n", 6, 0), 6);
    wait_for(pair->fd, POLLIN);
    return session_drive(handle, pair->fd, &events);
}

static void
plaintext(void **state)
{
    struct pair pair = pair_new();
    char buf[64];
    (void)state;
    struct handle *handle = open_session(&pair);
    assert_int_equal(fcntl(pair.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(drive_after_plaintext(&pair, handle), 0);
    wait_for(pair.peer, POLLIN);
    assert_int_equal(peek(pair.peer, buf, sizeof(buf)), (ssize_t)strlen(BANNER));
    assert_memory_equal(buf, BANNER, strlen(BANNER));
    /* A call that was under way goes on, a new one is the kernel's. */
    struct iovec iov = {buf, sizeof(buf)};
    assert_int_equal(session_read(handle, pair.fd, &iov, 1, 0), 6);
    assert_memory_equal(buf, "EHLO\r\n", 6);
    assert_int_equal(session_read(handle, pair.fd, &iov, 1, 0), -EAGAIN);
    table_release(handle);
    assert_null(table_acquire(pair.fd));
    assert_false(table_governs(pair.fd));
    assert_int_equal(fcntl(pair.fd, F_GETFD), 0);
    pair_free(&pair);
}

/* However a session got into this state: the connection ends, and nothing went out. */
static void
must_refuse(struct pair *pair, struct handle *handle)
{
    char buf[64];
    assert_int_equal(drive_after_plaintext(pair, handle), -EACCES);
    wait_for(pair->peer, POLLIN);
    assert_int_equal(recv(pair->peer, buf, sizeof(buf), 0), 0);
    table_release(handle);
    assert_ptr_equal(table_remove(pair->fd), handle);
    session_last_close(handle, pair->fd);
    /* The service may be at it still; it is free when that is done, too. */
    for (int i = 0; i < 5000 && atomic_load(&handle->refs) > 0; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&handle->refs), 0);
    pair_free(pair);
}

static void
never_under_mtls(void **state)
{
    struct pair pair = pair_new();
    (void)state;
    struct handle *handle = open_session(&pair);
    assert_int_equal(session_lock(handle->session), 0);
    handle->ruling.rule = &mtls_rule;
    session_unlock(handle->session);
    must_refuse(&pair, handle);
}

static void
never_without_leave(void **state)
{
    struct pair pair = pair_new();
    (void)state;
    struct handle *handle = open_session(&pair);
    assert_int_equal(session_lock(handle->session), 0);
    handle->session->may_be_plaintext = false;
    session_unlock(handle->session);
    must_refuse(&pair, handle);
}

/* A client that says nothing until the door is locked. */
static void
never_by_an_old_policy(void **state)
{
    struct pair pair = pair_new();
    (void)state;
    struct handle *handle = open_session(&pair);
    install(POLICY_TEXT_HEAD "[inbound web]\nmode=deny\n");
    must_refuse(&pair, handle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes),
        cmocka_unit_test(ends),
        cmocka_unit_test(late),
        cmocka_unit_test(plaintext),
        cmocka_unit_test(never_under_mtls),
        cmocka_unit_test(never_without_leave),
        cmocka_unit_test(never_by_an_old_policy),
    };
    install(POLICY_TEXT_HEAD "[inbound web]\nmode=deny\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
