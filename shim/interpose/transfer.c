/* sendfile(2) and splice(2): data that would go around the program's buffers. */
#include "shim/interpose/governed.h"
#include "shim/interpose/io.h"

#include <sys/sendfile.h>

#include "shim/record/stage.h"

#define SENDFILE_MAX 0x7ffff000 /* sendfile(2), notes */

/* Copies len bytes from a place in a file to the socket. Returns how many. */
static ssize_t
copy(struct handle *handle, int fd, int in, off64_t offset, size_t len)
{
    uint8_t *stage = record_stage_take();
    size_t done = 0;
    ssize_t result = 0;
    if (stage == NULL) {
        return -ENOMEM;
    }
    while (done < len) {
        size_t step = len - done < RECORD_BATCH_PLAINTEXT_MAX
                          ? len - done
                          : RECORD_BATCH_PLAINTEXT_MAX;
        ssize_t got = pread64(in, stage, step, offset + (off64_t)done);
        if (got <= 0) {
            result = got == 0 ? 0 : errno == ESPIPE ? -EINVAL : -errno;
            break;
        }
        struct iovec iov = {stage, (size_t)got};
        result = io_write(handle, fd, &iov, 1, done + (size_t)got < len ? MSG_MORE : 0);
        done += result > 0 ? (size_t)result : 0;
        if (result < got) {
            break;
        }
    }
    record_stage_give(stage);
    return done > 0 ? (ssize_t)done : result;
}

ssize_t
governed_sendfile64(struct handle *handle, int fd, int in, off64_t *offset, size_t len)
{
    GOVERNED_SCOPE *source = table_acquire(in);
    off64_t start = offset != NULL ? *offset : lseek64(in, 0, SEEK_CUR);
    if (source != NULL || start < 0) {
        return source == NULL && errno == EBADF ? -EBADF : -EINVAL;
    }
    ssize_t result = copy(handle, fd, in, start, len < SENDFILE_MAX ? len : SENDFILE_MAX);
    if (result > 0 && offset != NULL) {
        *offset = start + result;
    } else if (result > 0 && lseek64(in, start + result, SEEK_SET) < 0) {
        return -errno;
    }
    return result;
}

ssize_t
governed_sendfile(struct handle *handle, int fd, int in, off_t *offset, size_t len)
{
    _Static_assert(sizeof(off_t) == sizeof(off64_t), "64-bit only");
    return governed_sendfile64(handle, fd, in, offset, len);
}

INTERPOSE ssize_t
splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len,
       unsigned flags)
{
    real_need();
    GOVERNED_SCOPE *source = table_acquire(in);
    GOVERNED_SCOPE *sink = table_acquire(out);
    if (source != NULL || sink != NULL) {
        errno =
            EINVAL; /* "the file system does not support splicing": programs copy then */
        return -1;
    }
    return real.splice(in, in_offset, out, out_offset, len, flags);
}
