#include "shim/session/table.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "shim/session/service.h"
#include "shim/session/system.h"

struct handle *_Atomic table_fds[TABLE_FD_MAX];
_Atomic int table_count;

/* One past the highest fd ever entered, so that walks stay short. */
static _Atomic int table_end;
static _Atomic int marks_end; /* the same of marked ones */
static _Atomic uint8_t exec_of_fd[TABLE_FD_MAX];
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Stands for fds of our own: its refs stay 0, so nobody can acquire it. */
static struct handle owned;
/* The same for marked ones. */
static struct handle unconnected, foreign;

static bool
is_handle(const struct handle *handle)
{
    return handle != NULL && handle != &owned && handle != &unconnected &&
           handle != &foreign;
}

void
table_lock(void)
{
    pthread_mutex_lock(&table_mutex);
}

void
table_unlock(void)
{
    pthread_mutex_unlock(&table_mutex);
}

/* Without a reference. */
static struct handle *
look(int fd)
{
    struct handle *handle =
        (unsigned)fd < TABLE_FD_MAX
            ? atomic_load_explicit(&table_fds[fd], memory_order_acquire)
            : NULL;
    return is_handle(handle) ? handle : NULL;
}

bool
table_governs(int fd)
{
    return look(fd) != NULL;
}

bool
table_shakes_hands(int fd)
{
    const struct handle *handle = look(fd);
    return handle != NULL &&
           !atomic_load_explicit(&handle->handed_over, memory_order_relaxed);
}

void
table_ref(struct handle *handle)
{
    atomic_fetch_add(&handle->refs, 1);
}

void
table_release(struct handle *handle)
{
    if (atomic_fetch_sub(&handle->refs, 1) == 1) {
        session_free(handle);
    }
}

static void
enter(int fd, struct handle *handle)
{
    atomic_store(&table_fds[fd], handle);
    /* Ours sit so high that a walk up to them would take its time. */
    if (is_handle(handle) && fd >= atomic_load(&table_end)) {
        atomic_store(&table_end, fd + 1);
    }
}

int
table_add(int fd, struct handle *handle)
{
    if ((unsigned)fd >= TABLE_FD_MAX) {
        return -EMFILE;
    }
    table_lock();
    atomic_fetch_add(&handle->refs, 1);
    atomic_fetch_add(&handle->fds, 1);
    atomic_store(&handle->fd_hint, fd);
    enter(fd, handle);
    atomic_fetch_add(&table_count, 1);
    table_unlock();
    return 0;
}

static bool
is_retired(int fd)
{
    return atomic_load(&exec_of_fd[fd]) == TABLE_EXEC_RETIRED;
}

/* Another fd that leads to handle, -1 = none; under the lock. */
static int
find_fd(const struct handle *handle)
{
    int end = atomic_load(&table_end);
    for (int fd = 0; fd < end; fd++) {
        if (atomic_load(&table_fds[fd]) == handle && !is_retired(fd)) {
            return fd;
        }
    }
    return -1;
}

/* The handle loses an fd, which leads nowhere from now on. Under the lock. Returns
 * whether it was its last one in this process. */
static bool
take_out(int fd, struct handle *handle)
{
    atomic_store(&table_fds[fd], NULL);
    atomic_store(&exec_of_fd[fd], TABLE_EXEC_UNSAID);
    atomic_fetch_sub(&table_count, 1);
    bool last = atomic_fetch_sub(&handle->fds, 1) == 1;
    if (!last && atomic_load(&handle->fd_hint) == fd) {
        atomic_store(&handle->fd_hint, find_fd(handle));
    }
    return last;
}

/*
 * The session is in plaintext for good: fd is no longer governed, and is close-on-exec if
 * the program wants that.  Where a lock is taken, in a signal handler say, it leaves the
 * next time; until then its calls go to libc all the same.
 */
static void
leave(int fd, struct handle *handle)
{
    if (!service_forget(handle, false) || pthread_mutex_trylock(&table_mutex) != 0) {
        return;
    }
    bool there = atomic_load(&table_fds[fd]) == handle && !is_retired(fd);
    if (there) {
        bool closed = atomic_load(&exec_of_fd[fd]) == TABLE_EXEC_CLOSED;
        (void)system_calls.fcntl(fd, F_SETFD, closed ? FD_CLOEXEC : 0);
        (void)take_out(fd, handle);
    }
    table_unlock();
    if (there) {
        table_release(handle); /* the fd's reference */
    }
}

struct handle *
table_acquire_slow(int fd)
{
    struct handle *handle = atomic_load(&table_fds[fd]);
    while (handle != NULL) {
        uint32_t refs = atomic_load(&handle->refs);
        if (refs != 0 && atomic_compare_exchange_weak(&handle->refs, &refs, refs + 1)) {
            /* The place may have changed hands between the look and the count. */
            if (atomic_load(&table_fds[fd]) == handle) {
                if (atomic_load(&handle->session->state) != SESSION_PLAINTEXT) {
                    return handle;
                }
                leave(fd, handle);
                table_release(handle);
                return NULL;
            }
            table_release(handle);
        }
        struct handle *now = atomic_load(&table_fds[fd]);
        if (refs == 0 && now == handle) {
            return NULL;
        }
        handle = now;
    }
    return NULL;
}

struct handle *
table_remove(int fd)
{
    if ((unsigned)fd >= TABLE_FD_MAX || atomic_load(&table_fds[fd]) == NULL) {
        return NULL;
    }
    bool last = false;
    table_lock();
    struct handle *handle = atomic_load(&table_fds[fd]);
    if (!is_handle(handle)) {
        handle = NULL;
    }
    if (handle != NULL) {
        last = take_out(fd, handle);
    }
    table_unlock();
    if (handle != NULL && !last) {
        table_release(handle);
        handle = NULL;
    }
    return handle;
}

int
table_retire(int fd, struct handle **last)
{
    int result = -ENOENT;
    *last = NULL;
    if ((unsigned)fd >= TABLE_FD_MAX || atomic_load(&table_fds[fd]) == NULL) {
        return result;
    }
    table_lock();
    struct handle *handle = atomic_load(&table_fds[fd]);
    if (is_handle(handle)) {
        result = is_retired(fd) ? -EBADF : 0;
    }
    if (result == 0) {
        atomic_store(&exec_of_fd[fd], TABLE_EXEC_RETIRED);
        if (atomic_fetch_sub(&handle->fds, 1) == 1) {
            table_ref(handle);
            *last = handle;
        }
        if (atomic_load(&handle->fd_hint) == fd) {
            atomic_store(&handle->fd_hint, find_fd(handle));
        }
    }
    table_unlock();
    return result;
}

void
table_forget(int fd)
{
    table_lock();
    struct handle *handle = atomic_exchange(&table_fds[fd], NULL);
    atomic_store(&exec_of_fd[fd], TABLE_EXEC_UNSAID);
    atomic_fetch_sub(&table_count, 1);
    table_unlock();
    table_release(handle);
}

void
table_replace(struct handle *old, struct handle *new)
{
    uint32_t moved = 0;
    int end = atomic_load(&table_end);
    table_lock();
    for (int fd = 0; fd < end; fd++) {
        if (atomic_load(&table_fds[fd]) == old && !is_retired(fd)) {
            atomic_fetch_add(&new->refs, 1);
            atomic_fetch_add(&new->fds, 1);
            atomic_store(&new->fd_hint, fd);
            atomic_store(&table_fds[fd], new);
            moved++;
        }
    }
    atomic_store(&old->fd_hint, -1);
    atomic_fetch_sub(&old->fds, moved);
    table_unlock();
    while (moved-- > 0) {
        table_release(old);
    }
}

void
table_set_exec(int fd, enum table_exec exec)
{
    atomic_store(&exec_of_fd[fd], (uint8_t)exec);
}

enum table_exec
table_get_exec(int fd)
{
    return table_governs(fd) ? (enum table_exec)atomic_load(&exec_of_fd[fd])
                             : TABLE_EXEC_UNSAID;
}

/* The highest number that fcntl(F_DUPFD) may be asked for, some way below the limit. */
static int
high_floor(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > TABLE_FD_MAX) {
        limit.rlim_cur = TABLE_FD_MAX;
    }
    return limit.rlim_cur > 128 ? (int)limit.rlim_cur - 64 : (int)limit.rlim_cur / 2;
}

static int
dup_high(int fd)
{
    int high = system_calls.fcntl(fd, F_DUPFD_CLOEXEC, high_floor());
    if (high < 0) {
        /* The top is full: anywhere above the numbers that programs expect. */
        high = system_calls.fcntl(fd, F_DUPFD_CLOEXEC, high_floor() / 2);
    }
    return high;
}

int
table_dup(struct handle *handle)
{
    int copy = -1;
    table_lock();
    int fd = atomic_load(&handle->fd_hint);
    if (fd >= 0 && atomic_load(&table_fds[fd]) == handle) {
        copy = dup_high(fd);
    }
    table_unlock();
    if (copy >= 0) {
        table_own(copy);
    }
    return copy;
}

int
table_copy(int fd)
{
    int copy = dup_high(fd);
    if (copy < 0) {
        copy = system_calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    if (copy >= 0) {
        table_own(copy);
    }
    return copy;
}

void
table_own(int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX) {
        /* Without the lock, as it is ours alone: for signal handlers. */
        enter(fd, &owned);
    }
}

void
table_disown(int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX) {
        table_lock();
        if (atomic_load(&table_fds[fd]) == &owned) {
            atomic_store(&table_fds[fd], NULL);
        }
        table_unlock();
    }
}

bool
table_owned(int fd)
{
    return (unsigned)fd < TABLE_FD_MAX && atomic_load(&table_fds[fd]) == &owned;
}

void
table_mark(int fd, enum table_mark mark)
{
    struct handle *wanted = mark == TABLE_UNCONNECTED ? &unconnected
                            : mark == TABLE_FOREIGN   ? &foreign
                                                      : NULL;
    if ((unsigned)fd >= TABLE_FD_MAX) {
        return;
    }
    /* Without the lock: socket(2) is called by signal handlers, too. */
    struct handle *handle = atomic_load(&table_fds[fd]);
    while (handle != wanted && handle != &owned && !is_handle(handle) &&
           !atomic_compare_exchange_weak(&table_fds[fd], &handle, wanted)) {
    }
    int end = atomic_load(&marks_end);
    while (wanted != NULL && end <= fd &&
           !atomic_compare_exchange_weak(&marks_end, &end, fd + 1)) {
    }
}

void
table_unmark(unsigned first, unsigned last)
{
    unsigned end = (unsigned)atomic_load(&marks_end);
    for (unsigned fd = first; fd <= last && fd < end; fd++) {
        table_mark((int)fd, TABLE_UNMARKED);
    }
}

int
table_next_marked(int fd)
{
    int end = atomic_load(&marks_end);
    while (fd < end && table_marked(fd) == TABLE_UNMARKED) {
        fd++;
    }
    return fd < end ? fd : -1;
}

enum table_mark
table_marked(int fd)
{
    const struct handle *handle =
        (unsigned)fd < TABLE_FD_MAX ? atomic_load(&table_fds[fd]) : NULL;
    return handle == &unconnected ? TABLE_UNCONNECTED
           : handle == &foreign   ? TABLE_FOREIGN
                                  : TABLE_UNMARKED;
}

int
table_raise(int fd)
{
    int high = dup_high(fd);
    if (high < 0) {
        table_own(fd);
        return fd;
    }
    system_calls.close(fd);
    table_own(high);
    return high;
}

void
table_each(void (*visit)(int fd, struct handle *handle, void *context), void *context)
{
    int end = atomic_load(&table_end);
    for (int fd = 0; fd < end; fd++) {
        struct handle *handle = atomic_load(&table_fds[fd]);
        if (is_handle(handle)) {
            visit(fd, handle, context);
        }
    }
}
