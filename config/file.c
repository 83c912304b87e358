#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The shim replaces read and close, and reads its policy while it starts, when its own
 * versions of them are not ready: the kernel is asked directly.
 */
static ssize_t
read_some(int fd, uint8_t *data, size_t len)
{
    ssize_t n;

    do {
        n = syscall(SYS_read, fd, data, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

static int
check_kind(int fd, struct file *file)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(status.st_mode)) {
        return -EINVAL;
    }
    if (status.st_size > (off_t)FILE_LEN_MAX) {
        return -EFBIG;
    }
    file->mode = status.st_mode & 07777;
    file->owner = status.st_uid;
    file->group = status.st_gid;
    file->len = (size_t)status.st_size;
    return 0;
}

/* Allocated once and never moved: what is freed unwiped might have been a key. */
static int
read_open(int fd, struct file *file)
{
    size_t room;
    size_t len = 0;
    ssize_t n = 1;
    int rc = check_kind(fd, file);

    if (rc != 0) {
        return rc;
    }
    room = file->len + 1; /* the one more shows that it grew meanwhile */
    file->data = malloc(room + 1);
    if (file->data == NULL) {
        return -ENOMEM;
    }
    while (n > 0 && len < room) {
        n = read_some(fd, file->data + len, room - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        return -errno;
    }
    if (len == room) {
        return -EAGAIN;
    }
    file->data[len] = '\0';
    file->len = len;
    return 0;
}

int
file_read(const char *path, struct file *file)
{
    /* O_NONBLOCK: a named pipe must not stop the program here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int rc;

    memset(file, 0, sizeof(*file));
    if (fd < 0) {
        return -errno;
    }
    rc = read_open(fd, file);
    syscall(SYS_close, fd);
    if (rc != 0) {
        file_done(file);
    }
    return rc;
}

const char *
file_error(int rc)
{
    switch (rc) {
    case -EISDIR:
        return "is a directory";
    case -EINVAL:
        return "is not a regular file";
    case -EFBIG:
        return "is too large";
    case -EAGAIN:
        return "changed while it was read";
    default:
        return strerror(-rc);
    }
}

void
file_done(struct file *file)
{
    if (file->data != NULL) {
        explicit_bzero(file->data, file->len);
        free(file->data);
    }
    memset(file, 0, sizeof(*file));
}
