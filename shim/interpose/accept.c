/* accept(2): where an inbound session begins. */
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/stdio.h"

#include <string.h>

/* Gone at once, with a reset: nobody waits for an answer that will not come. */
static void
turn_away(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)real.setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    real.close(fd);
}

/* Returns 0 the program may have it; -EACCES the rule turned it away; other -errno. */
static int
admit(int fd, const struct sockaddr *address, socklen_t len, int flags)
{
    union session_address local, remote;
    socklen_t local_len = sizeof(local);
    if (!govern_address(address, len, &remote)) {
        return 0;
    }
    if (getsockname(fd, &local.any, &local_len) != 0) {
        return -errno;
    }
    RULING_SCOPE ruling = govern_connection(fd, POLICY_INBOUND, &local, &remote, NULL);
    if (govern_leaves_plaintext(ruling.rule)) {
        return 0;
    }
    if (!govern_wants_session(ruling.rule)) {
        return -EACCES;
    }
    int result = session_open(fd, true, false, &ruling, &local, &remote, NULL);
    if (result > 0) {
        return 0;
    }
    if (result == 0) {
        stdio_governed(fd);
    }
    if (result == 0 && (flags & SOCK_CLOEXEC) != 0) {
        table_set_exec(fd, TABLE_EXEC_CLOSED);
    }
    return result;
}

static void
give_address(const struct sockaddr_storage *from, socklen_t from_len, struct sockaddr *to,
             socklen_t *to_len)
{
    if (to != NULL && to_len != NULL) {
        memcpy(to, from, from_len < *to_len ? from_len : *to_len);
        *to_len = from_len;
    }
}

/* A connection that a rule turns away never was: accept goes on to the next one. */
static int
accept_next(int fd, struct sockaddr *address, socklen_t *address_len, int flags)
{
    for (;;) {
        struct sockaddr_storage remote;
        socklen_t len = sizeof(remote);
        int got = real.accept4(fd, (struct sockaddr *)&remote, &len, flags);
        if (got < 0) {
            return -errno;
        }
        int result = admit(got, (const struct sockaddr *)&remote, len, flags);
        if (result == 0) {
            table_mark(got, TABLE_UNMARKED);
            give_address(&remote, len, address, address_len);
            return got;
        }
        turn_away(got);
        if (result != -EACCES) {
            return result == -ENOMEM ? -ENOMEM : -ECONNABORTED;
        }
    }
}

INTERPOSE int
accept4(int fd, __SOCKADDR_ARG address, socklen_t *address_len, int flags)
{
    real_need();
    int errno_before = errno;
    int result = accept_next(fd, SOCKADDR_OF(address), address_len, flags);
    return (int)real_way_out(result, errno_before);
}

INTERPOSE int
accept(int fd, __SOCKADDR_ARG address, socklen_t *address_len)
{
    return accept4(fd, address, address_len, 0);
}
