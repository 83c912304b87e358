#include "shim/interpose/fd.h"

#include <limits.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "shim/interpose/epoll.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/memory.h"
#include "shim/interpose/stdio.h"
#include "shim/interpose/unconnected.h"
#include "shim/interpose/wait.h"

int
fd_govern(int fd, struct handle *handle)
{
    /* No program gets the socket without its session (exec.c). */
    (void)real.fcntl(fd, F_SETFD, FD_CLOEXEC);
    int result = table_add(fd, handle);
    if (result == 0) {
        stdio_governed(fd);
    }
    return result;
}

int
fd_share(int fd, int copy)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    return handle != NULL ? fd_govern(copy, handle) : 0;
}

/* A socket that is connected to nothing: what is written to it goes nowhere. */
static int nothing = -1;

void
fd_init(void)
{
    int fd = real.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    nothing = fd >= 0 ? table_raise(fd) : -1;
}

void
fd_mute(int fd)
{
    if (real.dup3(nothing, fd, O_CLOEXEC) < 0) {
        (void)real.close(fd);
    }
}

/*
 * Another thread may be about to write to the number, as plain TCP would let it: as long
 * as it is the socket's, it leads to the session.
 */
int
fd_leave(int fd)
{
    struct handle *last;
    epoll_closed(fd);
    int result = table_retire(fd, &last);
    if (result == -ENOENT && table_marked(fd) != TABLE_UNMARKED) {
        table_mark(fd, TABLE_UNMARKED);
        stdio_left(fd);
    }
    if (result < 0) {
        return result == -ENOENT ? 0 : result;
    }
    stdio_left(fd);
    if (last != NULL) {
        session_last_close(last, fd);
    }
    (void)real.dup3(nothing, fd, O_CLOEXEC);
    table_forget(fd);
    return 0;
}

/* One past the highest number of a TCP socket that was duplicated before it was governed.
 */
static _Atomic int copies_end;

static void
note_copy(int fd, int copy)
{
    if (copy >= 0 && table_marked(fd) != TABLE_UNMARKED) {
        table_mark(copy, table_marked(fd));
        stdio_governed(copy);
    }
    int end = (copy > fd ? copy : fd) + 1;
    int seen = atomic_load(&copies_end);
    if (copy >= 0 && end > seen && unconnected_had_tcp() && !table_governs(fd) &&
        govern_may(copy)) {
        while (seen < end && !atomic_compare_exchange_weak(&copies_end, &seen, end)) {
        }
    }
}

int
fd_govern_copies(int fd)
{
    int end = atomic_load(&copies_end);
    uint64_t cookie = end > 0 ? session_cookie(fd) : 0;
    GOVERNED_SCOPE *handle = cookie != 0 ? table_acquire(fd) : NULL;
    int result = 0;
    for (int copy = 0; handle != NULL && copy < end && result == 0; copy++) {
        if (copy == fd || table_owned(copy) || session_cookie(copy) != cookie) {
            continue;
        }
        struct handle *old = table_remove(copy); /* of an attempt that has failed */
        if (old != NULL) {
            session_last_close(old, copy);
        }
        result = fd_govern(copy, handle);
    }
    return result;
}

/* What a duplicate has to go through; closes it when it cannot be governed. */
static int
share_or_close(int fd, int copy)
{
    if (copy < 0) {
        return -errno;
    }
    int result = fd_share(fd, copy);
    note_copy(fd, copy);
    if (result < 0) {
        real.close(copy);
    }
    return result < 0 ? result : copy;
}

INTERPOSE int
close(int fd)
{
    real_need();
    if (table_owned(fd)) {
        errno = EBADF; /* ours: to the program it does not exist */
        return -1;
    }
    int errno_before = errno;
    int left = fd_leave(fd);
    errno = errno_before;
    return left < 0 ? (int)real_way_out(left, errno_before) : real.close(fd);
}

INTERPOSE_GLIBC_ALIAS(__close, close);

/* Closes the numbers from first to last, leaving ours alone. */
static int
close_between(unsigned first, unsigned last, int flags)
{
    while (first <= last) {
        unsigned end = first;
        while (end <= last && !table_owned((int)end) && end < TABLE_FD_MAX) {
            end++;
        }
        if (end >= TABLE_FD_MAX) {
            return real.close_range(first, last, flags);
        }
        if (end > first && real.close_range(first, end - 1, flags) != 0) {
            return -1;
        }
        first = end + 1;
    }
    return 0;
}

static void
leave_between(int fd, struct handle *handle, void *context)
{
    const unsigned *range = context;
    (void)handle;
    if ((unsigned)fd >= range[0] && (unsigned)fd <= range[1]) {
        (void)fd_leave(fd);
    }
}

INTERPOSE int
close_range(unsigned first, unsigned last, int flags)
{
    real_need();
    if (first > last || (flags & (int)CLOSE_RANGE_CLOEXEC) != 0) {
        return real.close_range(first, last, flags);
    }
    unsigned range[2] = {first, last};
    int errno_before = errno;
    table_each(leave_between, range);
    table_unmark(first, last);
    errno = errno_before;
    return close_between(first, last, flags);
}

INTERPOSE void
closefrom(int first)
{
    unsigned from = first < 0 ? 0 : (unsigned)first;
    if (close_range(from, ~0U, 0) == 0) {
        return;
    }
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < TABLE_FD_MAX
                  ? (int)limit.rlim_cur
                  : TABLE_FD_MAX;
    for (int fd = (int)from; fd < end; fd++) {
        close(fd);
    }
}

INTERPOSE int
dup(int fd)
{
    real_need();
    int errno_before = errno;
    int copy = table_owned(fd) ? (errno = EBADF, -1) : real.dup(fd);
    return (int)real_way_out(share_or_close(fd, copy), errno_before);
}

static int
onto_plain(int fd, int copy, int flags)
{
    if (real.dup3(fd, copy, flags) < 0) {
        return -errno;
    }
    epoll_closed(copy);
    note_copy(fd, copy);
    return copy;
}

/* The copy is governed before it exists, so that there is no moment in which it is not.
 */
static int
dup_onto(int fd, int copy, int flags)
{
    bool owned = table_owned(fd) || table_owned(copy);
    if (!owned && !table_has(fd) && !table_has(copy)) {
        return onto_plain(fd, copy, flags);
    }
    if (table_owned(fd) || real.fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    if (table_owned(copy)) {
        return -EBUSY; /* dup2(2); our numbers are the highest there are */
    }
    int result = copy >= 0 ? fd_leave(copy) : 0;
    if (result < 0) {
        return -EBUSY; /* dup2(2): it is being closed */
    }
    result = fd_share(fd, copy);
    if (result < 0) {
        return result == -EMFILE ? -EBADF : result; /* out of range: dup2(2) */
    }
    bool governed = table_governs(copy);
    if (real.dup3(fd, copy, governed ? O_CLOEXEC : flags) < 0) {
        result = -errno;
        if (governed) {
            (void)fd_leave(copy);
        }
        return result;
    }
    note_copy(fd, copy);
    if (governed) {
        table_set_exec(copy,
                       (flags & O_CLOEXEC) == 0 ? TABLE_EXEC_WANTED : TABLE_EXEC_CLOSED);
    }
    return copy;
}

INTERPOSE int
dup2(int fd, int copy)
{
    real_need();
    if (fd == copy) {
        return real.dup2(fd, copy);
    }
    int errno_before = errno;
    return (int)real_way_out(dup_onto(fd, copy, 0), errno_before);
}

INTERPOSE_GLIBC_ALIAS(__dup2, dup2);

INTERPOSE int
dup3(int fd, int copy, int flags)
{
    real_need();
    if (fd == copy || (flags & ~O_CLOEXEC) != 0) {
        return real.dup3(fd, copy, flags);
    }
    int errno_before = errno;
    return (int)real_way_out(dup_onto(fd, copy, flags), errno_before);
}

typedef int control_function(int fd, int command, ...);

static int
control_governed(struct handle *handle, control_function *call, int fd, int command,
                 void *argument)
{
    bool closed;
    int copy;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        copy = share_or_close(fd, call(fd, F_DUPFD_CLOEXEC, argument));
        if (copy >= 0) {
            /* Where a number is asked for, it is for somebody (tcpclient's 6 and 7). */
            table_set_exec(copy,
                           command == F_DUPFD ? TABLE_EXEC_WANTED : TABLE_EXEC_CLOSED);
        }
        return copy;
    case F_GETFD:
        return table_get_exec(fd) == TABLE_EXEC_CLOSED ? FD_CLOEXEC : 0;
    case F_SETFD: /* the kernel's stays as it is: fd_govern() */
        closed = ((uintptr_t)argument & FD_CLOEXEC) != 0;
        table_set_exec(fd, closed ? TABLE_EXEC_CLOSED : TABLE_EXEC_WANTED);
        return 0;
    case F_SETFL:
        wait_forget_mode(handle);
        break;
    default:
        break;
    }
    int result = call(fd, command, argument);
    return result < 0 ? -errno : result;
}

static int
control(control_function *call, int fd, int command, void *argument)
{
    if (table_owned(fd)) {
        errno = EBADF;
        return -1;
    }
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (handle == NULL) {
        int result = call(fd, command, argument);
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
            note_copy(fd, result);
        }
        return result;
    }
    int errno_before = errno;
    return (int)real_way_out(control_governed(handle, call, fd, command, argument),
                             errno_before);
}

INTERPOSE int
fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *); /* as libc itself takes it, whatever it is */
    va_end(args);
    real_need();
    return control(real.fcntl, fd, command, argument);
}

INTERPOSE_GLIBC_ALIAS(__fcntl, fcntl);
INTERPOSE_GLIBC_ALIAS(fcntl64, fcntl);

INTERPOSE int
ioctl(int fd, LIBC_IOCTL_REQUEST request, ...)
{
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    real_need();
    switch (request) {
    case FIOCLEX:
    case FIONCLEX: /* F_SETFD by another name */
        return control(real.fcntl, fd, F_SETFD,
                       (void *)(uintptr_t)(request == FIOCLEX ? FD_CLOEXEC : 0));
    case FIONREAD:
    case FIONBIO:
        break;
    default:
        return real.ioctl(fd, request, argument);
    }
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (handle != NULL && request == FIONBIO) {
        wait_forget_mode(handle);
    }
    if (handle == NULL || request != FIONREAD || !memory_is_there(argument)) {
        return real.ioctl(fd, request, argument);
    }
    int errno_before = errno;
    size_t available = session_available(handle, fd);
    *(int *)argument = available < INT_MAX ? (int)available : INT_MAX;
    errno = errno_before;
    return 0;
}
