/* How processes begin and end. */
#include "shim/interpose/governed.h"

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

INTERPOSE_ALIAS(__vfork, vfork);

/* exit() comes by our destructor; these do not. */
INTERPOSE void
_exit(int status)
{
    real_need();
    if (load_process()->policy != NULL) {
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
