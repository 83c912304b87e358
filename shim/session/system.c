#include "shim/session/system.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* libc's own until the interposing layer puts in what dlsym found behind itself. */
struct system_calls system_calls = {
    .recv = recv,
    .send = send,
    .recvmsg = recvmsg,
    .sendmsg = sendmsg,
    .read = read,
    .write = write,
    .socket = socket,
    .connect = (int (*)(int, const struct sockaddr *, socklen_t))(void *)connect,
    .getaddrinfo = getaddrinfo,
    .shutdown = shutdown,
    .close = close,
    .poll = poll,
    .fcntl = fcntl,
    .dup3 = dup3,
    .ioctl = ioctl,
    .getsockopt = getsockopt,
    .setsockopt = setsockopt,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait,
};
