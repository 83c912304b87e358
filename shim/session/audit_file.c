#include "shim/session/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/system.h"
#include "shim/session/table.h"

#define LOOK_SECONDS 1
#define FIRST_MODE 0640
/* Opening and writing a FIFO must not wait for its reader; files do not mind. */
#define OPEN_FLAGS (O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static struct audit_io calls;
static _Atomic bool is_plain;  /* can neither be full nor lose its reader */
static _Atomic bool is_socket; /* so a write can be told not to wait */
static _Atomic bool is_torn;   /* the last line went out without its end */

/* Where the file is found again, -1 = it is not followed. */
static int folder_fd = -1;
static char file_name[NAME_MAX + 1];
static _Atomic int64_t look_after; /* CLOCK_MONOTONIC_COARSE's seconds */
static _Atomic bool is_missing;    /* nothing had the name at the last look */
static _Atomic bool is_stuck;      /* the new file cannot be opened, which was said */

static void
know(int fd)
{
    int domain;
    socklen_t len = sizeof(domain);
    /* Pipes, sockets, terminals: ESPIPE. */
    atomic_store(&is_plain, lseek(fd, 0, SEEK_CUR) >= 0);
    atomic_store(&is_socket,
                 system_calls.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0);
    atomic_store(&is_torn, false);
}

/* ---- opening ----------------------------------------------------------------------- */

static int
open_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    const char *name = path + len;
    if (len >= sizeof(folder) || name[0] == '\0' || strlen(name) > NAME_MAX) {
        return -1;
    }
    memcpy(folder, len > 0 ? path : ".", len > 0 ? len : 1);
    folder[len > 0 ? len : 1] = '\0';
    memcpy(file_name, name, strlen(name) + 1);
    return calls.open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int
audit_file_open(const char *path, const struct audit_io *io)
{
    struct stat status;
    calls = *io;
    int fd = calls.open(path, OPEN_FLAGS | O_CREAT | O_WRONLY, FIRST_MODE);
    if (fd < 0 && errno == ENXIO) {
        fd = calls.open(path, OPEN_FLAGS | O_RDWR); /* a FIFO whose reader is to come */
    }
    if (fd < 0) {
        return -errno;
    }
    know(fd);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        int folder = open_folder(path);
        folder_fd = folder >= 0 ? table_raise(folder) : -1;
    }
    return fd;
}

/*
 * What stderr leads to may be shared with others, and then must stay as it is: blocking.
 * Opened anew it has flags of our own.  That does not go for a file, whose place in it is
 * shared, too; nor for sockets, and those can be told at each write.
 */
int
audit_file_open_stderr(const struct audit_io *io)
{
    int domain;
    socklen_t len = sizeof(domain);
    calls = *io;
    /* inetd's children have the connection there: the lines would go out in clear. */
    if (system_calls.getsockopt(STDERR_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &len) ==
            0 &&
        domain != AF_UNIX) {
        return -ENOTSUP;
    }
    int fd = calls.fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0) {
        return -errno;
    }
    know(fd);
    if (!is_plain && !is_socket) {
        int own = calls.open("/proc/self/fd/2", OPEN_FLAGS | O_WRONLY);
        if (own >= 0) {
            calls.close(fd);
            fd = own;
        }
    }
    return fd;
}

void
audit_file_forget(const struct audit_io *io)
{
    if (folder_fd >= 0) {
        table_disown(folder_fd);
        io->close(folder_fd);
    }
    folder_fd = -1;
    atomic_store(&look_after, 0);
    atomic_store(&is_missing, false);
    atomic_store(&is_stuck, false);
}

/* ---- following --------------------------------------------------------------------- */

/* With the mode of the one before, whatever the program's umask is by now. */
static int
make_next(mode_t mode)
{
    int next =
        openat(folder_fd, file_name, OPEN_FLAGS | O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (next >= 0) {
        (void)fchmod(next, mode);
    }
    return next;
}

static int
look(int fd)
{
    struct stat have;
    struct stat there;
    if (fstat(fd, &have) != 0) {
        return 0;
    }
    bool is_there = fstatat(folder_fd, file_name, &there, 0) == 0;
    if (!is_there && (errno != ENOENT || !atomic_exchange(&is_missing, true))) {
        return 0;
    }
    if (is_there && there.st_dev == have.st_dev && there.st_ino == have.st_ino) {
        atomic_store(&is_missing, false);
        atomic_store(&is_stuck, false);
        return 0;
    }
    int next = is_there ? openat(folder_fd, file_name, OPEN_FLAGS | O_WRONLY)
                        : make_next(have.st_mode & 0777);
    int error = errno;
    /* The number stays: other threads may be about to write to it. */
    if (next >= 0 && system_calls.dup3(next, fd, O_CLOEXEC) < 0) {
        error = errno;
        calls.close(next);
        next = -1;
    }
    if (next < 0) {
        return atomic_exchange(&is_stuck, true) ? 0 : -error;
    }
    calls.close(next);
    know(fd);
    atomic_store(&is_missing, false);
    atomic_store(&is_stuck, false);
    return 0;
}

int
audit_file_follow(int fd)
{
    struct timespec now;
    if (folder_fd < 0) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t after = atomic_load_explicit(&look_after, memory_order_relaxed);
    if (now.tv_sec < after ||
        !atomic_compare_exchange_strong(&look_after, &after,
                                        (int64_t)now.tv_sec + LOOK_SECONDS)) {
        return 0;
    }
    return look(fd);
}

/* ---- writing ----------------------------------------------------------------------- */

/* stderr may be a pipe without a reader; its SIGPIPE would be ours, not the program's. */
static ssize_t
write_without_signal(int fd, const char *bytes, size_t len)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    sigemptyset(&pending);
    sigpending(&pending);
    ssize_t n = calls.write(fd, bytes, len);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
        static const struct timespec at_once = {0, 0};
        (void)sigtimedwait(&broken, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

/* Less room than for a line would tear it; and where the fd is shared and blocking, the
 * program would wait. */
static bool
has_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    return system_calls.poll(&room, 1, 0) == 1 &&
           (room.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) == POLLOUT;
}

static ssize_t
put(int fd, const char *text, size_t len)
{
    return is_plain    ? calls.write(fd, text, len)
           : is_socket ? system_calls.send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : write_without_signal(fd, text, len);
}

bool
audit_file_write(int fd, struct audit_sink_line *line)
{
    char *text = audit_sink_text(line);
    size_t len = line->len;
    if (!is_plain && !has_room(fd)) {
        return false;
    }
    if (atomic_exchange(&is_torn, false)) {
        *--text = '\n'; /* falls into the prefix */
        len++;
    }
    ssize_t n = put(fd, text, len);
    if (n != (ssize_t)len && (n > 0 || len > line->len)) {
        atomic_store(&is_torn, true);
    }
    return n == (ssize_t)len;
}
