/* How processes begin and end. */
#include "shim/interpose/governed.h"

#include <sched.h>
#include <stdlib.h>

#include "shim/interpose/load.h"

/* The handlers of pthread_atfork() do the work; the row is here for vfork. */
INTERPOSE pid_t
fork(void)
{
    real_need();
    return real.fork();
}

/* A child that shares our memory would take the sessions of its parent out of the table:
 * it is given a copy, as POSIX allows. */
INTERPOSE pid_t
vfork(void)
{
    return fork();
}

INTERPOSE_GLIBC_ALIAS(__vfork, vfork);

/* fork() without the handlers; ours have to run all the same. */
INTERPOSE pid_t
_Fork(void)
{
    real_need();
    if (real._Fork == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (!load_process()->is_on) {
        return real._Fork();
    }
    load_bare_fork_prepare();
    pid_t child = real._Fork();
    if (child == 0) {
        load_fork_child();
        return 0;
    }
    int errno_then = errno;
    load_bare_fork_parent();
    errno = errno_then;
    return child;
}

/* What a child that clone() has given a copy of our memory is to run. */
struct start {
    int (*run)(void *argument);
    void *argument;
};

static int
start_child(void *context)
{
    struct start start = *(struct start *)context; /* the copy on the parent's stack */
    load_fork_child();
    return start.run(start.argument);
}

INTERPOSE int
clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    va_list args;
    va_start(args, argument);
    pid_t *parent_tid = va_arg(args, pid_t *); /* taken as libc itself takes them */
    void *tls = va_arg(args, void *);
    pid_t *child_tid = va_arg(args, pid_t *);
    va_end(args);
    real_need();
    if ((flags & CLONE_VM) != 0 || run == NULL || !load_process()->is_on) {
        return real.clone(run, stack, flags, argument, parent_tid, tls, child_tid);
    }
    struct start start = {run, argument};
    load_bare_fork_prepare();
    int child = real.clone(start_child, stack, flags, &start, parent_tid, tls, child_tid);
    int errno_then = errno;
    load_bare_fork_parent();
    errno = errno_then;
    return child;
}

INTERPOSE_GLIBC_ALIAS(__clone, clone);

/* exit() comes by our destructor, quick_exit() by a handler (load.c); these do not. */
INTERPOSE void
_exit(int status)
{
    real_need();
    if (load_process()->is_on) {
        session_close_all();
    }
    real._exit(status);
    __builtin_unreachable();
}

INTERPOSE void
_Exit(int status)
{
    _exit(status);
}
