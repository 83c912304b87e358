#include "shim/session/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/system.h"

/* A zombie has closed everything; kill(2) takes it for alive. */
static bool
is_zombie(int32_t pid)
{
    char path[32];
    char stat[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t len = system_calls.read(fd, stat, sizeof(stat) - 1);
    system_calls.close(fd);
    stat[len > 0 ? len : 0] = '\0';
    /* "pid (name) S ...": the name may hold anything, but is at most 15 bytes long. */
    const char *end = strrchr(stat, ')');
    return end != NULL && (end[1] == ' ') && (end[2] == 'Z' || end[2] == 'X');
}

enum { PID_BITS = 32, NAMESPACE_MASK = 0x7fffffff };

/* Of this process; 0 = not known yet. */
static _Atomic int64_t own_namespace;

/* The inode of the namespace; without a /proc all processes have the same one, but for
 * those that holder_forked() tells apart. */
static int64_t
look_up_namespace(int64_t without)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? (int64_t)(st.st_ino & NAMESPACE_MASK)
                                               : without;
}

static int64_t namespace(void)
{
    int64_t own = atomic_load_explicit(&own_namespace, memory_order_relaxed);
    if (own == 0) {
        int errno_before = errno;
        own = look_up_namespace(1);
        atomic_store(&own_namespace, own);
        errno = errno_before;
    }
    return own;
}

int64_t
holder_id(int32_t pid)
{
    return namespace() << PID_BITS | pid;
}

void
holder_forked(int64_t parent)
{
    struct timespec now;
    if ((int64_t)getppid() == (parent & UINT32_MAX)) {
        return;
    }
    /* A parent in another namespace has no pid here; one that has ended has another. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t unique = (now.tv_sec * 1000000000 + now.tv_nsec) & NAMESPACE_MASK;
    atomic_store(&own_namespace,
                 look_up_namespace(getppid() == 0 ? unique : parent >> PID_BITS));
}

bool
holder_is_alive(int64_t id)
{
    id = id < 0 ? -id : id;
    int32_t pid = (int32_t)(id & UINT32_MAX);
    return id >> PID_BITS != namespace() ||
           ((kill(pid, 0) == 0 || errno == EPERM) && !is_zombie(pid));
}

void
holder_replace(struct holder_set *set, int64_t old, int64_t new)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int64_t expected = old;
        if (atomic_compare_exchange_strong(&set->ids[i], &expected, new)) {
            return;
        }
    }
    if (old != 0) {
        holder_replace(set, 0, new);
    } else {
        atomic_store(&set->overflowed, true);
    }
}

void
holder_add(struct holder_set *set, int64_t id)
{
    holder_replace(set, 0, id);
}

bool
holder_has(const struct holder_set *set, int64_t id)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        if (atomic_load(&set->ids[i]) == id) {
            return true;
        }
    }
    return false;
}

bool
holder_claim(struct holder_set *set, int64_t id)
{
    bool had = holder_has(set, id);
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int64_t reserved = atomic_load(&set->ids[i]);
        if (reserved < 0 &&
            atomic_compare_exchange_strong(&set->ids[i], &reserved, had ? 0 : id)) {
            return had;
        }
    }
    if (!had) {
        holder_add(set, id);
    }
    return had;
}

static bool
none_left(const struct holder_set *set)
{
    int errno_before = errno;
    bool none = !atomic_load(&set->overflowed);
    for (int i = 0; i < HOLDER_COUNT && none; i++) {
        int64_t id = atomic_load(&set->ids[i]);
        none = id == 0 || !holder_is_alive(id);
    }
    errno = errno_before;
    return none;
}

bool
holder_leave(struct holder_set *set, int64_t id)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int64_t expected = id;
        (void)atomic_compare_exchange_strong(&set->ids[i], &expected, 0);
    }
    return none_left(set);
}
