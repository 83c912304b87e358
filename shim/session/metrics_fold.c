#include "shim/session/metrics_fold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/audit_json.h"
#include "shim/session/metrics_series.h"
#include "shim/session/system.h"

enum {
    LOCK_TRIES = 20, /* a millisecond each */
    READ_TRIES = 100,
    DEAD_MAX = 64, /* files that one process cares for */
    YOUNG_S = 60,  /* who makes a file needs less */
    NAME_LEN = 32,
};

int
metrics_fold_lock(int dir_fd, bool exclusive)
{
    /* Opened anew: an inherited description would share its lock with others. */
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) {
            return fd;
        }
        (void)system_calls.poll(NULL, 0, 1);
    }
    system_calls.close(fd);
    return -EAGAIN;
}

/* ---- series ------------------------------------------------------------------------ */

static struct metrics_series *
find_series(struct metrics_ended *ended, const char *service, uint32_t direction,
            const char *rule)
{
    for (uint32_t i = 0; i < ended->series_count; i++) {
        struct metrics_series *series = &ended->series[i];
        if (series->direction == direction && strcmp(series->rule, rule) == 0 &&
            strcmp(series->service, service) == 0) {
            return series;
        }
    }
    return NULL;
}

struct metrics_series *
metrics_fold_series(struct metrics_ended *ended, const char *service, uint32_t direction,
                    const char *rule)
{
    struct metrics_series *series = find_series(ended, service, direction, rule);
    if (series != NULL) {
        return series;
    }
    if (ended->series_count >= METRICS_ENDED_SERIES_MAX - METRICS_PROCESS - 1) {
        service = "(other)";
        rule = direction == METRICS_PROCESS ? "" : "(other)";
        series = find_series(ended, service, direction, rule);
        if (series != NULL || ended->series_count == METRICS_ENDED_SERIES_MAX) {
            return series;
        }
    }
    series = &ended->series[ended->series_count];
    metrics_series_copy_text(series->service, service, sizeof(series->service));
    metrics_series_copy_text(series->rule, rule, sizeof(series->rule));
    series->direction = direction;
    atomic_store(&series->is_set, 1);
    ended->series_count++;
    return series;
}

void
metrics_fold_add(struct metrics_ended *ended, const struct metrics_live *live)
{
    struct metrics_series *to[METRICS_SERIES_MAX] = {0};
    uint32_t series_end = atomic_load(&live->series_end);
    uint32_t open_end = atomic_load(&live->open_end);
    for (uint32_t i = 0; i < series_end; i++) {
        const struct metrics_series *from = &live->series[i];
        if (!atomic_load(&from->is_set)) {
            continue;
        }
        to[i] = metrics_fold_series(ended, live->service, from->direction, from->rule);
        for (int value = 0; value < METRICS_VALUES && to[i] != NULL; value++) {
            metrics_series_add(to[i], value, atomic_load(&from->values[value]));
        }
    }
    for (uint32_t i = 0; i < open_end; i++) {
        const struct metrics_open *open = &live->open[i];
        if (atomic_load(&open->is_set) && open->series < series_end &&
            to[open->series] != NULL) {
            metrics_series_add_counts(to[open->series], &open->in, &open->out);
        }
    }
}

void
metrics_fold_add_ended(struct metrics_ended *to, const struct metrics_ended *from)
{
    for (uint32_t i = 0; i < from->series_count; i++) {
        const struct metrics_series *series = &from->series[i];
        struct metrics_series *sum =
            metrics_fold_series(to, series->service, series->direction, series->rule);
        for (int value = 0; value < METRICS_VALUES && sum != NULL; value++) {
            metrics_series_add(sum, value, atomic_load(&series->values[value]));
        }
    }
}

/* ---- the file of ended processes -----------------------------------------------------
 */

static bool
is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

/* Returns an fd, or -errno. */
static int
open_ended(int dir_fd)
{
    char name[NAME_LEN] = METRICS_ENDED_PREFIX;
    size_t len = strlen(name);
    len = audit_json_decimal(name, len, geteuid(), 1);
    name[len] = '\0';
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    0640);
    if (fd < 0) {
        return -errno;
    }
    if (!is_ours(fd)) {
        system_calls.close(fd);
        return -EPERM;
    }
    return fd;
}

/* Makes room for so many series: what is touched must be there. */
static bool
reserve(int fd, uint32_t count)
{
    count = count < METRICS_ENDED_SERIES_MAX ? count : METRICS_ENDED_SERIES_MAX;
    size_t len =
        offsetof(struct metrics_ended, series) + count * sizeof(struct metrics_series);
    return fallocate(fd, 0, 0, (off_t)len) == 0;
}

static void
map_done(struct metrics_ended *ended)
{
    if (ended != NULL) {
        munmap(ended, sizeof(*ended));
    }
}

/* Room for `more` series is there, and for the two that stand for others. */
static struct metrics_ended *
map_ended(int fd, uint32_t more)
{
    if (ftruncate(fd, sizeof(struct metrics_ended)) != 0 || !reserve(fd, 1)) {
        return NULL;
    }
    void *map = mmap(NULL, sizeof(struct metrics_ended), PROT_READ | PROT_WRITE,
                     MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return NULL;
    }
    struct metrics_ended *ended = map;
    bool known = ended->magic == METRICS_ENDED_MAGIC && ended->layout == METRICS_LAYOUT &&
                 ended->series_count <= METRICS_ENDED_SERIES_MAX;
    if (!reserve(fd, known ? ended->series_count + more + METRICS_PROCESS + 1
                     : ended->magic != 0 ? METRICS_ENDED_SERIES_MAX
                                         : more + METRICS_PROCESS + 1)) {
        map_done(ended);
        return NULL;
    }
    if (!known) {
        if (ended->magic != 0) {
            memset(ended, 0, sizeof(*ended));
        }
        ended->magic = METRICS_ENDED_MAGIC;
        ended->layout = METRICS_LAYOUT;
    }
    return ended;
}

/* The directory is locked. */
static int
fold_locked(int dir_fd, const char *name, const struct metrics_live *live)
{
    int fd = open_ended(dir_fd);
    if (fd < 0) {
        return fd;
    }
    struct metrics_ended *ended = map_ended(fd, atomic_load(&live->series_end));
    int result = ended == NULL ? -ENOSPC : 0;
    if (result == 0 && unlinkat(dir_fd, name, 0) != 0) {
        result = -errno;
    }
    if (result == 0) {
        metrics_fold_add(ended, live);
    }
    map_done(ended);
    system_calls.close(fd);
    return result;
}

int
metrics_fold_one(int dir_fd, const char *name, const struct metrics_live *live)
{
    int lock = metrics_fold_lock(dir_fd, true);
    if (lock < 0) {
        return lock;
    }
    int result = fold_locked(dir_fd, name, live);
    system_calls.close(lock);
    return result;
}

/* ---- reading -------------------------------------------------------------------------
 */

static bool
read_at(int fd, void *to, size_t from, size_t len)
{
    return len == 0 || pread(fd, to, len, (off_t)from) == (ssize_t)len;
}

#define END(text) ((text)[sizeof(text) - 1] = '\0')

/* Whoever may write to the directory may have written it. */
static void
tame(struct metrics_live *live)
{
    END(live->program);
    END(live->command);
    END(live->service);
    END(live->version);
    if (atomic_load(&live->identity_count) > METRICS_IDENTITIES_MAX) {
        atomic_store(&live->identity_count, METRICS_IDENTITIES_MAX);
    }
    for (int i = 0; i < METRICS_IDENTITIES_MAX; i++) {
        END(live->identities[i].name);
    }
    for (uint32_t i = 0; i < atomic_load(&live->series_end); i++) {
        END(live->series[i].rule);
    }
    for (uint32_t i = 0; i < atomic_load(&live->open_end); i++) {
        END(live->open[i].peer);
    }
}

static bool
read_once(int fd, struct metrics_live *live)
{
    if (!read_at(fd, live, 0, offsetof(struct metrics_live, series))) {
        return false;
    }
    uint32_t series_end = atomic_load(&live->series_end);
    uint32_t open_end = atomic_load(&live->open_end);
    return atomic_load(&live->magic) == METRICS_LIVE_MAGIC &&
           live->layout == METRICS_LAYOUT && series_end <= METRICS_SERIES_MAX &&
           open_end <= METRICS_OPEN_MAX &&
           read_at(fd, live->series, offsetof(struct metrics_live, series),
                   series_end * sizeof(live->series[0])) &&
           read_at(fd, live->open, offsetof(struct metrics_live, open),
                   open_end * sizeof(live->open[0]));
}

static bool
read_whole(int fd, struct metrics_live *live)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t begun = 0;
        if (!read_once(fd, live)) {
            return false;
        }
        if (!read_at(fd, &begun, offsetof(struct metrics_live, begun), sizeof(begun)) ||
            begun == atomic_load(&live->ended)) {
            break;
        }
    }
    tame(live);
    return true;
}

/* What its process had not begun, or another version of the library has written, has
 * nothing to tell; once nobody holds it, it may go. */
static enum metrics_found
look_at(int fd, struct metrics_live *live)
{
    struct stat st;
    uint64_t magic = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return METRICS_STRANGE;
    }
    (void)read_at(fd, &magic, 0, sizeof(magic));
    if (magic != 0 && magic != METRICS_LIVE_MAGIC) {
        return METRICS_STRANGE;
    }
    /* Who makes a file locks it before the magic is there: it must not find us there. */
    if (magic == 0 && time(NULL) - st.st_mtime < YOUNG_S) {
        return METRICS_YOUNG;
    }
    bool dead = flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (!read_whole(fd, live)) {
        memset(live, 0, offsetof(struct metrics_live, series));
        return dead ? METRICS_DEAD : METRICS_STRANGE;
    }
    return dead ? METRICS_DEAD : METRICS_LIVE;
}

enum metrics_found
metrics_fold_read(int dir_fd, const char *name, struct metrics_live *live)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    memset(live, 0, offsetof(struct metrics_live, series));
    if (fd < 0) {
        return errno == ENOENT ? METRICS_YOUNG : METRICS_STRANGE;
    }
    enum metrics_found found = look_at(fd, live);
    system_calls.close(fd);
    return found;
}

bool
metrics_fold_read_ended(int dir_fd, const char *name, struct metrics_ended *ended)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0) {
        return false;
    }
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                read_at(fd, ended, 0, sizeof(*ended)) &&
                ended->magic == METRICS_ENDED_MAGIC && ended->layout == METRICS_LAYOUT &&
                ended->series_count <= METRICS_ENDED_SERIES_MAX;
    system_calls.close(fd);
    for (int i = 0; i < METRICS_ENDED_SERIES_MAX; i++) {
        END(ended->series[i].service);
        END(ended->series[i].rule);
    }
    return good;
}

bool
metrics_fold_is_live_name(const char *name)
{
    size_t len = strlen(name);
    size_t suffix_len = sizeof(METRICS_LIVE_SUFFIX) - 1;
    return len > suffix_len && strcmp(name + len - suffix_len, METRICS_LIVE_SUFFIX) == 0;
}

bool
metrics_fold_is_ended_name(const char *name)
{
    size_t prefix_len = sizeof(METRICS_ENDED_PREFIX) - 1;
    return strncmp(name, METRICS_ENDED_PREFIX, prefix_len) == 0;
}

/* ---- the dead ------------------------------------------------------------------------
 */

/* Only what this user has the right to remove is worth being read. */
static bool
may_remove(int dir_fd, const char *name)
{
    if (geteuid() == 0) {
        return true;
    }
    int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool may = fd >= 0 && is_ours(fd);
    if (fd >= 0) {
        system_calls.close(fd);
    }
    return may;
}

static bool
fold_if_dead(int dir_fd, const char *name, struct metrics_live *live)
{
    enum metrics_found found = metrics_fold_read(dir_fd, name, live);
    if (found == METRICS_DEAD) {
        (void)fold_locked(dir_fd, name, live);
    }
    return found == METRICS_DEAD;
}

static void
fold_all(int dir_fd, DIR *entries, struct metrics_live *live)
{
    int folded = 0;
    const struct dirent *entry;
    while (folded < DEAD_MAX && (entry = readdir(entries)) != NULL) {
        if (metrics_fold_is_live_name(entry->d_name) &&
            may_remove(dir_fd, entry->d_name) &&
            fold_if_dead(dir_fd, entry->d_name, live)) {
            folded++;
        }
    }
}

void
metrics_fold_dead(int dir_fd)
{
    int lock = metrics_fold_lock(dir_fd, true);
    if (lock < 0) {
        return;
    }
    /* Its pages come as they are touched. */
    void *live = mmap(NULL, sizeof(struct metrics_live), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    DIR *entries = fdopendir(lock); /* whose descriptor it is from here on */
    if (entries != NULL && live != MAP_FAILED) {
        fold_all(dir_fd, entries, live);
    }
    if (live != MAP_FAILED) {
        munmap(live, sizeof(struct metrics_live));
    }
    if (entries != NULL) {
        closedir(entries);
    } else {
        system_calls.close(lock);
    }
}
