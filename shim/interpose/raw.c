/*
 * syscall(2) of libc: system calls past the functions that we interpose.  Those that
 * would move data of a governed fd, or lose track of one, go by these functions after
 * all; io_uring, whose requests nobody sees, is refused, and so are jobs for such fds.
 */
#include "shim/interpose/aio.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/load.h"
#include "shim/session/audit.h"

#include <linux/aio_abi.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "shim/interpose/memory.h"

enum { ARGUMENTS = 6 };

static long
pass(long number, const long a[ARGUMENTS])
{
    return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A process that is made by the bare system call, as by _Fork(). */
static long
make_process(long number, const long a[ARGUMENTS], bool is_copy)
{
    if (!is_copy || !load_process()->is_on) {
        return pass(number, a);
    }
    load_bare_fork_prepare();
    long child = pass(number, a);
    if (child == 0) {
        load_fork_child();
        return 0;
    }
    int errno_then = errno;
    load_bare_fork_parent();
    errno = errno_then;
    return child;
}

/* Whether the child has a copy of our memory, and comes back to us. */
static bool
is_copy(uint64_t flags, uint64_t stack)
{
    return (flags & CLONE_VM) == 0 && stack == 0;
}

static bool
clone3_is_copy(const struct clone_args *args)
{
    return memory_is_there(args) && is_copy(args->flags, args->stack);
}

static long
refuse_io_uring(long number, const long a[ARGUMENTS])
{
    if (!load_process()->is_on) {
        return pass(number, a);
    }
    audit_warn("io_uring_setup was refused: it would go around the library");
    errno = ENOSYS;
    return -1;
}

static bool
moves_data(const struct iocb *job)
{
    return job->aio_lio_opcode == IOCB_CMD_PREAD ||
           job->aio_lio_opcode == IOCB_CMD_PWRITE ||
           job->aio_lio_opcode == IOCB_CMD_PREADV ||
           job->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

/* The kernel's own asynchronous jobs: those before the first that goes around a session
 * are taken, as where the kernel refuses one. */
static long
submit_jobs(long number, const long a[ARGUMENTS])
{
    struct iocb *const *jobs = (struct iocb *const *)a[2];
    for (long i = 0; i < a[1]; i++) {
        if (!memory_is_there(&jobs[i]) || !memory_is_there(jobs[i])) {
            break; /* the kernel goes no further */
        }
        if (moves_data(jobs[i]) && aio_may_not_be((int)jobs[i]->aio_fildes)) {
            const long before[ARGUMENTS] = {a[0], i, a[2]};
            errno = ENOSYS;
            return i == 0 ? -1 : pass(number, before);
        }
    }
    return pass(number, a);
}

#define PTR(i) ((void *)a[i])
#define INT(i) ((int)a[i])
#define LEN(i) ((size_t)a[i])
#define UNSIGNED(i) ((unsigned)a[i])

static long
move_data(long number, const long a[ARGUMENTS])
{
    switch (number) {
    case SYS_read:
        return read(INT(0), PTR(1), LEN(2));
    case SYS_write:
        return write(INT(0), PTR(1), LEN(2));
    case SYS_readv:
        return readv(INT(0), PTR(1), INT(2));
    case SYS_writev:
        return writev(INT(0), PTR(1), INT(2));
    case SYS_preadv2: /* the offset in two halves, the second of no use here: syscall(2)
                       */
        return preadv2(INT(0), PTR(1), INT(2), a[3], INT(5));
    case SYS_pwritev2:
        return pwritev2(INT(0), PTR(1), INT(2), a[3], INT(5));
    case SYS_recvfrom:
        return recvfrom(INT(0), PTR(1), LEN(2), INT(3), SOCKADDR_ARGUMENT(PTR(4)),
                        PTR(5));
    case SYS_sendto:
        return sendto(INT(0), PTR(1), LEN(2), INT(3), SOCKADDR_CONST_ARGUMENT(PTR(4)),
                      (socklen_t)a[5]);
    case SYS_recvmsg:
        return recvmsg(INT(0), PTR(1), INT(2));
    case SYS_sendmsg:
        return sendmsg(INT(0), PTR(1), INT(2));
    case SYS_recvmmsg:
        return recvmmsg(INT(0), PTR(1), UNSIGNED(2), (LIBC_MMSG_FLAGS)a[3], PTR(4));
    case SYS_sendmmsg:
        return sendmmsg(INT(0), PTR(1), UNSIGNED(2), (LIBC_MMSG_FLAGS)a[3]);
    case SYS_sendfile:
        return sendfile(INT(0), INT(1), PTR(2), LEN(3));
    case SYS_splice:
        return splice(INT(0), PTR(1), INT(2), PTR(3), LEN(4), UNSIGNED(5));
    default:
        return pass(number, a);
    }
}

static long
treat_descriptor(long number, const long a[ARGUMENTS])
{
    switch (number) {
    case SYS_socket:
        return socket(INT(0), INT(1), INT(2));
    case SYS_connect:
        return connect(INT(0), SOCKADDR_CONST_ARGUMENT(PTR(1)), (socklen_t)a[2]);
    case SYS_accept:
        return accept(INT(0), SOCKADDR_ARGUMENT(PTR(1)), PTR(2));
    case SYS_accept4:
        return accept4(INT(0), SOCKADDR_ARGUMENT(PTR(1)), PTR(2), INT(3));
    case SYS_shutdown:
        return shutdown(INT(0), INT(1));
    case SYS_setsockopt:
        return setsockopt(INT(0), INT(1), INT(2), PTR(3), (socklen_t)a[4]);
    case SYS_getsockopt:
        return getsockopt(INT(0), INT(1), INT(2), PTR(3), PTR(4));
    case SYS_close:
        return close(INT(0));
    case SYS_close_range:
        return close_range(UNSIGNED(0), UNSIGNED(1), INT(2));
    case SYS_dup:
        return dup(INT(0));
#ifdef SYS_dup2
    case SYS_dup2:
        return dup2(INT(0), INT(1));
#endif
    case SYS_dup3:
        return dup3(INT(0), INT(1), INT(2));
    case SYS_fcntl:
        return fcntl(INT(0), INT(1), PTR(2));
    case SYS_ioctl:
        return ioctl(INT(0), (LIBC_IOCTL_REQUEST)a[1], PTR(2));
    default:
        return move_data(number, a);
    }
}

static long
treat_process(long number, const long a[ARGUMENTS])
{
    switch (number) {
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork: /* as vfork() is */
        return make_process(SYS_fork, a, true);
#endif
    case SYS_clone:
        return make_process(number, a, is_copy((uint64_t)a[0], (uint64_t)a[1]));
    case SYS_clone3:
        return make_process(number, a, clone3_is_copy(PTR(0)));
    case SYS_execve:
        return execve(PTR(0), PTR(1), PTR(2));
    case SYS_execveat:
        return execveat(INT(0), PTR(1), PTR(2), PTR(3), INT(4));
    case SYS_exit_group:
        _exit(INT(0));
    case SYS_io_uring_setup:
        return refuse_io_uring(number, a);
    case SYS_io_submit:
        return submit_jobs(number, a);
    default:
        return treat_descriptor(number, a);
    }
}

INTERPOSE long
syscall(long number, ...)
{
    long a[ARGUMENTS];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < ARGUMENTS; i++) {
        a[i] =
            va_arg(args, long); /* taken as libc itself takes them, whatever they are */
    }
    va_end(args);
    real_need();
    return treat_process(number, a);
}
