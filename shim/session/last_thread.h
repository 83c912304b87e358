/*
 * A process whose main thread has left by pthread_exit(3) ends with the last of the
 * others (pthread_exit(3), NOTES): a thread of ours must not keep it alive.
 */
#ifndef SHIM_SESSION_LAST_THREAD_H
#define SHIM_SESSION_LAST_THREAD_H

#include <pthread.h>
#include <stdbool.h>

enum {
    LAST_THREAD_LOOK_MS = 20
}; /* how often it is asked, once the main thread has left */

/*
 * The calling thread is the one that the process has begun with: at load, and in the
 * child of a fork.
 *
 *   left  in  is called as it leaves by pthread_exit(3), which exit(3) is not
 */
void last_thread_main_is(void (*left)(void));

/* Whether it has left. Safe: threads. */
bool last_thread_main_left(void);

/* Whether nobody is left but the calling thread; false where /proc cannot tell. */
bool last_thread_is_caller(void);

/*
 * Starts a thread that calls exit(0), as libc does when its last thread ends, with room
 * for the program's handlers.  It goes on when the calling thread has ended.
 *
 *   before  in  what it does first, then
 *
 * Returns  0, or -errno: the caller goes on.
 */
int last_thread_exit(void (*before)(void));

#endif
