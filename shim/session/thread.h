/*
 * Threads of the library's own: the program's signals are not for them.
 */
#ifndef SHIM_SESSION_THREAD_H
#define SHIM_SESSION_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts a thread with all signals blocked.
 *
 *   stack_len  in   bytes
 *   thread     out  to be joined or detached
 *
 * Returns  0 or -errno.
 */
int thread_start(void *(*run)(void *context), void *context, size_t stack_len,
                 pthread_t *thread);

/*
 * When a thread of ours may hold locks of libc, and when it merely waits for the network.
 * A copy of the process that is made past libc (_Fork, clone) would find these locks held
 * for ever, so it waits until every thread rests or has not begun.
 *
 * Safe     threads that have neither fork_lock nor a lock after it; not from signal
 * handlers.
 */
void thread_works(void);
void thread_rests(void);

/* Around such a copy, in the parent; in between no thread works. */
void thread_hold(void);
void thread_release(void);

/* In the child, which has no thread of ours. */
void thread_forked(void);

#endif
