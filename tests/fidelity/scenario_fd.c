/* Descriptors: several for one connection, reused numbers, mass closing. */
#include "tests/fidelity/fidelity.h"

#include <linux/close_range.h>
#include <sys/resource.h>

static char buf[1000];

enum { DOWN_CLOEXEC = 1, DOWN_COPY };

static void
read_some(struct t *t, int fd)
{
    t_await(t, fd, POLLIN);
    long n = T(recv(fd, buf, 100, 0));
    if (n > 0) {
        t_bytes(t, buf, n);
    }
}

/* The other end: sends a word each time it is told to, then waits for the end. */
static void
feed(struct t *t)
{
    for (long i = 0; i < t->param; i++) {
        t_wait(t);
        T(write(t->fd, "word", 4));
        t_tell(t);
    }
    t_wait(t);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
    t_tell(t);
}

static void
next_word(struct t *t, int fd)
{
    t_tell(t);
    t_wait(t);
    read_some(t, fd);
}

static void
finish(struct t *t)
{
    t_tell(t);
    t_wait(t);
}

/* ---- copies
 * --------------------------------------------------------------------------------- */

static void
copies(struct t *t)
{
    int copy = dup(t->fd);
    int second = fcntl(t->fd, F_DUPFD, 100);
    int third = fcntl(t->fd, F_DUPFD_CLOEXEC, 100);
    t_say(t, "%d %d %d", copy > t->fd, second, third);
    T(fcntl(copy, F_GETFD));
    T(fcntl(second, F_GETFD));
    T(fcntl(third, F_GETFD));
    T(fcntl(second, F_SETFD, FD_CLOEXEC));
    T(fcntl(second, F_GETFD));
    T(fcntl(second, F_SETFD, 0));
    T(fcntl(second, F_GETFD));
    T(fcntl(t->fd, F_GETFD));
    T(write(copy, "one ", 4));
    T(close(t->fd));
    T(write(t->fd, "a", 1));
    T(write(second, "two ", 4));
    next_word(t, third);
    T(close(copy));
    T(close(second));
    next_word(t, third);
    T(write(third, "three", 5));
    T(close(third));
    T(close(third));
    T(fcntl(third, F_DUPFD, 0));
    T(fcntl(third, F_GETFD));
    T(dup(third));
    finish(t);
}

/* dup2() and dup3() of a connection, and over one. */
static void
copies_onto(struct t *t)
{
    int null = open("/dev/null", O_RDWR);
    T(dup2(t->fd, t->fd) == t->fd);
    T(dup3(t->fd, t->fd, 0));
    T(dup2(t->fd, 200));
    T(dup3(t->fd, 201, O_CLOEXEC));
    T(dup3(t->fd, 202, 0x7));
    T(dup2(t->fd, -1));
    T(dup2(-1, 203));
    T(dup2(1000, 203));
    T(dup2(t->fd, 0x7fffffff));
    T(fcntl(200, F_GETFD));
    T(fcntl(201, F_GETFD));
    T(write(200, "one ", 4));
    T(dup2(null, t->fd) == t->fd);
    T(write(t->fd, "lost", 4));
    T(read(t->fd, buf, 10));
    next_word(t, 201);
    T(dup2(null, 200));
    T(write(200, "lost", 4));
    T(write(201, "two", 3));
    T(dup3(null, 201, 0));
    T(write(201, "lost", 4));
    finish(t);
}

/* A connection over standard input and output, as inetd hands it on. */
static void
standard(struct t *t)
{
    T(dup2(t->fd, STDIN_FILENO));
    T(dup2(t->fd, STDOUT_FILENO));
    T(close(t->fd));
    next_word(t, STDIN_FILENO);
    T(write(STDOUT_FILENO, "written ", 8));
    T(printf("printed %d", 7));
    T(fflush(stdout));
    T(close(STDIN_FILENO));
    T(close(STDOUT_FILENO));
    finish(t);
}

/* ---- mass closing
 * ------------------------------------------------------------------------------- */

static void
close_all(struct t *t)
{
    int copy = dup2(t->fd, 300);
    T(write(copy, "last words", 10));
    switch (t->param) {
    case 0:
        for (int fd = 0; fd < 1024; fd++) {
            (void)close(fd);
        }
        break;
    case 10:
        T(close_range(0, ~0U, 0));
        break;
    case 20:
        closefrom(0);
        break;
    case 30:
        T(close_range((unsigned)t->fd, (unsigned)t->fd, 0));
        T(write(300, ", more", 6));
        T(close_range(300, 299, 0));
        T(close_range(300, 300, 0x100));
        T(close_range(300, 300, CLOSE_RANGE_CLOEXEC));
        T(fcntl(300, F_GETFD));
        T(close_range(300, 400, CLOSE_RANGE_UNSHARE));
        break;
    default:
        break;
    }
    T(write(300, "a", 1));
    T(write(t->fd, "a", 1));
    T(fcntl(300, F_GETFD));
    T(socket(AF_INET, SOCK_STREAM, 0) < 0);
    finish(t);
}

static void
read_last_words(struct t *t)
{
    t_wait(t);
    size_t len = t_read_all(t, t->fd, buf, sizeof(buf));
    t_bytes(t, buf, (long)len);
    t_tell(t);
}

/* ---- the same number again and again
 * ---------------------------------------------------------------- */

enum { ROUNDS = 60 };

static void
serve_rounds(struct t *t)
{
    int same = 0, last = -1;
    for (int i = 0; i < ROUNDS; i++) {
        int fd = t_accept(t);
        same += fd == last;
        last = fd;
        char number[16] = "";
        size_t len = t_read_all(t, fd, number, 4);
        t_write_all(t, fd, number, len);
        if (i % 2 == 0) {
            t_read_all(t, fd, number, 1);
        }
        close(fd);
    }
    t_say(t, "%d rounds, %s", ROUNDS,
          same == ROUNDS - 1 ? "one number" : "several numbers");
}

static void
dial_rounds(struct t *t)
{
    int right = 0, same = 0, last = -1;
    for (int i = 0; i < ROUNDS; i++) {
        int fd = t_dial(t);
        char number[16], answer[16] = "";
        same += fd == last;
        last = fd;
        sprintf(number, "%04d", i);
        t_write_all(t, fd, number, 4);
        t_read_all(t, fd, answer, 4);
        right += strcmp(number, answer) == 0;
        close(fd);
        /* The number is a file's in between. */
        int file = open("/dev/zero", O_RDONLY);
        right += read(file, answer, 4) == 4 && answer[0] == 0;
        close(file);
    }
    t_say(t, "%d right, %s", right,
          same == ROUNDS - 1 ? "one number" : "several numbers");
}

/* ---- limits
 * ------------------------------------------------------------------------------------------
 */

static void
no_more_fds(struct t *t)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)t->fd + 2, .rlim_max = 4096};
    int fds[8];
    int count = 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)t->fd + 3;
    T(setrlimit(RLIMIT_NOFILE, &limit));
    while (count < 8 && (fds[count] = dup(t->fd)) >= 0) {
        count++;
    }
    t_say(t, "%d copies, %s", count, strerrorname_np(errno));
    T(dup2(t->fd, 50));
    T(fcntl(t->fd, F_DUPFD, 50));
    T(write(t->fd, "one", 3));
    while (count > 0) {
        close(fds[--count]);
    }
    T(close(t->fd));
    finish(t);
}

/* ---- modes
 * --------------------------------------------------------------------------------------------
 */

static void
flags(struct t *t)
{
    int copy = dup(t->fd);
    T(fcntl(t->fd, F_SETFL, O_RDWR | O_NONBLOCK));
    T(recv(copy, buf, 10, 0));
    T(fcntl(copy, F_SETFL, O_RDWR));
    T_BLOCKS(recv(t->fd, buf, 10, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR | O_APPEND));
    T(fcntl(t->fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE));
    T(fcntl(t->fd, F_GETOWN));
    T(fcntl(t->fd, F_SETOWN, getpid()));
    T(fcntl(t->fd, F_GETOWN) == getpid());
    T(fcntl(t->fd, 9999, 0));
    T(isatty(t->fd));
    T(close(copy));
    T(fcntl(copy, F_GETFL));
    T(close(t->fd));
    finish(t);
}

static void
flags_fresh(struct t *t)
{
    T(fcntl(t->fd, F_SETFL, O_RDWR | O_NONBLOCK));
    T(recv(t->fd, buf, 10, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR));
    T_BLOCKS(recv(t->fd, buf, 10, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR | O_NONBLOCK));
    T(send(t->fd, "early", 5, 0));
    T(fcntl(t->fd, F_SETFL, O_RDWR));
    T(shutdown(t->fd, SHUT_WR));
    next_word(t, t->fd);
    finish(t);
}

/* ---- what another program gets
 * --------------------------------------------------------------- */

/* The shell writes to the number itself. */
/* What system() does to a connection is what these scenarios are about. */
static int
run_shell(const char *command)
{
    return system(command); /* NOLINT(cert-env33-c) */
}

/* Only what is done with its handshake goes along without being asked for (README.md). */
static void
be_greeted(struct t *t)
{
    do {
        t_await(t, t->fd, POLLIN);
    } while (read(t->fd, buf, 1) < 0 && errno == EAGAIN);
    t_say(t, "%c", buf[0]);
}

static void
hand_down(struct t *t)
{
    char command[60];
    be_greeted(t);
    snprintf(command, sizeof(command), "printf said >&%d 2>/dev/null", t->fd);
    if (t->param == DOWN_CLOEXEC) {
        T(fcntl(t->fd, F_SETFD, FD_CLOEXEC));
    }
    t_say(t, "system: %s", run_shell(command) == 0 ? "done" : "failed");
    T(write(t->fd, " more", 5));
    if (t->param == DOWN_COPY) {
        snprintf(command, sizeof(command), "printf said >&%d 2>/dev/null",
                 fcntl(t->fd, F_DUPFD, 8));
        t_say(t, "system: %s", run_shell(command) == 0 ? "done" : "failed");
    }
    if (fork() == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(1);
    }
    t_wait(t);
    T(close(t->fd));
}

static void
hear_it(struct t *t)
{
    size_t want = t->param == DOWN_CLOEXEC ? 5 : t->param == DOWN_COPY ? 17 : 13;
    size_t len = 0;
    T(write(t->fd, "!", 1));
    while (len < want) {
        t_await(t, t->fd, POLLIN);
        ssize_t n = read(t->fd, buf + len, sizeof(buf) - len);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    t_bytes(t, buf, (long)len);
    t_tell(t);
}

const struct scenario scenarios_fd[] = {
    {"fd.copies", feed, copies, 2, 0, NULL},
    {"fd.copies_accepting", copies, feed, 2, 0, NULL},
    {"fd.onto", feed, copies_onto, 1, 0, NULL},
    {"fd.standard", feed, standard, 1, 0, NULL},
    {"fd.standard_accepting", standard, feed, 1, 0, NULL},
    {"fd.close_loop", read_last_words, close_all, 0, 0, NULL},
    {"fd.close_range", read_last_words, close_all, 10, 0, NULL},
    {"fd.closefrom", read_last_words, close_all, 20, 0, NULL},
    {"fd.close_range_one", read_last_words, close_all, 30, 0, NULL},
    {"fd.reuse", serve_rounds, dial_rounds, 0, T_UNCONNECTED | T_BLOCKING, NULL},
    {"fd.hand_down", hear_it, hand_down, 0, 0, NULL},
    {"fd.hand_down.accepting", hand_down, hear_it, 0, 0, NULL},
    {"fd.hand_down.copy", hear_it, hand_down, DOWN_COPY, 0, NULL},
    {"fd.hand_down.cloexec", hear_it, hand_down, DOWN_CLOEXEC, 0, NULL},
    {"fd.limit", read_last_words, no_more_fds, 0, 0, NULL},
    {"fd.flags", read_last_words, flags, 0, 0, NULL},
    {"fd.flags_fresh", feed, flags_fresh, 1, T_FRESH, NULL},
    {0},
};
