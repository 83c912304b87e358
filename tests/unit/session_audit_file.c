/* The audit log's file is moved away, by logrotate for one; and lines that are too many.
 */
#include "tests/lib/audit_log.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char moved[120];

static void
move_away(void)
{
    snprintf(moved, sizeof(moved), "%s/log.1", dir);
    assert_int_equal(rename(path, moved), 0);
}

/* logrotate with create: the new file is there a moment later. */
static void
moved_and_made(void **state)
{
    (void)state;
    assert_int_equal(open_file(), 0);
    int fd = log_fd();
    put_warning("one");
    assert_int_equal(chdir("/"), 0);
    move_away();
    int made = open(path, O_CREAT | O_EXCL | O_WRONLY, 0604);
    assert_true(made >= 0);
    close(made);
    pass_a_second();
    put_warning("two");
    put_warning("three");
    must_have(last_line(text(), 2), "three");
    assert_int_equal(log_fd(), fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(fd, F_GETFL) & O_APPEND) != 0);
    unlink(moved);
}

static _Atomic int is_over;

static void *
write_lines(void *count)
{
    for (int i = 1; !is_over; i++) {
        put_warning("from a thread");
        *(int *)count = i;
        usleep(1000);
    }
    return NULL;
}

static int
lines_of(const char *name)
{
    char keep[sizeof(path)];
    memcpy(keep, path, sizeof(path));
    if (name != path) {
        snprintf(path, sizeof(path), "%s", name);
    }
    const char *all = text();
    int count = 0;
    for (const char *at = all; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    last_line(all, count);
    unlink(path);
    memcpy(path, keep, sizeof(path));
    return count;
}

/* No line is lost or torn between two files, whoever is writing just then. */
static void
moved_while_threads_write(void **state)
{
    (void)state;
    pthread_t threads[4];
    int counts[4] = {0};
    int found = 0;
    assert_int_equal(open_file(), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &counts[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        move_away();
        close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0640));
        pass_a_second();
        pass_a_second();
        found += lines_of(moved); /* by now nobody writes there */
    }
    is_over = 1;
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    found += lines_of(path);
    assert_int_equal(found, counts[0] + counts[1] + counts[2] + counts[3]);
}

/* nocreate: the file is made by who writes, and only when nobody else does. */
static void
moved_only(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(open_file(), 0);
    assert_int_equal(chmod(path, 0660), 0);
    put_warning("one");
    move_away();
    pass_a_second();
    put_warning("two, still into the old one");
    assert_int_equal(stat(path, &status), -1);
    pass_a_second();
    put_warning("three");
    must_have(last_line(text(), 1), "three");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    unlink(moved);
}

/* What cannot be opened any more is said, once, and tried again. */
static void
moved_and_forbidden(void **state)
{
    (void)state;
    assert_int_equal(open_file(), 0);
    int fd = log_fd();
    move_away();
    assert_int_equal(mkdir(path, 0700), 0); /* opening it fails for root, too */
    pass_a_second();
    put_warning("one");
    pass_a_second();
    put_warning("two");
    char keep[sizeof(path)];
    memcpy(keep, path, sizeof(path));
    memcpy(path, moved, sizeof(path));
    const char *all = text();
    must_have(last_line(all, 3), "two");
    must_have(all, "was moved away and a new one cannot be opened");
    assert_null(strstr(strstr(all, "moved away") + 1, "moved away"));
    memcpy(path, keep, sizeof(path));
    assert_int_equal(rmdir(path), 0);
    pass_a_second();
    put_warning("three");
    pass_a_second();
    put_warning("four");
    must_have(last_line(text(), 1), "four");
    assert_int_equal(log_fd(), fd);
    unlink(moved);
}

/* After chroot the path leads nowhere, and the folder is found all the same. */
static void
moved_with_another_root(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(open_file(), 0);
    pid_t child = fork();
    if (child == 0) {
        char empty[120];
        snprintf(empty, sizeof(empty), "%s/empty", dir);
        if (mkdir(empty, 0700) != 0 || chroot(empty) != 0) {
            _exit(1);
        }
        put_warning("one");
        pass_a_second();
        pass_a_second();
        put_warning("two");
        _exit(0);
    }
    while (strchr(text(), '\n') == NULL) {
        usleep(1000);
    }
    move_away();
    close(open(path, O_CREAT | O_WRONLY, 0640));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    must_have(last_line(text(), 1), "two");
    char empty[120];
    snprintf(empty, sizeof(empty), "%s/empty", dir);
    rmdir(empty);
    unlink(moved);
}

/* What strangers can cause is limited, and nothing is left uncounted. */
static int
count_of(const char *all, const char *part)
{
    int count = 0;
    for (const char *at = all; (at = strstr(at, part)) != NULL; at++) {
        count++;
    }
    return count;
}

static void
put_event(enum audit_event event, int count)
{
    struct audit_record record = AUDIT_RECORD_INIT;
    record.event = event;
    for (int i = 0; i < count; i++) {
        audit_write(&record);
    }
}

static void
open_limited(int64_t rate)
{
    const struct policy policy = {.log = POLICY_LOG_FILE,
                                  .log_path = path,
                                  .log_level = POLICY_LEVEL_INFO,
                                  .log_rate = rate};
    unlink(path);
    assert_int_equal(audit_open(&policy, "p", "s", &io), 0);
}

static void
too_many(void **state)
{
    (void)state;
    open_limited(1);
    put_event(AUDIT_DENIED, 100);
    put_event(AUDIT_HANDSHAKE_OK, 100);   /* never limited */
    put_event(AUDIT_HANDSHAKE_FAILED, 3); /* by itself */
    const char *all = text();
    assert_in_range(count_of(all, "\"event\":\"denied\""), 10, 12);
    int left_out = 100 - count_of(all, "\"event\":\"denied\"");
    assert_int_equal(count_of(all, "\"event\":\"handshake_ok\""), 100);
    assert_int_equal(count_of(all, "\"event\":\"handshake_failed\""), 3);
    must_lack(all, "suppressed");

    pid_t child = fork(); /* tells nothing of what is the parent's to tell */
    if (child == 0) {
        audit_flush(true);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    audit_flush(false); /* too early */
    must_lack(text(), "suppressed");
    pass_a_second();
    pass_a_second();
    put_event(AUDIT_DENIED, 1);
    char want[60];
    snprintf(want, sizeof(want), "\"suppressed\":%d,", left_out);
    all = text();
    must_have(all, want);
    assert_int_equal(count_of(all, "suppressed"), 1);

    put_event(AUDIT_DENIED, 50);
    all = text();
    left_out = 151 - left_out - count_of(all, "\"event\":\"denied\"");
    audit_flush(true);
    snprintf(want, sizeof(want), "\"suppressed\":%d,", left_out);
    all = text();
    must_have(all, want);
    must_have(all, "lines with the event denied were too many");
    audit_flush(true);
    assert_int_equal(count_of(text(), "suppressed"), 2);

    open_limited(0);
    put_event(AUDIT_DENIED, 300);
    assert_int_equal(count_of(text(), "\"event\":\"denied\""), 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moved_and_made),
        cmocka_unit_test(moved_while_threads_write),
        cmocka_unit_test(moved_only),
        cmocka_unit_test(moved_and_forbidden),
        cmocka_unit_test(moved_with_another_root),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
