#include "config/stamp.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FRESH_NS 100000000 /* a file system's clock may tick every 10 ms */

static void
mix(struct stamp *stamp, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint64_t hash = stamp->hash != 0 ? stamp->hash : 0xcbf29ce484222325U;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3U; /* FNV-1a */
    }
    stamp->hash = hash;
}

static void
mix_time(struct stamp *stamp, const struct timespec *when)
{
    int64_t ns = (int64_t)when->tv_sec * 1000000000 + when->tv_nsec;

    mix(stamp, &ns, sizeof(ns));
    if (ns > stamp->newest_ns) {
        stamp->newest_ns = ns;
    }
}

/* Returns whether it is a directory. */
static bool
look(struct stamp *stamp, const char *path)
{
    struct stat status;
    int error = stat(path, &status) == 0 ? 0 : errno;

    mix(stamp, path, strlen(path) + 1);
    mix(stamp, &error, sizeof(error));
    if (error != 0) {
        return false;
    }
    mix(stamp, &status.st_dev, sizeof(status.st_dev));
    mix(stamp, &status.st_ino, sizeof(status.st_ino));
    mix(stamp, &status.st_size, sizeof(status.st_size));
    mix(stamp, &status.st_mode, sizeof(status.st_mode));
    mix_time(stamp, &status.st_mtim);
    mix_time(stamp, &status.st_ctim); /* mtime is what its owner says */
    return S_ISDIR(status.st_mode);
}

void
stamp_add(struct stamp *stamp, const char *path)
{
    if (path != NULL) {
        (void)look(stamp, path);
    }
}

static int
add(void *context, const char *path)
{
    (void)look(context, path);
    return 0;
}

void
stamp_add_folder(struct stamp *stamp, const char *path, enum folder_files files)
{
    struct policy_report silent = {problem_ignore, NULL, 0};
    const struct problem_place place = {&silent, "", 0, path};

    if (path != NULL && look(stamp, path)) {
        int rc = folder_each_in(&place, files, add, stamp);

        mix(stamp, &rc, sizeof(rc));
    }
}

bool
stamp_is_fresh(const struct stamp *stamp, int64_t now_ns)
{
    int64_t age_ns = now_ns - stamp->newest_ns;

    /* A file server's clock may be ahead for good: that is no reason to wait for it. */
    return age_ns > -FRESH_NS && age_ns < FRESH_NS;
}
