#include "shim/session/thread.h"

#include <errno.h>
#include <signal.h>

int
thread_start(void *(*run)(void *context), void *context, size_t stack_len,
             pthread_t *thread)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_attr_init(&attr) != 0) {
        return -EAGAIN;
    }
    pthread_attr_setstacksize(&attr, stack_len);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, &attr, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -error;
}
