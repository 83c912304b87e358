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

#endif
