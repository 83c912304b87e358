#include "shim/record/lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "shim/record/fail.h"

#define SOON_NS 50000000 /* many times what a batch takes */

/* Locks that this thread holds or is about to take, also of the code it interrupted. */
static __thread volatile int depth __attribute__((tls_model("initial-exec")));

static atomic_bool shields;

int
record_lock_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;

    int err = pthread_mutexattr_init(&attr);
    if (err != 0) {
        return -err;
    }
    /* These three cannot fail with values that exist. */
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    err = pthread_mutex_init(mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return -err;
}

/* What the dead one was at may be half done: nothing of it is used. */
static void
recover(struct record_conn *conn, struct record_dir *dir, int fd)
{
    pthread_mutex_consistent(&dir->lock);
    dir->leftover = false;
    __atomic_store_n(&dir->len, 0, __ATOMIC_RELAXED);
    record_fail_both(conn, fd, -ECONNRESET);
}

static int
lock_soon(pthread_mutex_t *mutex)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SOON_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int err = pthread_mutex_timedlock(mutex, &until);

    return err == ETIMEDOUT ? EDEADLK : err;
}

void
record_lock_shield_threads(void)
{
    atomic_store(&shields, true);
}

static void
shield(struct record_lock *lock)
{
    lock->shielded = atomic_load_explicit(&shields, memory_order_relaxed);
    if (lock->shielded) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &lock->cancel_state);
    }
}

static void
unshield(const struct record_lock *lock)
{
    if (lock->shielded) {
        pthread_setcancelstate(lock->cancel_state, NULL);
    }
}

static int
take(struct record_lock *lock, struct record_conn *conn, struct record_dir *dir, int fd,
     int (*take_mutex)(pthread_mutex_t *))
{
    shield(lock);
    depth++;
    int err = take_mutex(&dir->lock);

    if (err != 0 && err != EOWNERDEAD) {
        depth--;
        unshield(lock);
        return -err;
    }
    lock->held = &dir->lock;
    if (err == EOWNERDEAD) {
        recover(conn, dir, fd);
    }
    return 0;
}

int
record_lock_take(struct record_lock *lock, struct record_conn *conn,
                 struct record_dir *dir, int fd)
{
    return take(lock, conn, dir, fd, depth > 0 ? lock_soon : pthread_mutex_lock);
}

int
record_lock_try(struct record_lock *lock, struct record_conn *conn,
                struct record_dir *dir, int fd)
{
    return take(lock, conn, dir, fd, pthread_mutex_trylock);
}

void
record_lock_release(struct record_lock *lock)
{
    if (lock->held != NULL) {
        pthread_mutex_unlock(lock->held);
        lock->held = NULL;
        depth--;
        unshield(lock);
    }
}
