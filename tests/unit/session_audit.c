/* The audit log: what a line says, and that it is JSON whatever it says. */
#include "tests/lib/audit_log.h"

#include <arpa/inet.h>
#include <time.h>

#include "shim/session/audit_json.h"
#include "shim/session/audit_time.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct peer some_peer = {.subject = "CN=web,O=Corp\\, Inc",
                                      .issuer = "CN=ca",
                                      .san = "DNS:web, IP:10.0.0.1",
                                      .serial = "1234",
                                      .sha256 = "abcd",
                                      .not_after_s = 1796083200};

static void
every_field(void **state)
{
    (void)state;
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(5432)};
    struct sockaddr_in6 remote = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    inet_pton(AF_INET, "10.1.2.3", &local.sin_addr);
    inet_pton(AF_INET6, "2001:db8::1", &remote.sin6_addr);
    struct failure failure;
    failure_set(&failure, REASON_UNKNOWN_CA, "who is %s?", "that");
    struct audit_record record = {
        .event = AUDIT_HANDSHAKE_FAILED,
        .rule = "db",
        .direction = POLICY_OUTBOUND,
        .has_direction = true,
        .local = (const struct sockaddr *)&local,
        .remote = (const struct sockaddr *)&remote,
        .dialled_name = "db.internal",
        .peer = &some_peer,
        .version = "1.3",
        .cipher = "TLS_AES_128_GCM_SHA256",
        .group = "X25519MLKEM768",
        .resumed = 0,
        .duration_ms = 0,
        .bytes_in = INT64_MAX,
        .bytes_out = 7,
        .failure = &failure,
        .own_serial = "99",
        .detail = "not this one",
    };
    char pid[40];
    char uid[40];
    snprintf(pid, sizeof(pid), "\"pid\":%d,", getpid());
    snprintf(uid, sizeof(uid), "\"uid\":%u,", geteuid());
    const char *const parts[] = {
        "\"event\":\"handshake_failed\"",
        "\"level\":\"warning\"",
        pid,
        uid,
        "\"program\":\"/usr/bin/prog \\\"x\\\"\"",
        "\"service\":\"billing\"",
        "\"rule\":\"db\"",
        "\"direction\":\"outbound\"",
        "\"local\":\"10.1.2.3:5432\"",
        "\"remote\":\"[2001:db8::1]:65535\"",
        "\"dialled_name\":\"db.internal\"",
        "\"reason\":\"unknown_ca\"",
        "\"detail\":\"who is that?\"",
        "\"peer_subject\":\"CN=web,O=Corp\\\\, Inc\"",
        "\"peer_san\":\"DNS:web, IP:10.0.0.1\"",
        "\"peer_serial\":\"1234\"",
        "\"peer_sha256\":\"abcd\"",
        "\"peer_not_after\":\"2026-12-01T00:00:00.000Z\"",
        "\"issuer\":\"CN=ca\"",
        "\"own_serial\":\"99\"",
        "\"version\":\"1.3\"",
        "\"cipher\":\"TLS_AES_128_GCM_SHA256\"",
        "\"group\":\"X25519MLKEM768\"",
        "\"resumed\":false",
        "\"duration_ms\":0",
        "\"bytes_in\":9223372036854775807",
        "\"bytes_out\":7}",
    };
    assert_int_equal(open_file(), 0);
    errno = EXDEV;
    audit_write(&record);
    assert_int_equal(errno, EXDEV);
    const char *line = last_line(text(), 1);
    for (size_t i = 0; i < COUNT(parts); i++) {
        must_have(line, parts[i]);
    }
    int year, month, day, hour, minute, second, ms, end = 0;
    sscanf(line, "{\"time\":\"%4d-%2d-%2dT%2d:%2d:%2d.%3dZ\",%n", &year, &month, &day,
           &hour, &minute, &second, &ms, &end);
    assert_int_equal(end, 35);
    must_lack(line, "dropped");

    inet_pton(AF_INET6, "::ffff:1.2.3.4", &remote.sin6_addr);
    record.direction = POLICY_INBOUND;
    record.resumed = 1;
    audit_write(&record);
    line = last_line(text(), 2);
    must_have(line, "\"remote\":\"1.2.3.4:65535\"");
    must_have(line, "\"direction\":\"inbound\"");
    must_have(line, "\"resumed\":true");
}

static void
absent_fields(void **state)
{
    (void)state;
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    static const struct peer nobody = {.subject = ""};
    static const struct failure none = {.reason = REASON_NONE};
    struct audit_record record = AUDIT_RECORD_INIT;
    record.event = AUDIT_POLICY_LOADED;
    record.detail = "3 rules";
    record.local = &nowhere;
    record.peer = &nobody;
    record.dialled_name = "";
    record.failure = &none;
    assert_int_equal(open_file(), 0);
    audit_write(&record);
    const char *line = last_line(text(), 1);
    static const char *const keys[] = {"rule",   "direction", "local",      "remote",
                                       "peer_",  "issuer",    "own_serial", "version",
                                       "cipher", "group",     "resumed",    "duration_ms",
                                       "bytes_", "reason",    "dialled",    "dropped"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        char key[40];
        snprintf(key, sizeof(key), "\"%s", keys[i]);
        must_lack(line, key);
    }
    must_have(line, "\"event\":\"policy_loaded\",\"level\":\"info\"");
    must_have(line, "\"detail\":\"3 rules\"");
}

static const struct {
    const char *raw, *want;
} escape_cases[] = {
    {"plain", "plain"},
    {"a\"b\\c/", "a\\\"b\\\\c/"},
    {"\n\t\x01\x1f\x7f", "\\u000a\\u0009\\u0001\\u001f\\u007f"},
    {"\"},{\"event\":\"forged\"}\n{\"",
     "\\\"},{\\\"event\\\":\\\"forged\\\"}\\u000a{\\\""},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"\xff", "\\ufffd"},
    {"a\xc3", "a\\ufffd"},
    {"\xc3(", "\\ufffd("},
    {"\xe2\x82", "\\ufffd\\ufffd"},
    {"\xc0\x80", "\\ufffd\\ufffd"},
    {"\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd"},
    {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
    {"\xf0\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
};

static void
escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(escape_cases); i++) {
        char out[200];
        char want[200];
        struct audit_json json;
        audit_json_open(&json, out, sizeof(out));
        audit_json_text(&json, "k", escape_cases[i].raw, 100);
        out[audit_json_close(&json)] = '\0';
        snprintf(want, sizeof(want), "{\"k\":\"%s\"}\n", escape_cases[i].want);
        assert_string_equal(out, want);
        assert_true(json_is_object(out));
    }
}

/* Whatever the sizes: within them, and JSON. */
static void
small_rooms(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "aaaaaaaaaaaaaaaaaaaa", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
        "\"\"\"\"\"\"\"\"\"\"", "\x01\x01\x01\x01\x01",
        "a\xff\xff\xff\xff",    "ab"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t size = 4; size < 60; size++) {
            for (size_t room = 8; room < 40; room++) {
                struct audit_json json;
                char *out = malloc(size + 1); /* for ASan; the test's own NUL */
                assert_non_null(out);
                audit_json_open(&json, out, size);
                audit_json_text(&json, "first", texts[i], room);
                audit_json_number(&json, "number", -12345);
                audit_json_bool(&json, "yes", true);
                audit_json_text(&json, "k", texts[i], room);
                size_t len = audit_json_close(&json);
                assert_true(len <= size);
                out[len] = '\0';
                if (!json_is_object(out)) {
                    fail_msg("size %zu, room %zu: %s", size, room, out);
                }
                free(out);
            }
        }
    }
}

static void
numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *want;
    } cases[] = {{0, "{\"n\":0}\n"},
                 {-1, "{\"n\":-1}\n"},
                 {INT64_MAX, "{\"n\":9223372036854775807}\n"},
                 {INT64_MIN, "{\"n\":-9223372036854775808}\n"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[100];
        struct audit_json json;
        audit_json_open(&json, out, sizeof(out));
        audit_json_number(&json, "n", cases[i].number);
        out[audit_json_close(&json)] = '\0';
        assert_string_equal(out, cases[i].want);
    }
}

static void
times(void **state)
{
    (void)state;
    for (int64_t seconds = 0; seconds < INT64_C(8000000000); seconds += 40009 * 7) {
        struct audit_time time;
        char got[AUDIT_TIME_LEN];
        char want[AUDIT_TIME_LEN];
        struct tm tm;
        time_t as_time = (time_t)seconds;
        gmtime_r(&as_time, &tm);
        audit_time_split(seconds, 7, &time);
        audit_time_rfc3339(&time, got);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        assert_string_equal(got, want);
    }
}

/* Everything as long as can be, of what takes most room: one line of bounded length, and
 * every field has its share. */
static void
bounded_line(void **state)
{
    (void)state;
    static const char *const fillers[] = {"\xff", "\x01", "\"", "a", "\xc3\xa4"};
    for (size_t i = 0; i < COUNT(fillers); i++) {
        static char endless[20000];
        size_t len = strlen(fillers[i]);
        for (size_t at = 0; at + len < sizeof(endless); at += len) {
            memcpy(endless + at, fillers[i], len);
        }
        struct peer peer;
        struct failure failure;
        snprintf(peer.subject, sizeof(peer.subject), "%.255s", endless);
        snprintf(peer.issuer, sizeof(peer.issuer), "%.127s", endless);
        snprintf(peer.san, sizeof(peer.san), "%.511s", endless);
        snprintf(peer.serial, sizeof(peer.serial), "%.41s", endless);
        snprintf(peer.sha256, sizeof(peer.sha256), "%.64s", endless);
        peer.not_after_s = INT64_C(253402300799);
        failure_set(&failure, REASON_TIMEOUT, "%s", endless);
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = 65535};
        memset(&address.sin6_addr, 0xfe, sizeof(address.sin6_addr));
        struct audit_record record = {
            .event = AUDIT_HANDSHAKE_FAILED,
            .rule = endless,
            .mode = "permissive",
            .identity = endless,
            .has_direction = true,
            .local = (const struct sockaddr *)&address,
            .remote = (const struct sockaddr *)&address,
            .dialled_name = endless,
            .peer = &peer,
            .version = endless,
            .cipher = endless,
            .group = endless,
            .duration_ms = INT64_MAX,
            .bytes_in = INT64_MAX,
            .bytes_out = INT64_MAX,
            .failure = &failure,
            .own_serial = endless,
        };
        const struct policy policy = {
            .log = POLICY_LOG_FILE, .log_path = path, .log_level = POLICY_LEVEL_INFO};
        unlink(path);
        assert_int_equal(audit_open(&policy, endless, endless, &io), 0);
        audit_write(&record);
        const char *line = last_line(text(), 1);
        static const char *const keys[] = {
            "time",           "program",     "service",  "rule",         "remote",
            "dialled_name",   "reason",      "detail",   "peer_subject", "peer_san",
            "peer_serial",    "peer_sha256", "issuer",   "own_serial",   "version",
            "peer_not_after", "identity",    "mode",     "cipher",       "group",
            "duration_ms",    "bytes_in",    "bytes_out"};
        for (size_t j = 0; j < COUNT(keys); j++) {
            char key[40];
            snprintf(key, sizeof(key), "\"%s\":", keys[j]);
            must_have(line, key);
        }
    }
}

static void
levels(void **state)
{
    (void)state;
    static const struct {
        enum audit_event event;
        const char *name;
        enum policy_log_level level;
    } cases[] = {
        {AUDIT_POLICY_LOADED, "policy_loaded", POLICY_LEVEL_INFO},
        {AUDIT_HANDSHAKE_OK, "handshake_ok", POLICY_LEVEL_INFO},
        {AUDIT_HANDSHAKE_FAILED, "handshake_failed", POLICY_LEVEL_WARNING},
        {AUDIT_DENIED, "denied", POLICY_LEVEL_WARNING},
        {AUDIT_PLAINTEXT, "plaintext", POLICY_LEVEL_INFO},
        {AUDIT_CLOSED, "closed", POLICY_LEVEL_INFO},
        {AUDIT_OBSERVED, "observed", POLICY_LEVEL_INFO},
        {AUDIT_WARNING, "warning", POLICY_LEVEL_WARNING},
    };
    for (int level = POLICY_LEVEL_ERROR; level <= POLICY_LEVEL_DEBUG; level++) {
        unlink(path);
        assert_int_equal(open_log(POLICY_LOG_FILE, (enum policy_log_level)level), 0);
        int count = 0;
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct audit_record record = AUDIT_RECORD_INIT;
            char event[60];
            record.event = cases[i].event;
            audit_write(&record);
            if ((int)cases[i].level <= level) {
                snprintf(event, sizeof(event), "\"event\":\"%s\",\"level\":\"%s\"",
                         cases[i].name,
                         cases[i].level == POLICY_LEVEL_INFO ? "info" : "warning");
                must_have(last_line(text(), ++count), event);
            }
        }
        assert_int_equal(count, level <= POLICY_LEVEL_ERROR     ? 0
                                : level == POLICY_LEVEL_WARNING ? 3
                                                                : 8);
    }
}

static void
environment(void **state)
{
    (void)state;
    char other[120];
    snprintf(other, sizeof(other), "%s.other", path);
    unlink(path);
    setenv("MTLS_SHIM_LOG", other, 1);
    setenv("MTLS_SHIM_LOG_LEVEL", "warning", 1);
    assert_int_equal(open_log(POLICY_LOG_NONE, POLICY_LEVEL_ERROR), 0);
    put_warning("here");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rename(other, path), 0);
    must_have(last_line(text(), 1), "here");

    setenv("MTLS_SHIM_LOG", "none", 1);
    unlink(path);
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), 0);
    put_warning("nowhere");
    assert_int_equal(access(path, F_OK), -1);

    setenv("MTLS_SHIM_LOG", "", 1);
    setenv("MTLS_SHIM_LOG_LEVEL", "", 1);
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), 0);
    put_warning("by the policy");
    last_line(text(), 1);
    setenv("MTLS_SHIM_LOG_LEVEL", "loud", 1);
    assert_int_equal(open_log(POLICY_LOG_FILE, POLICY_LEVEL_INFO), -EINVAL);
    unsetenv("MTLS_SHIM_LOG");
    unsetenv("MTLS_SHIM_LOG_LEVEL");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field),  cmocka_unit_test(absent_fields),
        cmocka_unit_test(escapes),      cmocka_unit_test(small_rooms),
        cmocka_unit_test(numbers),      cmocka_unit_test(times),
        cmocka_unit_test(bounded_line), cmocka_unit_test(levels),
        cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
