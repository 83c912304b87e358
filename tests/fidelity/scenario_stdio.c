/* Streams over connections. */
#include "tests/fidelity/fidelity.h"

#include <stdio_ext.h>

static char buf[1 << 16];

static void
just_wait(struct t *t)
{
    t_wait(t);
}

/* What the other end says, all of it at once, and what it hears up to the end. */
static void
talk(struct t *t)
{
    T(write(t->fd, "first line\nsecond line\n12 34 abc\nrest without an end", 51));
    T(shutdown(t->fd, SHUT_WR));
    t_tell(t);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
    t_tell(t);
}

static void
state(struct t *t, FILE *stream)
{
    t_say(t, "  eof %d, error %d", feof(stream) != 0, ferror(stream) != 0);
}

/* ---- fdopen in every mode
 * ------------------------------------------------------------------------- */

static void
open_modes(struct t *t)
{
    static const char *const modes[] = {"r",  "w",   "a",   "r+", "w+", "a+", "rb",
                                        "wb", "r+b", "rb+", "re", "x",  "",   "rw"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        int copy = dup(t->fd);
        errno = 0;
        FILE *stream = fdopen(copy, modes[i]);
        t_say(t, "\"%s\": %s", modes[i],
              stream != NULL ? "a stream" : strerrorname_np(errno));
        if (stream == NULL) {
            close(copy);
            continue;
        }
        t_say(t, "  fileno %s, %sreads, %swrites",
              fileno(stream) == copy ? "right" : "wrong",
              __freadable(stream) ? "" : "no ", __fwritable(stream) ? "" : "no ");
        T(fclose(stream));
        T(fcntl(copy, F_GETFD));
    }
    errno = 0;
    t_say(t, "closed fd: %s",
          fdopen(-1, "r") != NULL ? "a stream" : strerrorname_np(errno));
    T(write(t->fd, "alive", 5));
    T(close(t->fd));
    t_wait(t);
}

/* ---- reading
 * ----------------------------------------------------------------------------------------
 */

static void
read_lines(struct t *t)
{
    FILE *stream = fdopen(t->fd, "r+");
    char *line = NULL;
    size_t size = 0;
    int numbers[2] = {0};
    char word[10] = "";
    if (t->param == 1) {
        T(setvbuf(stream, NULL, _IONBF, 0));
    } else if (t->param == 2) {
        T(setvbuf(stream, NULL, _IOLBF, 0));
    } else if (t->param == 3) {
        T(setvbuf(stream, buf, _IOFBF, 16));
    }
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(fgets(buf + 100, 100, stream) == buf + 100);
    t_bytes(t, buf + 100, (long)strlen(buf + 100));
    T(getc(stream));
    T(ungetc('S', stream));
    T(getline(&line, &size, stream));
    t_bytes(t, line, (long)strlen(line));
    T(fscanf(stream, "%d %d %9s", &numbers[0], &numbers[1], word));
    t_say(t, "  %d %d %s", numbers[0], numbers[1], word);
    T(getc(stream));
    T(fread(buf + 100, 1, 5, stream));
    t_bytes(t, buf + 100, 5);
    T(getdelim(&line, &size, 'x', stream));
    t_bytes(t, line, (long)strlen(line));
    state(t, stream);
    T(getc(stream));
    state(t, stream);
    T(fgets(buf + 100, 100, stream) != NULL);
    clearerr(stream);
    T(fputs("answer\n", stream));
    T(fflush(stream));
    T(fclose(stream));
    T(fcntl(t->fd, F_GETFD));
    t_wait(t);
}

/* read() and the stream by turns: what the stream has taken is its own. */
static void
mixed(struct t *t)
{
    FILE *stream = fdopen(t->fd, "r");
    T(setvbuf(stream, NULL, _IONBF, 0));
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(fgets(buf, 100, stream) == buf);
    t_bytes(t, buf, (long)strlen(buf));
    long n = T(read(t->fd, buf, 7));
    t_bytes(t, buf, n);
    T(fgets(buf, 100, stream) == buf);
    t_bytes(t, buf, (long)strlen(buf));
    T(write(t->fd, "written", 7));
    T(fclose(stream));
    t_wait(t);
}

/* Nothing to read: EAGAIN is an error that the stream keeps, and goes on after it. */
static void
read_too_early(struct t *t)
{
    FILE *stream = fdopen(t->fd, "r");
    T(getc(stream));
    state(t, stream);
    clearerr(stream);
    t_tell(t);
    t_wait(t);
    t_await(t, t->fd, POLLIN);
    T(getc(stream));
    T(fgets(buf, 100, stream) == buf);
    t_bytes(t, buf, (long)strlen(buf));
    T(fgets(buf, 100, stream) == buf);
    state(t, stream);
    T(fclose(stream));
    t_tell(t);
}

static void
give_one_line(struct t *t)
{
    t_wait(t);
    T(write(t->fd, "one line\n", 9));
    t_tell(t);
    t_wait(t);
}

/* ---- writing
 * ------------------------------------------------------------------------------------------
 */

static void
listen_to_all(struct t *t)
{
    size_t done = 0;
    ssize_t n;
    while ((n = read(t->fd, buf + done, sizeof(buf) - done)) > 0 ||
           (n < 0 && errno == EAGAIN)) {
        done += n > 0 ? (size_t)n : 0;
        t_await(t, t->fd, POLLIN);
    }
    t_bytes(t, buf, (long)done);
    t_tell(t);
}

static void
print(struct t *t)
{
    FILE *stream = fdopen(t->fd, t->param == 1 ? "a" : "w");
    if (t->param == 2) {
        setvbuf(stream, NULL, _IONBF, 0);
    } else if (t->param == 3) {
        setlinebuf(stream);
    }
    T(fprintf(stream, "%s %d\n", "number", 42));
    T(fputs("text", stream));
    T(fputc('!', stream));
    T(fwrite("0123456789", 2, 4, stream));
    T(fflush(stream));
    T(fprintf(stream, "%50000d", 7));
    state(t, stream);
    T(ftell(stream));
    T(fseek(stream, 0, SEEK_SET));
    T(getc(stream));
    clearerr(stream);
    T(fclose(stream));
    T(write(t->fd, "a", 1));
    t_wait(t);
}

static void
print_directly(struct t *t)
{
    T(dprintf(t->fd, "%s %d\n", "number", 42));
    T(dprintf(t->fd, "%s", ""));
    T(dprintf(t->fd, "%20000d", 7));
    T(dprintf(-1, "%d", 7));
    T(shutdown(t->fd, SHUT_WR));
    T(dprintf(t->fd, "%d", 7));
    T(close(t->fd));
    T(dprintf(t->fd, "%d", 7));
    t_wait(t);
}

/* A stream's write to an end: the error shows at the flush. */
static void
print_after_end(struct t *t)
{
    FILE *stream = fdopen(t->fd, "w");
    T(shutdown(t->fd, SHUT_WR));
    T(fputs("too late", stream));
    T(fflush(stream));
    state(t, stream);
    T(fclose(stream));
    t_tell(t);
}

static void
leave_unflushed(struct t *t)
{
    FILE *stream = fdopen(t->fd, "w");
    T(fputs("flushed at exit", stream));
    exit(0);
}

/* freopen() and stdin: a connection in the place of a standard stream. */
static void
standard_streams(struct t *t)
{
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(dup2(t->fd, STDIN_FILENO));
    T(dup2(t->fd, STDOUT_FILENO));
    T(fgets(buf, 100, stdin) == buf);
    t_bytes(t, buf, (long)strlen(buf));
    T(getchar());
    T(scanf("%99s", buf));
    t_bytes(t, buf, (long)strlen(buf));
    T(printf("printed\n"));
    T(puts("put"));
    T(fflush(stdout));
    T(fileno(stdin));
    FILE *again = freopen("/dev/null", "r", stdin);
    t_say(t, "reopened: %d, reads %d", again == stdin, getchar());
    T(fileno(stdin));
    T(fputc('a', stdin));
    again = freopen("/dev/null", "w", stdout);
    t_say(t, "reopened: %d", again == stdout);
    T(printf("lost\n"));
    T(fflush(stdout));
    T(write(t->fd, "end", 3));
    T(close(t->fd));
    t_wait(t);
}

/* A stream that the program has made: it keeps its pointer and gets a file. */
static void
reopen(struct t *t)
{
    FILE *stream = fdopen(t->fd, "r+");
    T(fputs("before", stream));
    FILE *again = freopen("/dev/zero", "r", stream);
    t_say(t, "reopened: %d", again == stream);
    T(getc(stream));
    T(fputc('a', stream));
    T(fclose(stream));
    T(write(t->fd, "a", 1));
    t_wait(t);
}

static void
reopen_in_vain(struct t *t)
{
    FILE *stream = fdopen(t->fd, "w");
    T(fputs("before", stream));
    t_say(t, "reopened: %d", freopen("/no/such/file", "r", stream) != NULL);
    T(write(t->fd, "a", 1));
    t_wait(t);
}

static void
two_streams(struct t *t)
{
    FILE *in = fdopen(t->fd, "r");
    FILE *out = fdopen(dup(t->fd), "w");
    t_wait(t);
    t_await(t, t->fd, POLLRDHUP);
    T(fgets(buf, 100, in) == buf);
    T(fprintf(out, "heard: %s", buf));
    T(fclose(in));
    T(fflush(out));
    T(fputs("more", out));
    T(fclose(out));
    t_wait(t);
}

const struct scenario scenarios_stdio[] = {
    {"stdio.modes", listen_to_all, open_modes, 0, 0, NULL},
    {"stdio.read", talk, read_lines, 0, 0, NULL},
    {"stdio.read_accepting", read_lines, talk, 0, 0, NULL},
    {"stdio.read_unbuffered", talk, read_lines, 1, 0, NULL},
    {"stdio.read_by_lines", talk, read_lines, 2, 0, NULL},
    {"stdio.read_small_buffer", talk, read_lines, 3, 0, NULL},
    {"stdio.mixed", talk, mixed, 0, 0, NULL},
    {"stdio.too_early", give_one_line, read_too_early, 0, T_NONBLOCKING, NULL},
    {"stdio.print", listen_to_all, print, 0, T_BLOCKING, NULL},
    {"stdio.print_append", listen_to_all, print, 1, T_BLOCKING, NULL},
    {"stdio.print_unbuffered", listen_to_all, print, 2, T_BLOCKING, NULL},
    {"stdio.print_by_lines", listen_to_all, print, 3, T_BLOCKING, NULL},
    {"stdio.dprintf", listen_to_all, print_directly, 0, 0, NULL},
    {"stdio.after_end", just_wait, print_after_end, 0, 0, NULL},
    {"stdio.exit", listen_to_all, leave_unflushed, 0, 0, NULL},
    {"stdio.standard", talk, standard_streams, 0, 0, NULL},
    {"stdio.reopen", listen_to_all, reopen, 0, 0, NULL},
    {"stdio.reopen_in_vain", listen_to_all, reopen_in_vain, 0, 0, NULL},
    {"stdio.two_streams", talk, two_streams, 0, 0, NULL},
    {0},
};
