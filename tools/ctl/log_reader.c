#include "tools/ctl/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_LEN = 1 << 20, /* no line of ours is nearly as long */
    PROGRESS_MS = 200,
};

struct reader {
    const char *command;
    struct log_line_parser *parser;
    void (*take)(void *context, const struct log_line *line);
    void *context;
    struct log_reader_totals *totals;
    char *block;
    bool shows; /* how far it is */
    int64_t size, done;
    int64_t next_ms;
};

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
show(struct reader *reader)
{
    enum { WIDTH = 40 };
    char bar[WIDTH + 1];
    if (!reader->shows || now_ms() < reader->next_ms) {
        return;
    }
    reader->next_ms = now_ms() + PROGRESS_MS;
    if (reader->size <= 0) {
        fprintf(stderr, "\r%.1f MB, %lld lines\033[K", (double)reader->done / 1e6,
                (long long)reader->totals->lines);
        return;
    }
    double part = (double)reader->done / (double)reader->size;
    int filled = (int)(part * WIDTH);
    filled = filled > WIDTH ? WIDTH : filled;
    memset(bar, '.', WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3.0f %%  %lld lines\033[K", bar, part * 100,
            (long long)reader->totals->lines);
}

static void
take_line(struct reader *reader, const char *text, size_t len)
{
    struct log_line line;
    if (len == 0) {
        return;
    }
    reader->totals->lines++;
    if (log_line_parse(reader->parser, text, len, &line)) {
        reader->take(reader->context, &line);
    } else {
        reader->totals->unreadable++;
    }
}

/* Takes the whole lines of the block; returns how much of it they are. */
static size_t
take_lines(struct reader *reader, size_t len)
{
    size_t done = 0;
    for (;;) {
        const char *end = memchr(reader->block + done, '\n', len - done);
        if (end == NULL) {
            return done;
        }
        size_t line_len = (size_t)(end - reader->block) - done;
        take_line(reader, reader->block + done, line_len);
        done += line_len + 1;
    }
}

static int
read_fd(struct reader *reader, int fd)
{
    size_t kept = 0;
    bool skipping = false; /* the rest of a line that is longer than the block */
    for (;;) {
        ssize_t got = read(fd, reader->block + kept, BLOCK_LEN - kept);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            if (kept > 0 && !skipping) {
                take_line(reader, reader->block, kept);
            }
            return got < 0 ? -errno : 0;
        }
        reader->done += got;
        size_t len = kept + (size_t)got;
        if (skipping) {
            char *end = memchr(reader->block, '\n', len);
            kept = 0;
            if (end == NULL) {
                continue;
            }
            skipping = false;
            len -= (size_t)(end + 1 - reader->block);
            memmove(reader->block, end + 1, len);
        }
        size_t taken = take_lines(reader, len);
        kept = len - taken;
        memmove(reader->block, reader->block + taken, kept);
        if (kept == BLOCK_LEN) {
            reader->totals->lines++;
            reader->totals->unreadable++;
            skipping = true;
            kept = 0;
        }
        show(reader);
    }
}

static int
read_path(struct reader *reader, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -errno : 0;
    if (result == 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        result = read_fd(reader, fd);
    }
    if (fd >= 0 && !is_stdin) {
        close(fd);
    }
    if (result < 0) {
        fprintf(stderr, "%smtlsctl: %s: %s: %s\n", reader->shows ? "\r\033[K" : "",
                reader->command, path, strerror(-result));
    }
    return result < 0 ? -1 : 0;
}

/* The bytes of all files; 0 where one of them does not tell. */
static int64_t
size_of(char *const *paths, int count)
{
    int64_t size = 0;
    for (int i = 0; i < count; i++) {
        struct stat about;
        if (stat(paths[i], &about) != 0 || !S_ISREG(about.st_mode)) {
            return 0;
        }
        size += about.st_size;
    }
    return size;
}

int
log_reader_run(const char *command, char *const *paths, int count,
               void (*take)(void *context, const struct log_line *line), void *context,
               struct log_reader_totals *totals)
{
    struct reader reader = {.command = command,
                            .parser = log_line_new(),
                            .take = take,
                            .context = context,
                            .totals = totals,
                            .block = malloc(BLOCK_LEN),
                            .shows = isatty(STDERR_FILENO) != 0,
                            .size = size_of(paths, count),
                            .next_ms = now_ms() + PROGRESS_MS};
    int result = 0;
    memset(totals, 0, sizeof(*totals));
    if (reader.parser == NULL || reader.block == NULL) {
        fprintf(stderr, "mtlsctl: %s: out of memory\n", command);
        result = -1;
    }
    for (int i = 0; result == 0 && i < count; i++) {
        result = read_path(&reader, paths[i]);
    }
    if (reader.shows) {
        fprintf(stderr, "\r\033[K");
    }
    log_line_free(reader.parser);
    free(reader.block);
    return result;
}
