#include "shim/interpose/stdio.h"

#include <stdlib.h>
#include <string.h>

#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"

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
    return result < 0 ? 0 : result; /* fopencookie(3): 0 is the error, errno stays */
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

static int
stream_close(void *cookie)
{
    return close(fd_of(cookie));
}

static FILE *
open_stream(int fd, const char *mode)
{
    const cookie_io_functions_t functions = {stream_read, stream_write, stream_seek,
                                             stream_close};
    FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
    if (stream != NULL) {
        stream->_fileno = fd; /* for fileno(); a cookie stream never uses it itself */
    }
    return stream;
}

INTERPOSE FILE *
fdopen(int fd, const char *mode)
{
    real_need();
    return table_governs(fd) ? open_stream(fd, mode) : real.fdopen(fd, mode);
}

/* ---- stdin, stdout, stderr after dup2()
 * ------------------------------------------------ */

static struct {
    FILE **place;
    const char *mode;
    FILE *before; /* libc's own while ours is in its place */
} standard[] = {{&stdin, "r", NULL}, {&stdout, "w", NULL}, {&stderr, "w", NULL}};

void
stdio_governed(int fd)
{
    if (fd < 0 || fd > 2 || standard[fd].before != NULL) {
        return;
    }
    FILE *stream = open_stream(fd, standard[fd].mode);
    if (stream == NULL) {
        return;
    }
    if (fd == STDERR_FILENO) {
        setvbuf(stream, NULL, _IONBF, 0);
    }
    standard[fd].before = *standard[fd].place;
    *standard[fd].place = stream;
}

void
stdio_left(int fd)
{
    if (fd < 0 || fd > 2 || standard[fd].before == NULL) {
        return;
    }
    /* Not freed: a thread may be in the middle of it.  What it has buffered is lost, as
     * it is when the number of a plain stream is closed under it. */
    *standard[fd].place = standard[fd].before;
    standard[fd].before = NULL;
}

/* ---- dprintf
 * ----------------------------------------------------------------------------- */

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
    GOVERNED_SCOPE *handle = table_acquire(fd);
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

/* What flag guards against, %n in writable memory, is not our business to check twice. */
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
int __dprintf_chk(int fd, int flag, const char *format, ...);

INTERPOSE int
__vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
    real_need();
    if (!table_governs(fd)) {
        return real.__vdprintf_chk(fd, flag, format, args);
    }
    return print_or_forward(fd, real.vdprintf, format, args);
}

INTERPOSE int
__dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = __vdprintf_chk(fd, flag, format, args);
    va_end(args);
    return result;
}
