#include "shim/session/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/audit_json.h"
#include "shim/session/command.h"
#include "shim/session/metrics_fold.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum { OFF, WANTED, MAKING, THERE };

enum { NAME_LEN = 64, TRIES = 16 };

_Atomic int metrics_file_state;

static struct metrics_live *_Atomic own;
static int dir_fd = -1;
static int file_fd = -1; /* holds the lock, and makes room */
static char file_name[NAME_LEN];
static char own_program[METRICS_PROGRAM_LEN], own_command[METRICS_SERVICE_LEN],
    own_service[METRICS_SERVICE_LEN];

int
metrics_file_start(const char *dir, const char *program, const char *service)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    dir_fd = table_raise(fd);
    snprintf(own_program, sizeof(own_program), "%s", program);
    snprintf(own_command, sizeof(own_command), "%s", command_name(program));
    snprintf(own_service, sizeof(own_service), "%s",
             service != NULL && service[0] != '\0' ? service : command_name(program));
    atomic_store(&metrics_file_state, WANTED);
    metrics_fold_dead(dir_fd);
    return 0;
}

/* ---- making ------------------------------------------------------------------------ */

/* Nobody else has this name, whatever clocks and pid namespaces they have. */
static void
make_name(unsigned attempt)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t len = audit_json_decimal(file_name, 0, (uint64_t)getpid(), 1);
    file_name[len++] = '.';
    len = audit_json_decimal(
        file_name, len,
        (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec + attempt, 1);
    memcpy(file_name + len, METRICS_LIVE_SUFFIX, sizeof(METRICS_LIVE_SUFFIX));
}

static int
make_file(void)
{
    int fd = -1;
    for (unsigned i = 0; i < TRIES && fd < 0; i++) {
        make_name(i);
        fd = openat(dir_fd, file_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0640);
        if (fd < 0 && errno != EEXIST) {
            return -1;
        }
    }
    return fd;
}

static struct metrics_live *
map_file(int fd)
{
    size_t first = offsetof(struct metrics_live, series[4]);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
        ftruncate(fd, sizeof(struct metrics_live)) != 0 ||
        fallocate(fd, 0, 0, (off_t)first) != 0) {
        return NULL;
    }
    void *map = mmap(NULL, sizeof(struct metrics_live), PROT_READ | PROT_WRITE,
                     MAP_SHARED, fd, 0);
    return map != MAP_FAILED ? map : NULL;
}

static struct metrics_live *
make(void (*fill)(struct metrics_live *live))
{
    int fd = make_file();
    if (fd < 0) {
        return NULL;
    }
    struct metrics_live *live = map_file(fd);
    if (live == NULL) {
        (void)unlinkat(dir_fd, file_name, 0);
        system_calls.close(fd);
        return NULL;
    }
    file_fd = table_raise(fd);
    live->layout = METRICS_LAYOUT;
    live->pid = getpid();
    live->uid = geteuid();
    live->started_s = time(NULL);
    memcpy(live->program, own_program, sizeof(live->program));
    memcpy(live->command, own_command, sizeof(live->command));
    memcpy(live->service, own_service, sizeof(live->service));
    memcpy(live->version, MTLS_SHIM_VERSION, sizeof(MTLS_SHIM_VERSION));
    fill(live);
    atomic_store(&live->magic, METRICS_LIVE_MAGIC);
    return live;
}

struct metrics_live *
metrics_file(void (*fill)(struct metrics_live *live))
{
    int state = atomic_load_explicit(&metrics_file_state, memory_order_acquire);
    if (state == THERE) {
        return atomic_load_explicit(&own, memory_order_acquire);
    }
    if (state != WANTED ||
        !atomic_compare_exchange_strong(&metrics_file_state, &state, MAKING)) {
        return NULL;
    }
    int errno_before = errno;
    struct metrics_live *live = make(fill);
    atomic_store(&own, live);
    atomic_store(&metrics_file_state, live != NULL ? THERE : OFF);
    errno = errno_before;
    return live;
}

bool
metrics_file_reserve(const struct metrics_live *live, const void *part, size_t len)
{
    int errno_before = errno;
    off_t at = (const char *)part - (const char *)live;
    bool done = fallocate(file_fd, 0, at, (off_t)len) == 0;
    errno = errno_before;
    return done;
}

/* ---- ending ------------------------------------------------------------------------ */

void
metrics_file_fork_child(void)
{
    struct metrics_live *parents = atomic_load(&own);
    if (dir_fd < 0) {
        return;
    }
    if (file_fd >= 0) {
        table_disown(file_fd);
        system_calls.close(file_fd); /* the lock stays the parent's */
        file_fd = -1;
    }
    atomic_store(&own, NULL);
    if (parents != NULL) {
        munmap(parents, sizeof(*parents));
    }
    atomic_store(&metrics_file_state, WANTED);
}

void
metrics_file_end(void)
{
    struct metrics_live *live = atomic_load(&own);
    /* A child that was made behind our back may share our memory. */
    if (live == NULL || live->pid != getpid()) {
        return;
    }
    atomic_store(&metrics_file_state, OFF);
    atomic_store(&own, NULL);
    /* It stays mapped: other threads may be counting still. */
    int errno_before = errno;
    (void)metrics_fold_one(dir_fd, file_name, live);
    errno = errno_before;
}
