#include "shim/interpose/unconnected.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/interpose/environment.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/load.h"
#include "shim/interpose/real.h"
#include "shim/interpose/stdio.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static _Atomic bool had_tcp;

bool
unconnected_had_tcp(void)
{
    return atomic_load_explicit(&had_tcp, memory_order_relaxed);
}

/* Whatever the policy is now: another one may be loaded before somebody connects. */
static bool
is_of_interest(void)
{
    return load_process()->is_on;
}

static void
mark(int fd)
{
    atomic_store(&had_tcp, true);
    table_mark(fd, TABLE_UNCONNECTED);
    stdio_governed(fd); /* libc's own streams ask nobody */
}

void
unconnected_made(int fd, int family, int type, int protocol)
{
    int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    bool tcp = (family == AF_INET || family == AF_INET6) &&
               (type & ~flags) == SOCK_STREAM &&
               (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
    if (tcp && is_of_interest()) {
        mark(fd);
    } else {
        table_mark(fd, TABLE_UNMARKED);
    }
}

static bool
listens(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    return real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
           listening != 0;
}

static bool
is_connected(int fd, union session_address *remote)
{
    socklen_t len = sizeof(*remote);
    return getpeername(fd, &remote->any, &len) == 0;
}

/* ---- over exec: by the sockets' cookies, or "*" where there are too many */

size_t
unconnected_tell(char line[UNCONNECTED_LINE_LEN])
{
    enum { COOKIE_LEN = 21 }; /* with its comma */
    static const char name[] = UNCONNECTED_NAME "=";
    int errno_before = errno;
    size_t len = sizeof(name) - 1;
    memcpy(line, name, sizeof(name));
    for (int fd = table_next_marked(0); fd >= 0; fd = table_next_marked(fd + 1)) {
        uint64_t cookie = listens(fd) ? 0 : session_cookie(fd);
        if (len + COOKIE_LEN >= UNCONNECTED_LINE_LEN) {
            memcpy(line + sizeof(name) - 1, "*", sizeof("*"));
            len = sizeof(name);
            break;
        }
        if (cookie != 0) {
            len += (size_t)snprintf(line + len, UNCONNECTED_LINE_LEN - len,
                                    "%" PRIu64 ",", cookie);
        }
    }
    errno = errno_before;
    return len > sizeof(name) - 1 ? len : 0;
}

static bool
was_told_of(int fd)
{
    const char *told = environment_get(UNCONNECTED_NAME);
    uint64_t cookie = told != NULL ? session_cookie(fd) : 0;
    if (told == NULL || told[0] == '*') {
        return told != NULL;
    }
    while (*told != '\0') {
        char *end;
        if (strtoull(told, &end, 10) == cookie && cookie != 0) {
            return true;
        }
        told = *end == ',' ? end + 1 : "";
    }
    return false;
}

void
unconnected_look(int fd)
{
    union session_address remote;
    int errno_before = errno;
    bool tcp = is_of_interest() && govern_may(fd);
    if (tcp) {
        atomic_store(&had_tcp, true);
    }
    if (tcp && !listens(fd) && (!is_connected(fd, &remote) || was_told_of(fd))) {
        mark(fd);
    } else {
        table_mark(fd, TABLE_UNMARKED);
    }
    errno = errno_before;
}

void
unconnected_again(int fd)
{
    if (is_of_interest() && govern_may(fd)) {
        mark(fd);
    }
}

static struct handle *
take(struct handle *stand_in)
{
    table_ref(stand_in);
    return stand_in;
}

static void
tell(const struct policy_rule *rule, const union session_address *remote)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    struct failure failure;
    failure_set(&failure, REASON_DENIED_BY_RULE,
                "another process has connected this socket, and has its session");
    line.event = AUDIT_DENIED;
    line.rule = rule->name;
    line.direction = rule->direction;
    line.has_direction = true;
    line.remote = &remote->any;
    line.failure = &failure;
    audit_write(&line);
}

/* Another process, or a duplicate, has connected it. */
static struct handle *
judge(int fd, const union session_address *remote)
{
    RULING_SCOPE ruling = govern_foreign(remote);
    if (govern_leaves_plaintext(ruling.rule)) {
        table_mark(fd, TABLE_UNMARKED);
        return NULL;
    }
    table_mark(fd, TABLE_FOREIGN);
    tell(ruling.rule, remote);
    return take(&session_foreign);
}

static struct handle *
ask_kernel(int fd)
{
    for (;;) {
        union session_address remote;
        if (!govern_may(fd) || listens(fd)) {
            table_mark(fd, TABLE_UNMARKED);
            return NULL;
        }
        if (is_connected(fd, &remote)) {
            return judge(fd, &remote);
        }
        /* POLLHUP is not connected; nothing at all: somebody is connecting it. */
        int flags = real.fcntl(fd, F_GETFL);
        struct pollfd state = {.fd = fd, .events = POLLIN | POLLOUT};
        if (real.poll(&state, 1, (flags & O_NONBLOCK) != 0 ? 0 : -1) <= 0 ||
            (state.revents & (POLLHUP | POLLNVAL)) != 0) {
            return take(&session_unconnected);
        }
    }
}

struct handle *
unconnected_acquire_slow(int fd)
{
    struct handle *handle = table_acquire_slow(fd);
    enum table_mark marked = handle != NULL ? TABLE_UNMARKED : table_marked(fd);
    if (marked == TABLE_FOREIGN) {
        return take(&session_foreign);
    }
    if (marked == TABLE_UNCONNECTED) {
        int errno_before = errno;
        handle = ask_kernel(fd);
        errno = errno_before;
    }
    return handle;
}
