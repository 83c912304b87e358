/* Calls on a socket that move no data. */
#include "shim/interpose/ask.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/memory.h"
#include "shim/interpose/unconnected.h"

#include <netinet/tcp.h>
#include <string.h>

#include "shim/mtls_shim.h"

INTERPOSE int
socket(int family, int type, int protocol)
{
    real_need();
    int fd = real.socket(family, type, protocol);
    if (fd >= 0) {
        unconnected_made(fd, family, type, protocol);
    }
    return fd;
}

int
governed_shutdown(struct handle *handle, int fd, int how)
{
    return session_shutdown(handle, fd, how);
}

/* What TCP is told of small segments: TCP_NODELAY is ours for a while, TCP_CORK as long
 * as we hold back what is corked. */
static bool
is_of_segments(int level, int name, const void *value, size_t len)
{
    return level == IPPROTO_TCP && (name == TCP_NODELAY || name == TCP_CORK) &&
           len >= sizeof(int) && memory_is_there(value);
}

/* Returns 0 or, for the kernel to be told, -ENOTTY. */
static int
set_of_segments(struct handle *handle, int fd, int name, bool on)
{
    if (name == TCP_CORK) {
        return session_set_cork(handle, fd, on);
    }
    if (on) {
        session_push(handle, fd);
    }
    return session_set_nodelay(handle, on);
}

int
governed_setsockopt(struct handle *handle, int fd, int level, int name, const void *value,
                    socklen_t len)
{
    if (is_of_segments(level, name, value, len)) {
        int on;
        memcpy(&on, value, sizeof(on));
        if (set_of_segments(handle, fd, name, on != 0) == 0) {
            return 0;
        }
    }
    return real.setsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
}

int
governed_getsockopt(struct handle *handle, int fd, int level, int name, void *value,
                    socklen_t *len)
{
    if (level == SOL_MTLS_SHIM) {
        return ask_option(handle, fd, name, value, len);
    }
    if (level == SOL_SOCKET && name == SO_ERROR && value != NULL && len != NULL &&
        *len >= sizeof(int)) {
        short events;
        (void)session_drive(handle, fd, &events); /* what has come may decide it */
        int error = session_take_error(handle);
        if (error != 0) {
            memcpy(value, &error, sizeof(error));
            *len = sizeof(error);
            return 0;
        }
    }
    if (len != NULL && is_of_segments(level, name, value, *len)) {
        int on =
            name == TCP_CORK ? session_get_cork(handle) : session_get_nodelay(handle);
        if (on >= 0) {
            memcpy(value, &on, sizeof(on));
            *len = sizeof(on);
            return 0;
        }
    }
    if (real.getsockopt(fd, level, name, value, len) < 0) {
        return -errno;
    }
    if (level == SOL_SOCKET && name == SO_ERROR && value != NULL && len != NULL &&
        *len == sizeof(int)) {
        int error;
        memcpy(&error, value, sizeof(error));
        if (error != 0) {
            session_broken(handle, fd, POLLIN,
                           error); /* told by this; reading finds the end */
            (void)session_tell_read(handle, -error);
        }
    }
    return 0;
}
