/* Single values: durations, numbers, names of hosts, globs, and what a good policy holds.
 */
#include "config/glob.h"
#include "config/host.h"
#include "config/value.h"
#include "tests/lib/policy_text.h"

#include <stdlib.h>

static void
durations(void **state)
{
    static const struct {
        const char *input;
        int64_t want; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"0ms", 0},
        {"500ms", 500},
        {"10s", 10000},
        {"2m", 120000},
        {"1h", 3600000},
        {"14d", 1209600000},
        {"007s", 7000},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", -1},
        {"106751991168d", -1},
        {"99999999999999999999s", -1},
        {"", -1},
        {"10", -1},
        {"s", -1},
        {"ms", -1},
        {"-1s", -1},
        {"+1s", -1},
        {"1.5s", -1},
        {"1 s", -1},
        {" 1s", -1},
        {"1s ", -1},
        {"1S", -1},
        {"1sec", -1},
        {"1m30s", -1},
        {"0x1s", -1},
        {"soon", -1},
        {"00", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = -1;

        if (value_duration(cases[i].input, &got) != (cases[i].want >= 0) ||
            got != cases[i].want) {
            fail_msg("'%s': got %lld", cases[i].input, (long long)got);
        }
    }
}

static void
numbers(void **state)
{
    static const struct {
        const char *input;
        uint64_t max;
        int64_t want; /* -1: refused */
    } cases[] = {
        {"0", 9, 0},
        {"9", 9, 9},
        {"10", 10, 10},
        {"11", 10, -1},
        {"32", 32, 32},
        {"33", 32, -1},
        {"65535", 65535, 65535},
        {"65536", 65535, -1},
        {"655350", 65535, -1},
        {"", 9, -1},
        {"1a", 99, -1},
        {"-1", 99, -1},
        {"99999999999999999999", UINT64_MAX, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t got = 77;
        bool good =
            value_number(cases[i].input, strlen(cases[i].input), cases[i].max, &got);

        if (good != (cases[i].want >= 0) ||
            got != (good ? (uint64_t)cases[i].want : 77)) {
            fail_msg("'%s': got %llu", cases[i].input, (unsigned long long)got);
        }
    }
}

static void
hosts(void **state)
{
#define L63 "a23456789012345678901234567890123456789012345678901234567890123"
    static const struct {
        const char *input;
        bool globs;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"db.internal", false, "db.internal"},
        {"DB.Internal.", false, "db.internal"},
        {"a_b-c.1", false, "a_b-c.1"},
        {"x", false, "x"},
        {"*.a", true, "*.a"},
        {"d?.*", true, "d?.*"},
        {"*.a", false, NULL},
        {"", false, NULL},
        {".", false, NULL},
        {".a", false, NULL},
        {"a..b", false, NULL},
        {"a..", false, NULL},
        {"a b", false, NULL},
        {"a/b", true, NULL},
        {"b\xc3\xbc", true, NULL},
        {L63, false, L63},
        {L63 "x", false, NULL},
        {L63 "." L63 "." L63 "." L63, false, NULL}, /* 255 */
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got =
            host_copy(arena, cases[i].input, strlen(cases[i].input), cases[i].globs);

        if ((got == NULL) != (cases[i].want == NULL) ||
            (got != NULL && strcmp(got, cases[i].want) != 0)) {
            fail_msg("'%s': got %s", cases[i].input, got != NULL ? got : "nothing");
        }
    }
    arena_free(arena);
}

static void
globs(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool want;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "any/thing", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"a", "a", true},
        {"a", "A", false},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"a*c", "abc", true},
        {"a*c", "ac", true},
        {"a*c", "acb", false},
        {"a*b*c", "aXbYbZc", true},
        {"*ab", "aab", true},
        {"*aab", "aaab", true},
        {"a*a", "a", false},
        {"**", "x", true},
        {"a**b", "ab", true},
        {"*?", "", false},
        {"*?", "x", true},
        {"?*?", "x", false},
        {"?*?", "xy", true},
        {"/usr/*/x", "/usr/a/b/x", true},
        {"/usr/*", "/usr", false},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"\\*", "*", false},
        {"*.internal", "db.internal", true},
        {"*.internal", "internal", false},
        {"*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (policy_glob(cases[i].pattern, cases[i].text) != cases[i].want) {
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
        }
    }
    assert_true(glob_host("*.internal", "DB.INTERNAL"));
    assert_true(glob_host("*.internal", "db.internal."));
    assert_false(glob_host("*.internal", "db.internal.."));
    assert_false(glob_host("*.internal", "db.internal.org"));
    assert_false(glob_host("a", ""));
}

/* ---- what a policy holds -------------------------------------------------------------
 */

static void
defaults(void **state)
{
    struct policy *policy = policy_text_good(
        "[shim]\ndefault_inbound=deny\ndefault_outbound=plaintext\n" POLICY_TEXT_IDENTITY
        "[outbound a]\nmode=mtls\nidentity=own\n[inbound a]\nmode=mtls\nidentity=own\n");

    (void)state;
    assert_int_equal(policy->log, POLICY_LOG_NONE);
    assert_null(policy->log_path);
    assert_int_equal(policy->log_level, POLICY_LEVEL_INFO);
    assert_int_equal(policy->handshake_timeout_ms, 10000);
    assert_int_equal(policy->connect_wait_ms, 500);
    assert_true(policy->recheck);
    assert_false(policy->expired_sessions_are_cut);
    assert_int_equal(policy->expiry_warning_ms, INT64_C(14) * 86400000);
    assert_int_equal(policy->identity_count, 1);
    assert_int_equal(policy->identities[0].min_version, 0x0304);
    assert_int_equal(policy->identities[0].max_version, 0x0304);
    assert_null(policy->identities[0].ciphers);
    assert_null(policy->identities[0].groups);
    assert_null(policy->identities[0].passphrase_file);
    assert_int_equal(policy->rule_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        assert_string_equal(rule->name, "a");
        assert_int_equal(rule->direction, i == 0 ? POLICY_OUTBOUND : POLICY_INBOUND);
        assert_int_equal(rule->verify, i == 0 ? POLICY_VERIFY_NAME : POLICY_VERIFY_CHAIN);
        assert_ptr_equal(rule->identity, &policy->identities[0]);
        assert_null(rule->peer_name);
        assert_int_equal(rule->allow_count + rule->deny_count, 0);
        assert_false(rule->truncation_is_eof);
    }
    assert_int_equal(policy->default_inbound.mode, POLICY_MODE_DENY);
    assert_int_equal(policy->default_inbound.direction, POLICY_INBOUND);
    assert_int_equal(policy->default_outbound.mode, POLICY_MODE_PLAINTEXT);
    assert_int_equal(policy->default_outbound.direction, POLICY_OUTBOUND);
    assert_string_equal(policy->default_outbound.name, "default");
    assert_int_equal(policy->default_outbound.line, 0);
    policy_free(policy);
}

static void
everything_given(void **state)
{
    struct policy *policy = policy_text_good(
        "; comment\n# comment\n\n"
        " [ shim ] ; process\n"
        "log=a b.jsonl ; c\n"
        "log_level = debug\n"
        "handshake_timeout = 1m\n"
        "connect_wait = 0\n"
        "recheck = off\nexpired_sessions = cut\nexpiry_warning = 36h\n"
        "default_inbound = plaintext\n"
        "default_outbound = deny\n"
        "[identity\tother-1]\n"
        "certificate = /abs/c.pem\n"
        "private_key = sub/k.pem\n"
        "passphrase_file = ../p\n"
        "trust = t;t#t\n"
        "ocsp = off\n"
        "min_version = 1.2\n"
        "ciphers =\n"
        "   TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
        "; comment in between\n"
        "\tTLS_AES_128_GCM_SHA256\n"
        "[outbound x]\n"
        "mode = observe\n"
        "identity = other-1\n"
        "peer_name = DB.Internal.\n"
        "verify = identity\n"
        "truncation = eof\n"
        "allow = dns:*.DB.internal., uri:spiffe://Corp/ns/*, cn: db ?, ou:A=B\n"
        "    sha256:AA:bb:00112233445566778899aabbccddeeff00112233445566778899aabbccdd,\n"
        "    o: Corp *, issuer:CN=ca?O=A:B,\n"
        "    spki:AA:bb:00112233445566778899aabbccddeeff00112233445566778899aabbccdd\n"
        "deny = serial:00:0A:bC, serial:0\n"
        "[inbound y]\n"
        "mode = permissive\n"
        "identity = other-1\n"
        "permissive_wait = 2s\n");
    const struct policy_identity *identity = &policy->identities[0];
    const struct policy_rule *rule = &policy->rules[0];
    static const struct policy_peer want[] = {
        {POLICY_PEER_DNS, "*.db.internal"},
        {POLICY_PEER_URI, "spiffe://Corp/ns/*"},
        {POLICY_PEER_CN, "db ?"},
        {POLICY_PEER_OU, "A=B"},
        {POLICY_PEER_SHA256,
         "aabb00112233445566778899aabbccddeeff00112233445566778899aabbccdd"},
        {POLICY_PEER_O, "Corp *"},
        {POLICY_PEER_ISSUER, "CN=ca?O=A:B"},
        {POLICY_PEER_SPKI,
         "aabb00112233445566778899aabbccddeeff00112233445566778899aabbccdd"},
        {POLICY_PEER_SERIAL, "abc"},
        {POLICY_PEER_SERIAL, "0"},
    };

    (void)state;
    assert_int_equal(policy->log, POLICY_LOG_FILE);
    assert_string_equal(policy->log_path, "/proc/self/fd/a b.jsonl");
    assert_int_equal(policy->log_level, POLICY_LEVEL_DEBUG);
    assert_int_equal(policy->handshake_timeout_ms, 60000);
    assert_int_equal(policy->connect_wait_ms, 0);
    assert_false(policy->recheck);
    assert_true(policy->expired_sessions_are_cut);
    assert_int_equal(policy->expiry_warning_ms, 36 * 3600000);
    assert_int_equal(policy->default_inbound.mode, POLICY_MODE_PLAINTEXT);
    assert_int_equal(policy->default_outbound.mode, POLICY_MODE_DENY);
    assert_string_equal(identity->name, "other-1");
    assert_int_equal(identity->line, 14);
    assert_string_equal(identity->certificate, "/abs/c.pem");
    assert_string_equal(identity->private_key, "/proc/self/fd/sub/k.pem");
    assert_string_equal(identity->passphrase_file, "/proc/self/fd/../p");
    assert_string_equal(identity->trust, "/proc/self/fd/t;t#t");
    assert_int_equal(identity->certificate_line, 15);
    assert_int_equal(identity->private_key_line, 16);
    assert_int_equal(identity->passphrase_file_line, 17);
    assert_int_equal(identity->trust_line, 18);
    assert_int_equal(identity->min_version, 0x0303);
    assert_int_equal(identity->max_version, 0x0304);
    assert_string_equal(identity->ciphers[0], "TLS_AES_256_GCM_SHA384");
    assert_string_equal(identity->ciphers[1], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_string_equal(identity->ciphers[2], "TLS_AES_128_GCM_SHA256");
    assert_null(identity->ciphers[3]);
    assert_int_equal(rule->mode, POLICY_MODE_OBSERVE);
    assert_int_equal(rule->line, 25);
    assert_ptr_equal(rule->identity, identity);
    assert_string_equal(rule->peer_name, "db.internal");
    assert_int_equal(rule->verify, POLICY_VERIFY_IDENTITY);
    assert_true(rule->truncation_is_eof);
    assert_int_equal(rule->allow_count, 8);
    assert_int_equal(rule->deny_count, 2);
    assert_int_equal(policy->rules[1].mode, POLICY_MODE_PERMISSIVE);
    assert_ptr_equal(policy->rules[1].identity, identity);
    assert_int_equal(policy->rules[1].permissive_wait_ms, 2000);
    assert_int_equal(rule->permissive_wait_ms, 300);
    for (size_t i = 0; i < 10; i++) {
        const struct policy_peer *peer = i < 8 ? &rule->allow[i] : &rule->deny[i - 8];

        assert_int_equal(peer->kind, want[i].kind);
        assert_string_equal(peer->text, want[i].text);
    }
    policy_free(policy);
}

/* A rule that is switched off keeps its keys, but gets no identity. */
static void
keys_without_effect(void **state)
{
    static const char *const modes[] = {"plaintext", "deny"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        struct policy *policy;

        snprintf(text, sizeof(text),
                 POLICY_TEXT_HEAD POLICY_TEXT_IDENTITY
                 "[outbound a]\nmode=%s\nidentity=own\nallow=dns:a\nverify=identity\n",
                 modes[i]);
        policy = policy_text_good(text);
        assert_string_equal(policy_mode_name(policy->rules[0].mode), modes[i]);
        assert_null(policy->rules[0].identity);
        policy_free(policy);
    }
}

static void
logs(void **state)
{
    static const struct {
        const char *input;
        enum policy_log want;
    } cases[] = {{"none", POLICY_LOG_NONE},
                 {"stderr", POLICY_LOG_STDERR},
                 {"syslog", POLICY_LOG_SYSLOG},
                 {"journald", POLICY_LOG_JOURNALD},
                 {"./stderr", POLICY_LOG_FILE}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct policy *policy;

        snprintf(text, sizeof(text), POLICY_TEXT_HEAD "log=%s\n", cases[i].input);
        policy = policy_text_good(text);
        assert_int_equal(policy->log, cases[i].want);
        assert_int_equal(policy->log_path != NULL, cases[i].want == POLICY_LOG_FILE);
        policy_free(policy);
    }
}

static void
log_rates(void **state)
{
    static const struct {
        const char *input;
        int64_t want;
    } cases[] = {{"", 100},
                 {"log_rate=0\n", 0},
                 {"log_rate=7/s\n", 7},
                 {"log_rate=1000000/s\n", 1000000}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct policy *policy;

        snprintf(text, sizeof(text), POLICY_TEXT_HEAD "%s", cases[i].input);
        policy = policy_text_good(text);
        assert_int_equal(policy->log_rate, cases[i].want);
        policy_free(policy);
    }
}

/* A short timeout takes the default of connect_wait with it. */
static void
wait_within_the_timeout(void **state)
{
    struct policy *policy =
        policy_text_good(POLICY_TEXT_HEAD "handshake_timeout=100ms\n");

    (void)state;
    assert_int_equal(policy->connect_wait_ms, 100);
    policy_free(policy);
}

static void
names(void **state)
{
    (void)state;
    assert_string_equal(policy_mode_name(POLICY_MODE_PERMISSIVE), "permissive");
    assert_string_equal(policy_mode_name((enum policy_mode)99), "?");
    assert_string_equal(policy_peer_kind_name(POLICY_PEER_SERIAL), "serial");
    assert_string_equal(policy_peer_kind_name((enum policy_peer_kind)99), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(numbers),
        cmocka_unit_test(hosts),
        cmocka_unit_test(globs),
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything_given),
        cmocka_unit_test(keys_without_effect),
        cmocka_unit_test(logs),
        cmocka_unit_test(log_rates),
        cmocka_unit_test(wait_within_the_timeout),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
