#include "shim/interpose/stream.h"

#include <stdio_ext.h>
#include <unistd.h>

enum {
    /* glibc's, in FILE's _flags; in no header */
    NO_READS = 0x0004,
    NO_WRITES = 0x0008,
};

const ssize_t stream_write_error = 0;

/* Its members are in the headers, and stay where they are. */
bool
stream_is_known(void)
{
    return true;
}

void
stream_set_fd(FILE *stream, int fd)
{
    stream->_fileno = fd;
}

int
stream_get_fd(const FILE *stream)
{
    return stream->_fileno;
}

void
stream_allow(FILE *stream, bool reads, bool writes)
{
    int refused = (reads ? 0 : NO_READS) | (writes ? 0 : NO_WRITES);
    stream->_flags = (stream->_flags & ~(NO_READS | NO_WRITES)) | refused;
}

static struct {
    FILE **place;
    FILE *before; /* libc's own while ours is in its place */
} standard[] = {{&stdin, NULL}, {&stdout, NULL}, {&stderr, NULL}};

/* What the stream before has not written yet is the new one's to write. */
static void
take_over(FILE *stream, FILE *before)
{
    size_t len = __fpending(before);
    if (len > 0 && len < BUFSIZ) {
        (void)fwrite(before->_IO_write_base, 1, len, stream);
        __fpurge(before);
    } else {
        (void)fflush(before);
    }
}

FILE *
stream_begin_standard(int fd, FILE *stream)
{
    if (fd == STDERR_FILENO) {
        setvbuf(stream, NULL, _IONBF, 0);
    }
    FILE *before = *standard[fd].place;
    take_over(stream, before);
    /* Whoever has kept a pointer to it, as C++'s std::cout does, gets EBADF: libc would
     * write for it behind our back. */
    before->_fileno = -1;
    standard[fd].before = before;
    *standard[fd].place = stream;
    return stream;
}

FILE *
stream_end_standard(int fd)
{
    FILE *before = standard[fd].before;
    before->_fileno = fd;
    *standard[fd].place = before;
    standard[fd].before = NULL;
    return before;
}

bool
stream_is_standard(int fd)
{
    return standard[fd].before != NULL;
}
