/*
 * What the compiler makes of calls where _FORTIFY_SOURCE knows the size of the buffer.
 */
#include "shim/interpose/governed.h"
#include "shim/interpose/standard_error.h"

extern void __chk_fail(void) __attribute__((noreturn));

/* Ends the process by SIGABRT, as libc's own do. */
_Noreturn static void
fail(void)
{
    standard_error_say_nothing();
    __chk_fail();
}

ssize_t
governed___read_chk(struct handle *handle, int fd, void *buf, size_t len, size_t size)
{
    if (len > size) {
        fail();
    }
    return governed_read(handle, fd, buf, len);
}

ssize_t
governed___recv_chk(struct handle *handle, int fd, void *buf, size_t len, size_t size,
                    int flags)
{
    if (len > size) {
        fail();
    }
    return governed_recv(handle, fd, buf, len, flags);
}

ssize_t
governed___recvfrom_chk(struct handle *handle, int fd, void *buf, size_t len, size_t size,
                        int flags, __SOCKADDR_ARG address, socklen_t *address_len)
{
    if (len > size) {
        fail();
    }
    return governed_recvfrom(handle, fd, buf, len, flags, address, address_len);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *signals, size_t size);

INTERPOSE int
__poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
    if (size / sizeof(*fds) < count) {
        fail();
    }
    return poll(fds, count, timeout_ms);
}

INTERPOSE int
__ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
            const sigset_t *signals, size_t size)
{
    if (size / sizeof(*fds) < count) {
        fail();
    }
    return ppoll(fds, count, timeout, signals);
}

/* What flag guards against, %n in writable memory, is not our business to check twice. */
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
int __dprintf_chk(int fd, int flag, const char *format, ...);

INTERPOSE int
__vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
    real_need();
    if (!table_has(fd)) {
        return real.__vdprintf_chk(fd, flag, format, args);
    }
    return vdprintf(fd, format, args);
}

INTERPOSE int
__dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = __vdprintf_chk(fd, flag, format, args);
    va_end(args);
    return result;
}

void __vsyslog_chk(int priority, int flag, const char *format, va_list args);
void __syslog_chk(int priority, int flag, const char *format, ...);

INTERPOSE void
__vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
    va_list copy;
    real_need();
    va_copy(copy, args);
    standard_error_print(priority, format, copy);
    va_end(copy);
    real.__vsyslog_chk(priority, flag, format, args);
}

INTERPOSE void
__syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    __vsyslog_chk(priority, flag, format, args);
    va_end(args);
}
