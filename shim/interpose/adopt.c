#include "shim/interpose/adopt.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "shim/interpose/environment.h"
#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/load.h"
#include "shim/interpose/stdio.h"
#include "shim/interpose/wait.h"
#include "shim/session/pool.h"

/* What may not be used is shut, but stays open: its number is not to be another file's.
 */
static void
refuse(int fd)
{
    (void)real.shutdown(fd, SHUT_RDWR);
}

/* ---- left by the image before exec
 * ------------------------------------------------------- */

enum { FDS_MAX = 1024 }; /* looked at; more than that do not come through an exec */

struct open_fds {
    int count;
    int fds[FDS_MAX];
};

static void
list_open(struct open_fds *open_fds)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    open_fds->count = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL && open_fds->count < FDS_MAX) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir)) {
            open_fds->fds[open_fds->count++] = atoi(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static bool
is_memfd(int fd)
{
    static const char name[] = "/memfd:" POOL_MEMFD_NAME;
    char path[32];
    char target[64] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof(target) - 1) > 0 &&
           strncmp(target, name, sizeof(name) - 1) == 0;
}

static const struct policy_rule *
find_rule(const char *name, bool is_server)
{
    const struct policy *policy = load_process()->policy;
    enum policy_direction direction = is_server ? POLICY_INBOUND : POLICY_OUTBOUND;
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].direction == direction &&
            strcmp(policy->rules[i].name, name) == 0) {
            return &policy->rules[i];
        }
    }
    return is_server ? &policy->default_inbound : &policy->default_outbound;
}

static void
adopt_session(int memfd, const struct open_fds *open_fds)
{
    int own = table_raise(memfd);
    GOVERNED_SCOPE *handle = session_adopt(own, find_rule);
    if (handle == NULL) {
        table_disown(own);
        real.close(own);
        return;
    }
    int last = -1;
    for (int i = 0; i < open_fds->count; i++) {
        int fd = open_fds->fds[i];
        if (fd != memfd && session_cookie(fd) == handle->session->cookie &&
            fd_govern(fd, handle) == 0) {
            table_set_exec(fd, TABLE_EXEC_WANTED);
            last = fd;
        }
    }
    if (last >= 0) {
        session_adopted(handle, last);
    }
}

static void
adopt_sessions(void)
{
    struct open_fds open_fds;
    list_open(&open_fds);
    for (int i = 0; i < open_fds.count; i++) {
        if (is_memfd(open_fds.fds[i])) {
            adopt_session(open_fds.fds[i], &open_fds);
        }
    }
}

/* ---- given by inetd
 * ---------------------------------------------------------------------- */

/* Makes fd 0 a session of its own. Returns whether it may be used. */
static bool
begin_session(void)
{
    union session_address local, remote;
    socklen_t local_len = sizeof(local);
    socklen_t remote_len = sizeof(remote);
    if (getpeername(STDIN_FILENO, &remote.any, &remote_len) != 0 ||
        getsockname(STDIN_FILENO, &local.any, &local_len) != 0 ||
        !govern_address(&remote.any, remote_len, &remote)) {
        return true;
    }
    const struct policy_rule *rule =
        govern_connection(STDIN_FILENO, POLICY_INBOUND, &local, &remote, NULL);
    if (govern_leaves_plaintext(rule)) {
        return true;
    }
    return rule->mode == POLICY_MODE_MTLS &&
           session_open(STDIN_FILENO, true, false, rule, &local, &remote, NULL) == 0;
}

static void
adopt_plain(void)
{
    uint64_t cookie = session_cookie(STDIN_FILENO);
    bool usable = begin_session();
    GOVERNED_SCOPE *handle = table_acquire(STDIN_FILENO);
    if (usable && handle == NULL) {
        return;
    }
    if (handle != NULL) {
        stdio_governed(STDIN_FILENO);
        /* The program is here for this connection alone, and is to be told whose it is.
         */
        (void)wait_handshake(handle, STDIN_FILENO, session_limits.handshake_timeout_ms);
    } else {
        refuse(STDIN_FILENO);
    }
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (session_cookie(fd) == cookie &&
            (handle == NULL || fd_govern(fd, handle) < 0)) {
            refuse(fd);
        }
    }
}

void
adopt_inherited(void)
{
    adopt_sessions();
    if (!table_governs(STDIN_FILENO)) {
        adopt_plain();
    }
    GOVERNED_SCOPE *handle = table_acquire(STDIN_FILENO);
    environment_set_peer(
        handle != NULL && handle->session->is_server ? &handle->session->peer : NULL);
}
