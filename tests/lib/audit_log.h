/*
 * The audit log opened into a folder of the test's own, and its lines checked.
 */
#ifndef TESTS_LIB_AUDIT_LOG_H
#define TESTS_LIB_AUDIT_LOG_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/session/audit.h"
#include "shim/session/audit_sink.h"
#include "shim/session/table.h"
#include "tests/lib/json_check.h"

static char dir[] = "/tmp/session_audit.XXXXXX";
static char path[100];
static struct sockaddr_un syslog_address = {.sun_family = AF_UNIX};

static const char *daemon_path = "/dev/log";

/* It lies elsewhere in this test. */
static inline int
connect_here(int fd, const struct sockaddr *address, socklen_t len)
{
    const struct sockaddr_un *wanted = (const struct sockaddr_un *)(const void *)address;
    assert_string_equal(wanted->sun_path, daemon_path);
    assert_int_equal(len, sizeof(*wanted));
    return connect(fd, (const struct sockaddr *)&syslog_address, sizeof(syslog_address));
}

static size_t write_limit = SIZE_MAX; /* a disk that fills up */

static inline ssize_t
write_some(int fd, const void *buf, size_t len)
{
    return write(fd, buf, len < write_limit ? len : write_limit);
}

static const struct audit_io io = {open, write_some, socket, connect_here, close, fcntl};

static inline int
open_log(enum policy_log log, enum policy_log_level level)
{
    const struct policy policy = {.log = log, .log_path = path, .log_level = level};
    return audit_open(&policy, "/usr/bin/prog \"x\"", "billing", &io);
}

static inline int
open_file(void)
{
    unlink(path);
    return open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO);
}

/* The file's text so far. */
static inline const char *
text(void)
{
    static char all[16 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    all[fread(all, 1, sizeof(all) - 1, file)] = '\0';
    fclose(file);
    return all;
}

/* Checks that there are count lines of JSON; returns the last one, without its newline.
 */
static inline const char *
last_line(const char *all, int count)
{
    static char line[AUDIT_SINK_LINE_MAX + 1];
    int found = 0;
    while (*all != '\0') {
        size_t len = strcspn(all, "\n");
        assert_int_equal(all[len], '\n');
        assert_true(len + 1 <= AUDIT_SINK_LINE_MAX);
        memcpy(line, all, len);
        line[len] = '\0';
        if (!json_is_object(line)) {
            fail_msg("no JSON: %s", line);
        }
        all += len + 1;
        found++;
    }
    assert_int_equal(found, count);
    return line;
}

static inline void
must_have(const char *line, const char *part)
{
    if (line == NULL || strstr(line, part) == NULL) {
        fail_msg("no %s in %s", part, line != NULL ? line : "nothing");
    }
}

static inline void
must_lack(const char *line, const char *part)
{
    if (strstr(line, part) != NULL) {
        fail_msg("%s in %s", part, line);
    }
}

static inline void
put_warning(const char *detail)
{
    struct audit_record record = AUDIT_RECORD_INIT;
    record.event = AUDIT_WARNING;
    record.detail = detail;
    errno = EXDEV;
    audit_write(&record);
    assert_int_equal(errno, EXDEV);
}

/* The one fd of ours that lines go to, -1 = none. */
static inline int
log_fd(void)
{
    int found = -1;
    for (int fd = 0; fd < TABLE_FD_MAX; fd++) {
        if (table_owned(fd) && (fcntl(fd, F_GETFL) & O_PATH) == 0) {
            assert_int_equal(found, -1);
            found = fd;
        }
    }
    return found;
}

static inline void
pass_a_second(void)
{
    struct timespec start;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &start);
    do {
        usleep(20000);
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    } while (now.tv_sec <= start.tv_sec);
}

static inline int
make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(syslog_address.sun_path, sizeof(syslog_address.sun_path), "%s/syslog", dir);
    return 0;
}

static inline int
remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

#endif
