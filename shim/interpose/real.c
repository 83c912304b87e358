#include "shim/interpose/real.h"

#include <dlfcn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "shim/interpose/missing.h"
#include "shim/record/record.h"
#include "shim/session/system.h"

struct real real;

/* A function pointer may not be cast from void *; it may be written as one (dlsym(3)). */
#define FIND(name) (*(void **)&found.name = dlsym(RTLD_NEXT, #name));
#define CALL(family, ret, name, params, args) FIND(name)
#define CALL_FD(family, ret, name, params, args) FIND(name)
#define CALL_VARIADIC(family, ret, name, params) FIND(name)
#define CALL_ALIAS(family, target, name)

/* By syscall(2), which is no cancellation point, as the functions of libc are. */
static ssize_t
recv_uncancelled(int fd, void *buf, size_t len, int flags)
{
    return real.syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

static ssize_t
send_uncancelled(int fd, const void *buf, size_t len, int flags)
{
    return real.syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

static int
bytes_come(int fd)
{
    int count = 0;

    return real.ioctl(fd, FIONREAD, &count) == 0 ? count : -1;
}

/* The layers below us must not come back through the wrappers. */
static void
lend_to_lower_layers(void)
{
    record_io.recv = recv_uncancelled;
    record_io.send = send_uncancelled;
    record_io.shutdown = real.shutdown;
    record_io.inq = bytes_come;
    system_calls.recv = real.recv;
    system_calls.send = real.send;
    system_calls.recvmsg = real.recvmsg;
    system_calls.sendmsg = real.sendmsg;
    system_calls.read = real.read;
    system_calls.write = real.write;
    system_calls.socket = real.socket;
    system_calls.connect =
        (int (*)(int, const struct sockaddr *, socklen_t))(void *)real.connect;
    system_calls.getaddrinfo = real.getaddrinfo;
    system_calls.shutdown = real.shutdown;
    system_calls.close = real.close;
    system_calls.poll = real.poll;
    system_calls.fcntl = real.fcntl;
    system_calls.dup3 = real.dup3;
    system_calls.ioctl = real.ioctl;
    system_calls.getsockopt = real.getsockopt;
    system_calls.setsockopt = real.setsockopt;
    system_calls.epoll_ctl = real.epoll_ctl;
    system_calls.epoll_wait = real.epoll_wait;
}

/* Two threads may do this at once: both find the same. */
__attribute__((constructor(101))) void
real_find(void)
{
    struct real found = {.ready = false};

    if (real.ready) {
        return;
    }
#include "shim/interpose/calls.def"
    missing_fill(&found);
    real = found;
    lend_to_lower_layers();
    __atomic_store_n(&real.ready, true, __ATOMIC_RELEASE);
}
