#include "shim/session/thread.h"

#include <errno.h>
#include <signal.h>

#include "shim/libc/libc.h"

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

/* Who copies the process goes first, or threads in turn could keep it waiting. */
static pthread_rwlock_t rest_lock = LIBC_RWLOCK_WRITER_FIRST;

void
thread_works(void)
{
    pthread_rwlock_rdlock(&rest_lock);
}

void
thread_rests(void)
{
    pthread_rwlock_unlock(&rest_lock);
}

void
thread_hold(void)
{
    pthread_rwlock_wrlock(&rest_lock);
}

void
thread_release(void)
{
    pthread_rwlock_unlock(&rest_lock);
}

void
thread_forked(void)
{
    rest_lock = (pthread_rwlock_t)LIBC_RWLOCK_WRITER_FIRST;
}
