/* connect(2): where an outbound session begins. */
#include "shim/interpose/epoll.h"
#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/memory.h"
#include "shim/interpose/names.h"
#include "shim/interpose/stdio.h"
#include "shim/interpose/unconnected.h"
#include "shim/interpose/wait.h"

#include <netinet/tcp.h>
#include <stddef.h>

/* The session is in the table before the kernel knows of the connection, so that there
 * is no moment at which another thread could write in clear. */
static int
begin_session(int fd, const struct ruling *ruling, const union session_address *remote,
              const char *name)
{
    int off = 0;
    /* connect() would do nothing, and the first write would be part of the SYN. */
    (void)real.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &off, sizeof(off));
    int flags = real.fcntl(fd, F_GETFD);
    int result = session_open(fd, false, true, ruling, NULL, remote, name);
    if (result == 0) {
        table_set_exec(fd,
                       (flags & FD_CLOEXEC) != 0 ? TABLE_EXEC_CLOSED : TABLE_EXEC_UNSAID);
        epoll_governed(fd);
        stdio_governed(fd);
        result = fd_govern_copies(fd);
    }
    return result;
}

static void
drop_session(int fd)
{
    stdio_left(fd);
    struct handle *handle = table_remove(fd);
    if (handle != NULL) {
        session_last_close(handle, fd);
    }
    unconnected_again(fd);
}

/*
 * Where a connect has waited for a handshake in vain, and until when that is remembered.
 * A peer that serves one client after the other would have a program wait connect_wait
 * for each of its connections, though all it waits for is the program itself.  On this
 * host that peer may be the very thread that waits, with another port each time.
 */
static _Atomic uint64_t in_vain_remote;
static _Atomic int64_t in_vain_until_ms;
enum { IN_VAIN_MS = 5000 };

static bool
is_on_this_host(const struct session *session)
{
    const union session_address *local = &session->local;
    const union session_address *remote = &session->remote;
    return local->any.sa_family == AF_INET6
               ? IN6_ARE_ADDR_EQUAL(&local->in6.sin6_addr, &remote->in6.sin6_addr)
               : local->in.sin_addr.s_addr == remote->in.sin_addr.s_addr;
}

static uint64_t
remote_key(const struct session *session)
{
    union session_address remote = session->remote;
    const uint8_t *bytes = (const uint8_t *)&remote;
    uint64_t key = 0xcbf29ce484222325U; /* FNV-1a */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "one port for both");
    if (is_on_this_host(session)) {
        remote.in.sin_port = 0;
    }
    for (size_t i = 0; i < sizeof(remote); i++) {
        key = (key ^ bytes[i]) * 0x100000001b3U;
    }
    return key;
}

/* TCP is there: waits for TLS, so that a refusal is connect's error. */
static int
wait_for_tls(struct handle *handle, int fd)
{
    uint64_t key = remote_key(handle->session);
    if (atomic_load(&in_vain_remote) == key &&
        session_now_ms() < atomic_load(&in_vain_until_ms)) {
        return 0;
    }
    int result = wait_handshake(handle, fd, session_limits.connect_wait_ms);
    if (result == 0 && atomic_load(&handle->session->state) != SESSION_OPEN) {
        atomic_store(&in_vain_remote, key);
        atomic_store(&in_vain_until_ms, session_now_ms() + IN_VAIN_MS);
    }
    return result;
}

/* The real connect for a session that waits for it. Returns 0 or -errno. */
static int
dial(struct handle *handle, int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    int result = real.connect(fd, address, len) == 0 ? 0 : -errno;
    if (result == 0 || result == -EINPROGRESS || result == -EINTR) {
        session_dialled(handle, fd, result == 0);
    }
    if (result == 0 && session_limits.connect_wait_ms > 0 &&
        !wait_is_nonblocking(handle, fd)) {
        result = wait_for_tls(handle, fd);
    }
    return result;
}

/* Whether this call has begun a connection, or made it. */
static bool
has_begun(int result)
{
    return result == 0 || result == -EINPROGRESS || result == -EINTR;
}

static bool
goes_on(int result)
{
    return has_begun(result) || result == -EALREADY || result == -EISCONN;
}

static int
connect_plain(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    int result = real.connect(fd, address, len) == 0 ? 0 : -errno;
    bool dissolved = result == 0 && memory_is_there(SOCKADDR_OF(address)) &&
                     SOCKADDR_OF(address)->sa_family == AF_UNSPEC;
    if (dissolved) {
        unconnected_again(fd);
    } else if (has_begun(result)) {
        table_mark(fd, TABLE_UNMARKED);
    }
    return result;
}

static int
connect_anew(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    union session_address remote;
    char name[SESSION_NAME_LEN];
    if (!memory_is_there(SOCKADDR_OF(address)) ||
        !govern_address(SOCKADDR_OF(address), len, &remote)) {
        return connect_plain(fd, address, len);
    }
    if (!names_find(&remote, name)) {
        name[0] = '\0';
    }
    RULING_SCOPE ruling = govern_connection(fd, POLICY_OUTBOUND, NULL, &remote, name);
    if (govern_leaves_plaintext(ruling.rule)) {
        return connect_plain(fd, address, len);
    }
    if (ruling.rule->mode != POLICY_MODE_MTLS) {
        return -EACCES;
    }
    int result = begin_session(fd, &ruling, &remote, name[0] != '\0' ? name : NULL);
    GOVERNED_SCOPE *handle = result == 0 ? table_acquire(fd) : NULL;
    if (handle == NULL) {
        return result < 0 ? result : -EBADF;
    }
    result = dial(handle, fd, address, len);
    if (!has_begun(result) &&
        atomic_load(&handle->session->state) == SESSION_CONNECTING) {
        drop_session(fd); /* as if it had never been: the fd may try another address */
    }
    return result;
}

/* The kernel tells a failed connection's error to the next connect(), and connects at the
 * one after that. If the session has taken the error, all the kernel still says is that
 * there was one. */
static int
connect_after_failure(struct handle *handle, int fd, __CONST_SOCKADDR_ARG address,
                      socklen_t len)
{
    int untold = session_take_error(handle);
    drop_session(fd);
    int result = connect_anew(fd, address, len);
    return result == -ECONNABORTED && untold != 0 ? -untold : result;
}

/* connect() once more: to learn the outcome, or with AF_UNSPEC to dissolve it. */
static int
connect_again(struct handle *handle, int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    struct session *session = handle->session;
    if (atomic_load(&session->connect_failed)) {
        return connect_after_failure(handle, fd, address, len);
    }
    if (atomic_load(&session->state) == SESSION_FAILED) {
        int error = session_take_error(handle);
        if (error != 0) {
            return -error;
        }
    }
    bool connecting = atomic_load(&session->state) == SESSION_CONNECTING;
    bool dissolves = len >= sizeof(sa_family_t) &&
                     memory_is_there(SOCKADDR_OF(address)) &&
                     SOCKADDR_OF(address)->sa_family == AF_UNSPEC;
    if (dissolves) {
        session_dissolve_begin(handle);
    }
    int result = real.connect(fd, address, len) == 0 ? 0 : -errno;
    if (dissolves) {
        session_dissolve_end(handle, result == 0);
    }
    if ((dissolves && result == 0) || (connecting && !goes_on(result))) {
        drop_session(fd);
    } else if (connecting && result == 0 && !wait_is_nonblocking(handle, fd)) {
        result = wait_handshake(handle, fd, session_limits.connect_wait_ms);
    }
    return result;
}

INTERPOSE int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    real_need();
    int errno_before = errno;
    GOVERNED_SCOPE *handle = table_acquire(fd);
    int result = handle != NULL ? connect_again(handle, fd, address, len)
                                : connect_anew(fd, address, len);
    return (int)real_way_out(result, errno_before);
}

INTERPOSE_GLIBC_ALIAS(__connect, connect);
