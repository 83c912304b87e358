#include "shim/interpose/adopt.h"

#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "shim/interpose/environment.h"
#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/stdio.h"
#include "shim/interpose/unconnected.h"
#include "shim/interpose/wait.h"
#include "shim/session/permissive.h"
#include "shim/session/pool.h"

/* What may not be used is shut, but stays open: its number is not to be another file's.
 */
static void
refuse(int fd)
{
    (void)real.shutdown(fd, SHUT_RDWR);
}

/* ---- left by the image before exec */

struct open_fds {
    int count;
    int fds[TABLE_FD_MAX];
};

/* Where there is no /proc: asks for many numbers at once, up to the highest there can be,
 * for that is where ours are. */
static void
try_all(struct open_fds *open_fds)
{
    enum { AT_ONCE = 256 }; /* no more than RLIMIT_NOFILE: poll(2) */
    struct pollfd asked[AT_ONCE];
    for (int first = 0; first < TABLE_FD_MAX; first += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            asked[i] = (struct pollfd){.fd = first + i};
        }
        bool told = real.poll(asked, AT_ONCE, 0) >= 0;
        for (int i = 0; i < AT_ONCE; i++) {
            bool open = told ? (asked[i].revents & POLLNVAL) == 0
                             : real.fcntl(first + i, F_GETFD) >= 0;
            if (open) {
                open_fds->fds[open_fds->count++] = first + i;
            }
        }
    }
}

/* All of them: one that is overlooked would be used without its session. */
static void
list_open(struct open_fds *open_fds)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    open_fds->count = 0;
    if (dir == NULL) {
        try_all(open_fds);
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL &&
           open_fds->count < TABLE_FD_MAX) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir)) {
            open_fds->fds[open_fds->count++] = atoi(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* What all versions have in common: of which socket it is; 0 = of none. */
static uint64_t
cookie_in(int memfd)
{
    struct {
        uint32_t magic, layout;
        uint64_t cookie;
    } head;
    _Static_assert(offsetof(struct session, cookie) == sizeof(head) - sizeof(head.cookie),
                   "the head of a session is an interface");
    bool read = pread(memfd, &head, sizeof(head), 0) == (ssize_t)sizeof(head);
    return read && head.magic == SESSION_MAGIC ? head.cookie : 0;
}

static bool
is_memfd(int fd)
{
    static const char name[] = "/memfd:" POOL_MEMFD_NAME;
    char path[32];
    char target[64] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof(target) - 1) <= 0) {
        return real.fcntl(fd, F_GET_SEALS) >= 0 && cookie_in(fd) != 0;
    }
    return strncmp(target, name, sizeof(name) - 1) == 0;
}

/* A session that cannot be taken over, of another version of us, say: without it nobody
 * may use its socket. */
static void
refuse_socket(uint64_t cookie, const struct open_fds *open_fds)
{
    for (int i = 0; i < open_fds->count && cookie != 0; i++) {
        if (session_cookie(open_fds->fds[i]) == cookie) {
            refuse(open_fds->fds[i]);
        }
    }
}

static void
adopt_session(int memfd, const struct open_fds *open_fds)
{
    uint64_t cookie = cookie_in(memfd);
    int own = table_raise(memfd);
    GOVERNED_SCOPE *handle = session_adopt(own, govern_rule_named);
    if (handle == NULL || cookie == 0) {
        refuse_socket(cookie, open_fds);
        table_disown(own);
        real.close(own);
        return;
    }
    if (!session_is_held(handle)) {
        session_claim(handle); /* spawned: exec keeps the pid */
    }
    int last = -1;
    for (int i = 0; i < open_fds->count; i++) {
        int fd = open_fds->fds[i];
        if (fd == memfd || session_cookie(fd) != cookie) {
            continue;
        }
        if (fd_govern(fd, handle) < 0) {
            refuse(fd);
            continue;
        }
        table_set_exec(fd, TABLE_EXEC_WANTED);
        last = fd;
    }
    if (last >= 0) {
        session_adopted(handle, last);
    }
}

static void
adopt_sessions(const struct open_fds *open_fds)
{
    for (int i = 0; i < open_fds->count; i++) {
        if (is_memfd(open_fds->fds[i])) {
            adopt_session(open_fds->fds[i], open_fds);
        }
    }
}

/* ---- given by inetd or systemd */

/* Makes fd a session of its own. Returns whether the program may use it. */
static bool
begin_session(int fd)
{
    union session_address local, remote;
    struct sockaddr_storage peer;
    socklen_t local_len = sizeof(local);
    socklen_t peer_len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        getsockname(fd, &local.any, &local_len) != 0 ||
        !govern_address((struct sockaddr *)&peer, peer_len, &remote)) {
        return true; /* not connected, or not of ours */
    }
    RULING_SCOPE ruling = govern_connection(fd, POLICY_INBOUND, &local, &remote, NULL);
    if (govern_leaves_plaintext(ruling.rule)) {
        return true;
    }
    const struct policy_rule *rule = ruling.rule;
    if (rule->mode == POLICY_MODE_PERMISSIVE && permissive_is_late(fd)) {
        if (!environment_was_loaded()) { /* else that program has logged it */
            permissive_log(rule, &local, &remote,
                           "begun: another program has read or written before");
        }
        return true;
    }
    return govern_wants_session(rule) &&
           session_open(fd, true, false, &ruling, &local, &remote, NULL) >= 0;
}

/* The other numbers of the socket that fd is: governed with it, or of no use like it. */
static void
treat_copies(int fd, struct handle *handle, const struct open_fds *open_fds)
{
    uint64_t cookie = session_cookie(fd);
    for (int i = 0; i < open_fds->count; i++) {
        int copy = open_fds->fds[i];
        if (copy != fd && session_cookie(copy) == cookie &&
            (handle == NULL || fd_govern(copy, handle) < 0)) {
            refuse(copy);
        } else if (copy == fd || table_governs(copy)) {
            table_set_exec(copy, TABLE_EXEC_WANTED);
        }
    }
}

static void
adopt_plain(int fd, const struct open_fds *open_fds)
{
    bool usable = begin_session(fd);
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (usable && handle == NULL) {
        return;
    }
    if (handle != NULL) {
        stdio_governed(fd);
    } else {
        refuse(fd);
    }
    treat_copies(fd, handle, open_fds);
    if (handle != NULL && fd == STDIN_FILENO) {
        /* The program is here for this connection, and is to be told whose it is. */
        (void)wait_handshake(handle, fd, session_limits.handshake_timeout_ms);
    }
}

enum { PASSED_MAX = 1024 };

/* How many fds from 3 on a service manager has passed: sd_listen_fds(3). */
static int
passed_count(void)
{
    const char *count = environment_get("LISTEN_FDS");
    const char *pid = environment_get("LISTEN_PID");
    if (count == NULL || (pid != NULL && atoi(pid) != getpid())) {
        return 0;
    }
    int passed = atoi(count);
    return passed > 0 && passed < PASSED_MAX ? passed : 0;
}

void
adopt_inherited(void)
{
    static struct open_fds open_fds; /* untouched pages cost nothing */
    list_open(&open_fds);
    adopt_sessions(&open_fds);
    int end = STDERR_FILENO + 1 + passed_count();
    for (int fd = STDIN_FILENO; fd < end; fd++) {
        bool given = fd == STDIN_FILENO || fd > STDERR_FILENO;
        if (given && !table_governs(fd)) {
            adopt_plain(fd, &open_fds);
        }
    }
    for (int i = 0; i < open_fds.count; i++) {
        if (!table_has(open_fds.fds[i])) {
            unconnected_look(open_fds.fds[i]);
        }
    }
    GOVERNED_SCOPE *handle = table_acquire(STDIN_FILENO);
    bool known = handle != NULL && handle->session->is_server &&
                 atomic_load(&handle->session->state) == SESSION_OPEN;
    environment_set_peer(known ? &handle->session->peer : NULL);
}
