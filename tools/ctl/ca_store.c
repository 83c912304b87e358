#include "tools/ctl/ca_store.h"

#include "tools/ctl/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 30000
#define LOCK_STEP_MS 20
#define FILE_MAX (16 * 1024 * 1024)
#define REPLACE_MAX 2

char *
ca_store_path(const struct ca_store *store, const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%s/%s", store->dir, name);
    return path;
}

static int
lock_dir(struct ca_store *store)
{
    const struct timespec step = {0, LOCK_STEP_MS * 1000000L};
    char path[PATH_MAX];

    store->lock = open(ca_store_path(store, "lock", path),
                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock < 0) {
        return ca_error(-errno, "%s: %s", path, strerror(errno));
    }
    for (int waited = 0; flock(store->lock, LOCK_EX | LOCK_NB) != 0;
         waited += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return ca_error(-errno, "%s: cannot lock: %s", path, strerror(errno));
        }
        if (waited >= LOCK_WAIT_MS) {
            return ca_error(-EBUSY, "%s: another mtlsctl holds the lock; try again later",
                            path);
        }
        nanosleep(&step, NULL);
    }
    return 0;
}

static int
set_dir(struct ca_store *store, const char *dir)
{
    memset(store, 0, sizeof(*store));
    store->lock = -1;
    if (strlen(dir) >= sizeof(store->dir)) {
        return ca_error(-ENAMETOOLONG, "%.100s...: path too long", dir);
    }
    memccpy(store->dir, dir, '\0', sizeof(store->dir));
    return 0;
}

int
ca_store_create(struct ca_store *store, const char *dir)
{
    static const char *const mine[] = {"ca.pem", "ca.key", "index"};
    char path[PATH_MAX];
    struct stat st;
    int rc = set_dir(store, dir);

    if (rc != 0) {
        return rc;
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return ca_error(-errno, "%s: cannot make the directory: %s", dir,
                        strerror(errno));
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return ca_error(-ENOTDIR, "%s: is not a directory", dir);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return ca_error(
            -EPERM, "%s: others may write there; use a new directory, or chmod 700", dir);
    }
    rc = lock_dir(store);
    for (size_t i = 0; rc == 0 && i < sizeof(mine) / sizeof(mine[0]); i++) {
        if (lstat(ca_store_path(store, mine[i], path), &st) == 0) {
            rc = ca_error(-EEXIST,
                          "%s is there already; choose another --dir, or move the old "
                          "CA away",
                          path);
        }
    }
    if (rc != 0) {
        ca_store_close(store);
    }
    return rc;
}

int
ca_store_open(struct ca_store *store, const char *dir)
{
    char path[PATH_MAX];
    int rc = set_dir(store, dir);

    if (rc != 0) {
        return rc;
    }
    if (access(ca_store_path(store, "ca.key", path), F_OK) != 0) {
        return ca_error(-ENOENT,
                        "%s: no CA there; make one with: mtlsctl ca init --dir %s", dir,
                        dir);
    }
    rc = lock_dir(store);
    if (rc != 0) {
        ca_store_close(store);
    }
    return rc;
}

void
ca_store_close(struct ca_store *store)
{
    if (store->lock >= 0) {
        close(store->lock);
    }
    store->lock = -1;
}

/* Fills a buffer from a file that may not grow meanwhile; 0 or -E... */
static int
read_all(int fd, char *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = read(fd, data + done, len - done);

        if (got == 0) {
            return -EIO;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int
ca_store_read(const struct ca_store *store, const char *name, char **data, size_t *len)
{
    char path[PATH_MAX];

    return ca_store_read_path(ca_store_path(store, name, path), data, len);
}

int
ca_store_read_path(const char *path, char **data, size_t *len)
{
    struct stat st;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *data = NULL;
    *len = 0;
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = -errno;
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        rc = -EINVAL;
    } else {
        *len = (size_t)st.st_size;
        *data = calloc(1, *len + 1);
        rc = *data == NULL ? -ENOMEM : read_all(fd, *data, *len);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (rc != 0) {
        if (*data != NULL) {
            explicit_bzero(*data, *len);
        }
        free(*data);
        *data = NULL;
        return ca_error(rc, "%s: %s", path, strerror(-rc));
    }
    return 0;
}

static int
write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        if (put > 0) {
            data += put;
            len -= (size_t)put;
        }
    }
    return 0;
}

struct pending {
    const struct ca_file *file;
    char temp[PATH_MAX];   /* the new content; "" when there is none on disk */
    char backup[PATH_MAX]; /* a second name of the old content; "" = there was none */
    bool published;
};

/* Writes the new content beside its place. */
static int
prepare(struct pending *p)
{
    int rc;
    int fd;

    if (snprintf(p->temp, sizeof(p->temp), "%s.XXXXXX", p->file->path) >=
        (int)sizeof(p->temp) - 4) {
        p->temp[0] = '\0';
        return -ENAMETOOLONG;
    }
    fd = mkostemp(p->temp, O_CLOEXEC);
    if (fd < 0) {
        rc = -errno;
        p->temp[0] = '\0';
        return rc;
    }
    rc = write_all(fd, p->file->data, p->file->len);
    if (rc == 0 && (fchmod(fd, p->file->mode) != 0 || fsync(fd) != 0)) {
        rc = -errno;
    }
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

/* Puts the new content in its place, keeping the old one under a second name. */
static int
publish(struct pending *p)
{
    snprintf(p->backup, sizeof(p->backup), "%.*s.old", (int)sizeof(p->backup) - 5,
             p->temp);
    if (link(p->file->path, p->backup) != 0) {
        int rc = -errno;

        p->backup[0] = '\0';
        if (rc != -ENOENT) {
            return rc;
        }
    }
    if (rename(p->temp, p->file->path) != 0) {
        return -errno;
    }
    p->temp[0] = '\0';
    p->published = true;
    return 0;
}

/* Takes back what publish() did. */
static void
take_back(struct pending *p)
{
    if (p->published && p->backup[0] != '\0') {
        if (rename(p->backup, p->file->path) == 0) {
            p->backup[0] = '\0';
        }
    } else if (p->published) {
        unlink(p->file->path);
    }
}

static int
sync_dir_of(const char *path)
{
    char copy[PATH_MAX];
    int rc = 0;
    int fd;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        rc = -errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int
ca_store_replace(const struct ca_file *files, size_t count)
{
    struct pending pending[REPLACE_MAX];
    sigset_t all;
    sigset_t before;
    size_t i;
    int rc = count <= REPLACE_MAX ? 0 : -E2BIG;

    memset(pending, 0, sizeof(pending));
    /* No ^C between the renames: a key and a certificate change together. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    for (i = 0; rc == 0 && i < count; i++) {
        pending[i].file = &files[i];
        rc = prepare(&pending[i]);
    }
    for (i = 0; rc == 0 && i < count; i++) {
        rc = publish(&pending[i]);
    }
    if (rc == 0) {
        rc = sync_dir_of(files[0].path);
    }
    for (i = 0; i < count && i < REPLACE_MAX; i++) {
        if (rc != 0) {
            take_back(&pending[i]);
        }
        if (pending[i].temp[0] != '\0') {
            unlink(pending[i].temp);
        }
        if (pending[i].backup[0] != '\0') {
            unlink(pending[i].backup);
        }
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        return ca_error(rc, "%s: cannot write: %s; nothing was changed", files[0].path,
                        strerror(-rc));
    }
    return 0;
}
