/*
 * The lock of one direction.  Order: rx, then tx.
 *
 * A thread that holds one already never waits for another for long: a signal handler that
 * reads may have interrupted a write, so that its thread holds them the other way round.
 *
 * A thread is not cancelled while it holds one: bytes taken from the kernel and then lost
 * would break the stream.  Nothing that is called then is a cancellation point
 * (pthreads(7)), and threads that may be cancelled anywhere are shielded.  Nobody blocks
 * with a lock held, so that nobody waits for long.
 */
#ifndef SHIM_RECORD_LOCK_H
#define SHIM_RECORD_LOCK_H

#include "shim/record/record.h"

struct record_lock {
    pthread_mutex_t *held; /* NULL: none */
    bool shielded;
    int cancel_state;
};

/* A lock that is released at the end of the scope, if it was taken. */
#define RECORD_LOCK_SCOPE __attribute__((cleanup(record_lock_release))) struct record_lock

int record_lock_init(pthread_mutex_t *mutex); /* 0 or -errno */

/*
 * From now on whoever holds a lock cannot be cancelled at all: a thread is about to be of
 * the type PTHREAD_CANCEL_ASYNCHRONOUS.  Without that the two calls of
 * pthread_setcancelstate(3) would be a twentieth of what a small record costs.
 */
void record_lock_shield_threads(void);

/*
 * Takes the lock of dir, which is one of conn's two.
 *
 * If its last holder died, what it was at is not known: both directions then have the
 * error -ECONNRESET and fd is shut down; no key is used again.
 *
 * Returns  0; -EDEADLK this thread holds it, or another one and this is not to be had:
 *          we are in a signal handler, or hold rx and want tx.
 */
int record_lock_take(struct record_lock *lock, struct record_conn *conn,
                     struct record_dir *dir, int fd) __attribute__((warn_unused_result));

/* The same without any waiting: -EBUSY when anybody holds it. */
int record_lock_try(struct record_lock *lock, struct record_conn *conn,
                    struct record_dir *dir, int fd) __attribute__((warn_unused_result));

void record_lock_release(struct record_lock *lock);

#endif
