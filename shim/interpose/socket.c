/* Calls on a governed socket that move no data. */
#include "shim/interpose/governed.h"

#include <string.h>

int
governed_shutdown(struct handle *handle, int fd, int how)
{
    return session_shutdown(handle, fd, how);
}

int
governed_getsockopt(struct handle *handle, int fd, int level, int name, void *value,
                    socklen_t *len)
{
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
    return real.getsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
}
