#include "shim/interpose/adopt.h"

#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/real.h"

static bool
same_socket(int fd, int other)
{
    uint64_t cookies[2] = {0, 1};
    socklen_t len = sizeof(cookies[0]);
    (void)real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookies[0], &len);
    len = sizeof(cookies[1]);
    (void)real.getsockopt(other, SOL_SOCKET, SO_COOKIE, &cookies[1], &len);
    return cookies[0] == cookies[1];
}

/* What may not be used is shut, but stays open: its number is not to be another file's.
 */
static void
refuse(int fd)
{
    (void)real.shutdown(fd, SHUT_RDWR);
}

void
adopt_inherited(void)
{
    union session_address local, remote;
    socklen_t local_len = sizeof(local);
    socklen_t remote_len = sizeof(remote);
    if (getpeername(STDIN_FILENO, &remote.any, &remote_len) != 0 ||
        getsockname(STDIN_FILENO, &local.any, &local_len) != 0 ||
        !govern_address(&remote.any, remote_len, &remote)) {
        return;
    }
    const struct policy_rule *rule =
        govern_connection(STDIN_FILENO, POLICY_INBOUND, &local, &remote, NULL);
    if (govern_leaves_plaintext(rule)) {
        return;
    }
    if (rule->mode != POLICY_MODE_MTLS ||
        session_open(STDIN_FILENO, true, false, rule, &local, &remote, NULL) < 0) {
        refuse(STDIN_FILENO);
        return;
    }
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (same_socket(STDIN_FILENO, fd) && fd_share(STDIN_FILENO, fd) < 0) {
            refuse(fd);
        }
    }
}
