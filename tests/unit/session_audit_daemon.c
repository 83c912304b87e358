/* The audit log as syslogd and journald get it. */
#include "tests/lib/audit_log.h"

#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
open_receiver(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    unlink(syslog_address.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&syslog_address, sizeof(syslog_address)),
                     0);
    return fd;
}

static void
syslog_socket(void **state)
{
    (void)state;
    assert_int_equal(open_log(POLICY_LOG_SYSLOG, POLICY_LEVEL_INFO), -ENOENT);
    int receiver = open_receiver();
    assert_int_equal(open_log(POLICY_LOG_SYSLOG, POLICY_LEVEL_INFO), 0);
    put_warning("one");
    char datagram[5000];
    ssize_t n = recv(receiver, datagram, sizeof(datagram) - 1, 0);
    assert_true(n > 0);
    datagram[n] = '\0';
    assert_null(strchr(datagram, '\n'));
    char host[80];
    char name[80];
    int year, month, day, hour, minute, second, ms, pid, end = 0;
    sscanf(datagram,
           "<28>1 %4d-%2d-%2dT%2d:%2d:%2d.%3dZ %79[!-~] mtls-shim %d %79[a-z_] - %n",
           &year, &month, &day, &hour, &minute, &second, &ms, host, &pid, name, &end);
    assert_true(end > 0);
    assert_int_equal(pid, getpid());
    assert_string_equal(name, "warning");
    char own[80];
    assert_int_equal(gethostname(own, sizeof(own)), 0);
    assert_string_equal(host, own);
    assert_true(json_is_object(datagram + end));

    int fd = log_fd();
    for (int i = 0; i < 2000; i++) { /* never waits */
        put_warning("more");
    }
    while (recv(receiver, datagram, sizeof(datagram) - 1, 0) > 0) {
    }
    put_warning("room again");
    n = recv(receiver, datagram, sizeof(datagram) - 1, 0);
    datagram[n > 0 ? n : 0] = '\0';
    must_have(datagram, "\"dropped\":");

    close(receiver); /* syslogd restarts */
    put_warning("lost");
    receiver = open_receiver();
    put_warning("too early to try again");
    usleep(1100 * 1000);
    put_warning("back");
    n = recv(receiver, datagram, sizeof(datagram) - 1, 0);
    datagram[n > 0 ? n : 0] = '\0';
    must_have(datagram, "back");
    must_have(datagram, "\"dropped\":2,");
    assert_int_equal(log_fd(), fd);
    close(receiver);
    unlink(syslog_address.sun_path);
}

/* The journal's fields, one after the other; a value with newlines in it is preceded by
 * its length. */
static bool
journal_has(const char *at, size_t len, const char *name, const char *value)
{
    const char *end = at + len;
    while (at < end) {
        size_t name_len = strcspn(at, "=\n");
        const char *from = at + name_len + 1;
        size_t value_len;
        if (at[name_len] == '=') {
            const char *newline = memchr(from, '\n', (size_t)(end - from));
            assert_non_null(newline);
            value_len = (size_t)(newline - from);
        } else {
            value_len = 0;
            for (int i = 7; i >= 0; i--) {
                value_len = value_len << 8 | (uint8_t)from[i];
            }
            from += 8;
        }
        assert_true(value_len < (size_t)(end - from));
        assert_int_equal(from[value_len], '\n');
        if (strlen(name) == name_len && memcmp(at, name, name_len) == 0 &&
            strlen(value) == value_len && memcmp(from, value, value_len) == 0) {
            return true;
        }
        at = from + value_len + 1;
    }
    return false;
}

static void
journal_socket(void **state)
{
    (void)state;
    daemon_path = "/run/systemd/journal/socket";
    assert_int_equal(open_log(POLICY_LOG_JOURNALD, POLICY_LEVEL_INFO), -ENOENT);
    int receiver = open_receiver();
    assert_int_equal(open_log(POLICY_LOG_JOURNALD, POLICY_LEVEL_INFO), 0);
    put_warning("a \"b\" \\ c\nMESSAGE=forged\t\xff, {}");
    static char datagram[20000];
    ssize_t n = recv(receiver, datagram, sizeof(datagram) - 1, 0);
    assert_true(n > 0);
    datagram[n] = '\0';
    static const struct {
        const char *name, *value;
    } wants[] = {
        {"SYSLOG_IDENTIFIER", "mtls-shim"},
        {"PRIORITY", "4"},
        {"MTLS_EVENT", "warning"},
        {"MTLS_PROGRAM", "/usr/bin/prog \"x\""},
        {"MTLS_DETAIL", "a \"b\" \\ c\nMESSAGE=forged\t\xef\xbf\xbd, {}"},
    };
    for (size_t i = 0; i < COUNT(wants); i++) {
        if (!journal_has(datagram, (size_t)n, wants[i].name, wants[i].value)) {
            fail_msg("no %s=%s in %s", wants[i].name, wants[i].value, datagram);
        }
    }
    assert_false(journal_has(datagram, (size_t)n, "MESSAGE", "forged\t\xff, {}"));
    char pid[20];
    snprintf(pid, sizeof(pid), "%d", getpid());
    assert_true(journal_has(datagram, (size_t)n, "MTLS_PID", pid));
    char *message = strstr(datagram, "\nMESSAGE=") + strlen("\nMESSAGE=");
    *strchr(message, '\n') = '\0';
    assert_true(json_is_object(message));

    /* The longest lines go whole, too. */
    static char endless[5000];
    for (size_t at = 0; at + 2 < sizeof(endless); at += 2) {
        endless[at] = '\n';
        endless[at + 1] = '\xff';
    }
    const struct policy policy = {.log = POLICY_LOG_JOURNALD,
                                  .log_level = POLICY_LEVEL_INFO};
    assert_int_equal(audit_open(&policy, endless, endless, &io), 0);
    struct audit_record record = AUDIT_RECORD_INIT;
    record.event = AUDIT_CLOSED;
    record.rule = record.dialled_name = record.identity = endless;
    record.cipher = record.group = record.own_serial = record.detail = endless;
    record.bytes_out = 77;
    audit_write(&record);
    n = recv(receiver, datagram, sizeof(datagram) - 1, 0);
    assert_true(n > 0);
    assert_true(journal_has(datagram, (size_t)n, "MTLS_BYTES_OUT", "77"));
    close(receiver);
    unlink(syslog_address.sun_path);
    daemon_path = "/dev/log";
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syslog_socket),
        cmocka_unit_test(journal_socket),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
