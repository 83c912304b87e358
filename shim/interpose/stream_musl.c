/*
 * musl's FILE is in no header, and stdin, stdout and stderr cannot be replaced: they are
 * constants. So the functions in them are, by those of a cookie stream, as freopen(3)
 * does it. Where its members are has not changed since musl 1.1; that it is so in this
 * one is looked at before any program starts.
 */
#include "shim/interpose/stream.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum {
    NO_READS = 0x0004,
    NO_WRITES = 0x0008,
    OWN_BUFFER = 0x0040, /* setvbuf(3) was called */
};

struct members {
    int (*close)(FILE *stream);
    size_t (*read)(FILE *stream, unsigned char *buf, size_t len);
    size_t (*write)(FILE *stream, const unsigned char *buf, size_t len);
    off_t (*seek)(FILE *stream, off_t offset, int whence);
    void *cookie;
};

struct file {
    unsigned flags;
    unsigned char *read_at, *read_end;
    int (*close)(FILE *stream);
    unsigned char *write_end, *write_at;
    unsigned char *zero;
    unsigned char *write_base;
    size_t (*read)(FILE *stream, unsigned char *buf, size_t len);
    size_t (*write)(FILE *stream, const unsigned char *buf, size_t len);
    off_t (*seek)(FILE *stream, off_t offset, int whence);
    unsigned char *buf;
    size_t buf_size;
    FILE *before, *next;
    int fd;
    int pipe_pid;
    long lock_count;
    int mode;
    volatile int lock;
    int line_end; /* the character that has it flushed, -1 = none */
    void *cookie;
};

/* What the cookie of such a stream points to. */
struct cookie {
    void *cookie;
    cookie_io_functions_t functions;
};

const ssize_t stream_write_error = -1;

static struct file *
file_of(const FILE *stream)
{
    return (struct file *)(uintptr_t)stream;
}

static ssize_t
no_read(void *cookie, char *buf, size_t len)
{
    (void)cookie;
    (void)buf;
    (void)len;
    return 0;
}

static ssize_t
no_write(void *cookie, const char *buf, size_t len)
{
    (void)cookie;
    (void)buf;
    return (ssize_t)len;
}

static int
no_close(void *cookie)
{
    (void)cookie;
    return 0;
}

static bool
are_standard_known(void)
{
    FILE *const standard[] = {stdin, stdout, stderr};
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (file_of(standard[fd])->fd != fd || fileno(standard[fd]) != fd) {
            return false;
        }
    }
    return true;
}

bool
stream_is_known(void)
{
    static char mark;
    static char buf[16];
    const cookie_io_functions_t functions = {no_read, no_write, NULL, no_close};
    FILE *stream = fopencookie(&mark, "r+", functions);
    if (stream == NULL) {
        return false;
    }
    struct file *file = file_of(stream);
    const struct cookie *cookie = file->cookie;
    bool known = file->fd == -1 && cookie != NULL && cookie->cookie == &mark &&
                 memcmp(&cookie->functions, &functions, sizeof(functions)) == 0 &&
                 file->line_end == -1 &&
                 (file->flags & (NO_READS | NO_WRITES | OWN_BUFFER)) == 0 &&
                 setvbuf(stream, buf, _IOLBF, sizeof(buf)) == 0 &&
                 file->line_end == '\n' && (file->flags & OWN_BUFFER) != 0;
    if (known) {
        file->fd = STDERR_FILENO;
        known = fileno(stream) == STDERR_FILENO;
        file->fd = -1;
    }
    (void)fclose(stream);
    return known && are_standard_known();
}

void
stream_set_fd(FILE *stream, int fd)
{
    file_of(stream)->fd = fd;
}

int
stream_get_fd(const FILE *stream)
{
    return file_of(stream)->fd;
}

void
stream_allow(FILE *stream, bool reads, bool writes)
{
    unsigned refused = (reads ? 0U : NO_READS) | (writes ? 0U : NO_WRITES);
    struct file *file = file_of(stream);
    file->flags = (file->flags & ~(unsigned)(NO_READS | NO_WRITES)) | refused;
}

static void
get(const struct file *file, struct members *members)
{
    *members =
        (struct members){file->close, file->read, file->write, file->seek, file->cookie};
}

/* The functions take the cookie for what it is. */
static void
set(struct file *file, const struct members *members)
{
    file->cookie = members->cookie;
    atomic_thread_fence(memory_order_seq_cst);
    file->close = members->close;
    file->read = members->read;
    file->write = members->write;
    file->seek = members->seek;
}

static struct {
    bool begun;
    struct members before;
} standard[3];

static FILE *
stream_of(int fd)
{
    return fd == STDIN_FILENO ? stdin : fd == STDOUT_FILENO ? stdout : stderr;
}

FILE *
stream_begin_standard(int fd, FILE *stream)
{
    FILE *own = stream_of(fd);
    struct members members;
    get(file_of(own), &standard[fd].before);
    standard[fd].begun = true;
    get(file_of(stream), &members);
    set(file_of(own), &members);
    if ((file_of(own)->flags & OWN_BUFFER) == 0) {
        file_of(own)->line_end = -1; /* as what it did first would find: no terminal */
    }
    return own;
}

FILE *
stream_end_standard(int fd)
{
    FILE *own = stream_of(fd);
    set(file_of(own), &standard[fd].before);
    standard[fd].begun = false;
    return own;
}

bool
stream_is_standard(int fd)
{
    return standard[fd].begun;
}
