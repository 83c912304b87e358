#include "shim/session/audit_socket.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "shim/session/system.h"

#define RECONNECT_SECONDS 1

static struct audit_io calls;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static _Atomic int64_t reconnect_after; /* CLOCK_MONOTONIC's seconds */

static int
connect_daemon(int fd)
{
    return calls.connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0
               ? 0
               : -errno;
}

int
audit_socket_open(const char *path, const struct audit_io *io)
{
    calls = *io;
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    atomic_store(&reconnect_after, 0);
    int fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = connect_daemon(fd);
    if (result < 0 && result != -ECONNREFUSED) { /* that one is being restarted */
        calls.close(fd);
        return result;
    }
    return fd;
}

/* A socket without a name may be connected again: the fd, which other threads may be
 * using, stays the same one. */
static bool
reconnect(int fd)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t after = atomic_load(&reconnect_after);
    return now.tv_sec >= after &&
           atomic_compare_exchange_strong(&reconnect_after, &after,
                                          (int64_t)now.tv_sec + RECONNECT_SECONDS) &&
           connect_daemon(fd) == 0;
}

bool
audit_socket_send(int fd, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = (LIBC_MSG_COUNT)count};
    enum { FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
    ssize_t n = system_calls.sendmsg(fd, &message, FLAGS);
    if (n < 0 && errno != EAGAIN && errno != EMSGSIZE && errno != ENOBUFS &&
        reconnect(fd)) {
        n = system_calls.sendmsg(fd, &message, FLAGS);
    }
    return n >= 0; /* a datagram goes as a whole */
}
