/* Where the audit log goes, and that it never holds up nor breaks the program. */
#include "tests/lib/audit_log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
file(void **state)
{
    (void)state;
    umask(0);
    assert_int_equal(open_file(), 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    int fd = log_fd();
    assert_true(fd > 100);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(fd, F_GETFL) & O_APPEND) != 0);

    put_warning("one");
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), 0); /* goes on */
    put_warning("two");
    assert_int_equal(truncate(path, 0), 0); /* as logrotate's copytruncate does */
    put_warning("three");
    must_have(last_line(text(), 1), "three");

    assert_int_equal(open_log(POLICY_LOG_NONE, POLICY_LEVEL_INFO), 0);
    assert_int_equal(log_fd(), -1);
    put_warning("nobody hears it");
    snprintf(path, sizeof(path), "%s/missing/log", dir);
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), -ENOENT);
    put_warning("nobody hears it");
    assert_int_equal(log_fd(), -1);
    snprintf(path, sizeof(path), "%s/log", dir);
}

static void
full_disk(void **state)
{
    (void)state;
    assert_int_equal(open_file(), 0);
    put_warning("one");
    write_limit = 20;
    put_warning("torn");
    write_limit = SIZE_MAX;
    put_warning("three");
    const char *torn = strchr(text(), '\n') + 1;
    assert_int_equal(strcspn(torn, "\n"), 20);
    const char *line = last_line(torn + 21, 1);
    must_have(line, "three");
    must_have(line, "\"dropped\":1,");
    put_warning("four");
    must_lack(last_line(torn + 21, 1), "four"); /* the text of before */
    must_lack(last_line(strchr(strchr(text(), '\n') + 1, '\n') + 1, 2), "dropped");
}

/* Reads what a pipe or socket holds. */
static const char *
drain(int fd)
{
    static char all[300000];
    size_t len = 0;
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    while (len < sizeof(all) - 1 && poll(&pfd, 1, 0) == 1) {
        ssize_t n = read(fd, all + len, sizeof(all) - 1 - len);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    all[len] = '\0';
    return all;
}

static void
fill_and_drain(int reader)
{
    char line[4000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < 1000; i++) {
        put_warning(line);
    }
    const char *all = drain(reader);
    int count = 0;
    for (const char *at = all; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    assert_true(count > 10 && count < 1000);
    must_lack(last_line(all, count), "dropped");
    put_warning("room again");
    char want[40];
    snprintf(want, sizeof(want), "\"dropped\":%d,", 1000 - count);
    const char *last = last_line(drain(reader), 1);
    must_have(last, want);
    must_have(last, "room again");
    put_warning("and again");
    must_lack(last_line(drain(reader), 1), "dropped");
}

static void
full_fifo(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), 0);
    fill_and_drain(reader);
    close(reader);
    put_warning("without a reader: no SIGPIPE");
    reader = open(path, O_RDONLY | O_NONBLOCK);
    put_warning("with one");
    must_have(last_line(drain(reader), 1), "\"dropped\":1,");
    close(reader);

    /* Opened before there is a reader. */
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), 0);
    put_warning("kept");
    reader = open(path, O_RDONLY | O_NONBLOCK);
    must_have(last_line(drain(reader), 1), "kept");
    close(reader);
    unlink(path);
}

static _Atomic int pipe_signals;

static void
count_signal(int number)
{
    (void)number;
    pipe_signals++;
}

/* A blocking pipe stays blocking, and yet the program does not wait. */
static void
full_stderr(void **state)
{
    (void)state;
    int fds[2];
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    int opened = open_log(POLICY_LOG_STDERR, POLICY_LEVEL_INFO);
    int program = dup(STDERR_FILENO);
    close(STDERR_FILENO); /* as daemons do */
    assert_int_equal(opened, 0);
    int fd = log_fd();
    assert_int_equal(fcntl(program, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    alarm(20);
    fill_and_drain(fds[0]);
    alarm(0);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);

    signal(SIGPIPE, count_signal);
    close(program);
    close(fds[0]);
    put_warning("nobody reads");
    assert_int_equal(pipe_signals, 0);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(open_file(), 0);
    put_warning("here");
    must_have(last_line(text(), 1), "\"dropped\":1,");

    saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    opened = open_log(POLICY_LOG_STDERR, POLICY_LEVEL_INFO);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_int_equal(opened, -EBADF);
}

/* A terminal that nobody reads from may take half a line: the next one begins anew. */
static void
full_terminal(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(terminal, STDERR_FILENO), STDERR_FILENO);
    int opened = open_log(POLICY_LOG_STDERR, POLICY_LEVEL_INFO);
    alarm(20);
    for (int i = 0; i < 2000; i++) {
        put_warning("nobody reads");
    }
    alarm(0);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_int_equal(opened, 0);
    assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
    while (strlen(drain(master)) > 0) {
        usleep(20000); /* the kernel moves what is left by and by */
    }
    put_warning("room again");
    usleep(20000);
    const char *all = drain(master);
    const char *line = strrchr(all, '{');
    must_have(line, "\"dropped\":");
    must_have(line, "room again");
    assert_true(line == all || line[-1] == '\n');
    close(terminal);
    close(master);
}

/* Polling says that there is room, and the reader goes: still no SIGPIPE. */
static int doomed_reader = -1;

static ssize_t
close_then_write(int fd, const void *buf, size_t len)
{
    close(doomed_reader);
    return write(fd, buf, len);
}

static void
reader_goes_at_the_last_moment(void **state)
{
    (void)state;
    struct audit_io late = io;
    const struct policy policy = {
        .log = POLICY_LOG_FILE, .log_path = path, .log_level = POLICY_LEVEL_INFO};
    late.write = close_then_write;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    doomed_reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(audit_open(&policy, NULL, NULL, &late), 0);
    pipe_signals = 0;
    signal(SIGPIPE, count_signal);
    put_warning("lost");
    assert_int_equal(pipe_signals, 0);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGPIPE));
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(open_file(), 0);
    put_warning("here");
    must_have(last_line(text(), 1), "\"dropped\":1,");
}

static void *
write_lines(void *unused)
{
    for (int i = 0; i < 200; i++) {
        put_warning("from a thread");
    }
    return unused;
}

static void
threads_and_children(void **state)
{
    (void)state;
    pthread_t threads[4];
    assert_int_equal(open_file(), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    }
    pid_t child = fork();
    if (child == 0) {
        write_lines(NULL);
        _exit(0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const char *all = text();
    last_line(all, 1000);
    char pid[40];
    snprintf(pid, sizeof(pid), "\"pid\":%d,", child);
    int of_child = 0;
    for (const char *at = all; (at = strstr(at, pid)) != NULL; at++) {
        of_child++;
    }
    assert_int_equal(of_child, 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(full_fifo),
        cmocka_unit_test(full_stderr),
        cmocka_unit_test(full_terminal),
        cmocka_unit_test(reader_goes_at_the_last_moment),
        cmocka_unit_test(threads_and_children),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
