#include "shim/session/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

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

static bool
is_alive(int32_t pid)
{
    pid = pid < 0 ? -pid : pid;
    return (kill(pid, 0) == 0 || errno == EPERM) && !is_zombie(pid);
}

void
holder_replace(struct holder_set *set, int32_t old, int32_t new)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int32_t expected = old;
        if (atomic_compare_exchange_strong(&set->pids[i], &expected, new)) {
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
holder_add(struct holder_set *set, int32_t pid)
{
    holder_replace(set, 0, pid);
}

bool
holder_has(const struct holder_set *set, int32_t pid)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        if (atomic_load(&set->pids[i]) == pid) {
            return true;
        }
    }
    return false;
}

bool
holder_claim(struct holder_set *set, int32_t pid)
{
    bool had = holder_has(set, pid);
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int32_t reserved = atomic_load(&set->pids[i]);
        if (reserved < 0 &&
            atomic_compare_exchange_strong(&set->pids[i], &reserved, had ? 0 : pid)) {
            return had;
        }
    }
    if (!had) {
        holder_add(set, pid);
    }
    return had;
}

static bool
none_left(const struct holder_set *set)
{
    int errno_before = errno;
    bool none = !atomic_load(&set->overflowed);
    for (int i = 0; i < HOLDER_COUNT && none; i++) {
        int32_t pid = atomic_load(&set->pids[i]);
        none = pid == 0 || !is_alive(pid);
    }
    errno = errno_before;
    return none;
}

bool
holder_leave(struct holder_set *set, int32_t pid)
{
    for (int i = 0; i < HOLDER_COUNT; i++) {
        int32_t expected = pid;
        (void)atomic_compare_exchange_strong(&set->pids[i], &expected, 0);
    }
    return none_left(set);
}
