#include "shim/interpose/stdio.h"

#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"
#include "shim/interpose/stream.h"
#include "shim/interpose/unconnected.h"

enum { STREAMS = 256 };

/* A stream's cookie is the fd itself. */
static int
fd_of(void *cookie)
{
    return (int)(intptr_t)cookie;
}

static ssize_t
stream_read(void *cookie, char *buf, size_t len)
{
    return read(fd_of(cookie), buf, len);
}

static ssize_t
stream_write(void *cookie, const char *buf, size_t len)
{
    ssize_t result = write(fd_of(cookie), buf, len);
    return result < 0 ? stream_write_error : result; /* errno stays */
}

static int
stream_seek(void *cookie, off64_t *offset, int whence)
{
    (void)cookie;
    (void)offset;
    (void)whence;
    errno = ESPIPE;
    return -1;
}

/* Those that have to be flushed at exit: libc does that when the sessions have ended. */
static FILE *_Atomic streams[STREAMS];

static void
enter(FILE *stream)
{
    FILE *none = NULL;
    for (int i = 0; i < STREAMS; i++, none = NULL) {
        if (atomic_compare_exchange_strong(&streams[i], &none, stream)) {
            return;
        }
    }
}

static void
leave(FILE *stream)
{
    for (int i = 0; i < STREAMS; i++) {
        FILE *entered = stream;
        if (atomic_compare_exchange_strong(&streams[i], &entered, NULL)) {
            return;
        }
    }
}

/* What a stream that is being closed had to flush, it has. */
static int
stream_close(void *cookie)
{
    for (int i = 0; i < STREAMS; i++) {
        FILE *stream = atomic_load(&streams[i]);
        if (stream != NULL && stream_get_fd(stream) == fd_of(cookie)) {
            leave(stream);
            break;
        }
    }
    return close(fd_of(cookie));
}

static FILE *
open_stream(int fd, const char *mode)
{
    const cookie_io_functions_t functions = {stream_read, stream_write, stream_seek,
                                             stream_close};
    FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
    if (stream != NULL) {
        stream_set_fd(stream, fd);
    }
    return stream;
}

/* A socket may become governed when libc's stream is on it already. */
INTERPOSE FILE *
fdopen(int fd, const char *mode)
{
    real_need();
    if (!table_governs(fd) && !govern_may(fd)) {
        return real.fdopen(fd, mode);
    }
    FILE *stream = open_stream(fd, mode);
    if (stream != NULL) {
        enter(stream);
    }
    return stream;
}

void
stdio_end(void)
{
    for (int i = 0; i < STREAMS; i++) {
        FILE *stream = atomic_load(&streams[i]);
        /* One that another thread is blocked in has nothing to be flushed. */
        if (stream != NULL && ftrylockfile(stream) == 0) {
            (void)fflush_unlocked(stream);
            funlockfile(stream);
        }
    }
}

/* ---- stdin, stdout, stderr after dup2() -----------------------------------------------
 */

/* The number that reopen() gives another file: its stream stays in its place. */
static _Thread_local int reopened __attribute__((tls_model("initial-exec"))) = -1;

void
stdio_governed(int fd)
{
    static const char *const modes[] = {"r", "w", "w"};
    if (fd < 0 || fd > STDERR_FILENO || stream_is_standard(fd)) {
        return;
    }
    FILE *stream = open_stream(fd, modes[fd]);
    if (stream != NULL) {
        enter(stream_begin_standard(fd, stream));
    }
}

void
stdio_left(int fd)
{
    if (fd >= 0 && fd <= STDERR_FILENO && fd != reopened && stream_is_standard(fd)) {
        leave(stream_end_standard(fd));
    }
}

/* ---- freopen -------------------------------------------------------------------------
 */

static bool
is_ours(const FILE *stream)
{
    for (int i = 0; stream != NULL && i < STREAMS; i++) {
        if (atomic_load(&streams[i]) == stream) {
            return true;
        }
    }
    return false;
}

/* Returns what open(2) is to be given for a stream's mode, -1 for none. */
static int
open_flags(const char *mode)
{
    int flags = mode[0] == 'r'   ? O_RDONLY
                : mode[0] == 'w' ? O_WRONLY | O_CREAT | O_TRUNC
                : mode[0] == 'a' ? O_WRONLY | O_CREAT | O_APPEND
                                 : -1;
    if (flags >= 0 && strchr(mode, '+') != NULL) {
        flags = (flags & ~O_ACCMODE) | O_RDWR;
    }
    return flags < 0 ? -1 : strchr(mode, 'e') != NULL ? flags | O_CLOEXEC : flags;
}

/* Opens the file in the place of the stream's fd. Returns 0 or -errno. */
static int
open_onto(const char *path, int flags, int fd)
{
    int file = open(path, flags, 0666);
    if (file < 0) {
        return -errno;
    }
    reopened = fd;
    int result = dup3(file, fd, flags & O_CLOEXEC) < 0 ? -errno : 0;
    reopened = -1;
    close(file);
    return result;
}

/* glibc's own makes a cookie stream a broken one. Ours reads and writes whatever its fd
 * is, so that it only needs another one. */
static FILE *
reopen(const char *path, const char *mode, FILE *stream)
{
    int flags = open_flags(mode);
    int result = flags < 0 ? -EINVAL : path == NULL ? -ENXIO : 0;
    (void)fflush(stream);
    if (result == 0) {
        result = open_onto(path, flags, stream_get_fd(stream));
    }
    if (result < 0) {
        (void)fclose(stream);
        errno = -result;
        return NULL;
    }
    __fpurge(stream);
    clearerr(stream);
    stream_allow(stream, (flags & O_ACCMODE) != O_WRONLY,
                 (flags & O_ACCMODE) != O_RDONLY);
    return stream;
}

INTERPOSE FILE *
freopen(const char *path, const char *mode, FILE *stream)
{
    real_need();
    return is_ours(stream) ? reopen(path, mode, stream)
                           : real.freopen(path, mode, stream);
}

INTERPOSE_ALIAS(freopen64, freopen);

/* ---- dprintf --------------------------------------------------------------------------
 */

static int
print(struct handle *handle, int fd, const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    if (len < 0) {
        return -ENOMEM;
    }
    struct iovec iov = {text, (size_t)len};
    ssize_t result = io_write(handle, fd, &iov, 1, 0);
    free(text);
    return (int)result;
}

static int
print_or_forward(int fd, int (*call)(int fd, const char *format, va_list args),
                 const char *format, va_list args)
{
    GOVERNED_SCOPE *handle = unconnected_acquire(fd);
    if (handle == NULL) {
        return call(fd, format, args);
    }
    int errno_before = errno;
    return (int)real_way_out(print(handle, fd, format, args), errno_before);
}

INTERPOSE int
vdprintf(int fd, const char *format, va_list args)
{
    real_need();
    return print_or_forward(fd, real.vdprintf, format, args);
}

INTERPOSE int
dprintf(int fd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    real_need();
    int result = print_or_forward(fd, real.vdprintf, format, args);
    va_end(args);
    return result;
}
