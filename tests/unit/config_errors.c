/* What is wrong with a policy: every problem, each with its line. */
#include "tests/lib/policy_text.h"

#include <stdlib.h>

#define HEAD POLICY_TEXT_HEAD                     /* 3 lines */
#define OWN POLICY_TEXT_HEAD POLICY_TEXT_IDENTITY /* 7 lines */
#define OUT OWN "[outbound db]\n"                 /* 8 lines */
#define IN OWN "[inbound web]\n"                  /* 8 lines */
#define MTLS "mode=mtls\nidentity=own\n"          /* 2 more */
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
#define HEX63 "012345678901234567890123456789012345678901234567890123456789012"

/* want: the problems in order, a line each; "12 words": the line and what the text holds
 */
static const struct {
    const char *name;
    const char *input;
    const char *want;
} cases[] = {
    /* the form of the file */
    {"empty", "", "0 default_inbound\n0 default_outbound\n"},
    {"no section", "log=none\n" HEAD, "1 'log' before the first section\n"},
    {"unknown section", HEAD "[upbound a]\nmode=x\n", "4 [upbound a]\n"},
    {"section without a name", HEAD "[identity]\n", "4 no name\n"},
    {"name of shim", "[shim x]\n",
     "1 has no name\n0 default_inbound\n0 default_outbound\n"},
    {"name with a slash", HEAD "[outbound a/b]\nmode=x\n", "4 'a/b'\n"},
    {"name of two words", HEAD "[outbound a b]\n", "4 'a b'\n"},
    {"name that is long", HEAD "[inbound " X50 "]\nmode=deny\n", "4 up to 40\n"},
    {"name that inih would cut", HEAD "[inbound " X50 X50 "]\nmode=deny\n",
     "4 up to 40\n"},
    {"name that is taken", HEAD "[inbound default]\nmode=deny\n", "4 'default'\n"},
    {"header that is not closed", HEAD "[inbound a\nmode=deny\n", "4 header\n"},
    {"header with more behind it", HEAD "[inbound a] b\nmode=x\n", "4 header\n"},
    {"header with nothing in it", HEAD "[]\nmode=x\n", "4 header\n"},
    {"header that is too long", HEAD "[inbound " X200 "]\nmode=deny\n",
     "4 too long: 210\n"},
    {"section again", HEAD "[inbound a]\nmode=deny\n[inbound a]\nmode=x\n",
     "6 [inbound a] again: the first is in line 4\n"},
    {"shim again", HEAD "[shim]\nlog=none\n", "4 [shim] again\n"},
    {"unknown key", HEAD "[inbound a]\nmodus=deny\n", "4 mode is missing\n5 'modus'\n"},
    {"key in capitals", HEAD "[inbound a]\nMode=deny\n", "4 mode is missing\n5 'Mode'\n"},
    {"key of another section", HEAD "log=none\nmode=deny\n",
     "5 belongs in [rule], not in [shim]\n"},
    {"key again", HEAD "[inbound a]\nmode=deny\nmode=deny\n",
     "6 'mode' again: the first is in line 5\n"},
    {"no equals sign", HEAD "log none\n", "4 KEY = VALUE\n"},
    {"a colon for the equals sign", HEAD "log: none\n", "4 KEY = VALUE\n"},
    {"an equals sign in the comment", HEAD "log ; = none\n", "4 KEY = VALUE\n"},
    {"no key", HEAD "= none\n", "4 no key\n"},
    {"a rate without its unit", HEAD "log_rate=5\n",
     "4 log_rate: '5': want 1/s to 1000000/s, or 0 for no limit\n"},
    {"a rate a minute", HEAD "log_rate=5/m\n",
     "4 log_rate: '5/m': want 1/s to 1000000/s, or 0 for no limit\n"},
    {"too high a rate", HEAD "log_rate=1000001/s\n",
     "4 log_rate: '1000001/s': want 1/s to 1000000/s, or 0 for no limit\n"},
    {"no rate", HEAD "log_rate=/s\n",
     "4 log_rate: '/s': want 1/s to 1000000/s, or 0 for no limit\n"},
    {"no value", HEAD "log =\n", "4 log: no value\n"},
    {"only a comment for a value", HEAD "log = ; none\n", "4 log: no value\n"},
    {"long line", HEAD "log=" X200 "\n", "4 too long: 204 bytes, at most 197\n"},
    {"long line and what goes on with it",
     OUT "mode=deny\nremote=" X200 "\n  *:x\nuser=1\n", "10 too long\n"},
    {"NUL is a case of its own", HEAD "\x01\n", "4 control character\n"},
    {"escape", HEAD "log=\x1b[0m\n", "4 control character\n"},
    {"an indented line for one value", HEAD "log=none\n  stderr\n",
     "5 'log' has only one\n"},
    {"an indented key", OUT "  mode=deny\n  user=a\n", "10 'mode' has only one\n"},
    {"all problems at once",
     "[shim]\nx=1\nlog_level=loud\n[a]\n[inbound b]\nmode=c\nuser=\n",
     "1 default_inbound\n1 default_outbound\n2 'x'\n3 'loud'\n4 [a]\n6 'c'\n"
     "7 user: no value\n"},

    /* [shim] */
    {"no default_inbound", "[shim]\ndefault_outbound=deny\n", "1 default_inbound\n"},
    {"no default_outbound", "\n[shim]\ndefault_inbound=deny\n", "2 default_outbound\n"},
    {"default is mtls", "[shim]\ndefault_inbound=mtls\ndefault_outbound=deny\n",
     "2 'mtls' is not known: want plaintext or deny\n"},
    {"log level", HEAD "log_level=loud\n", "4 'loud'\n"},
    {"duration", HEAD "handshake_timeout=soon\n", "4 'soon': want a duration\n"},
    {"duration without a unit", HEAD "handshake_timeout=10\n",
     "4 '10': want a duration\n"},
    {"timeout too short", HEAD "handshake_timeout=99ms\n", "4 from 100ms to 10m\n"},
    {"timeout too long", HEAD "handshake_timeout=601s\n", "4 from 100ms to 10m\n"},
    {"wait longer than the timeout", HEAD "connect_wait=5s\nhandshake_timeout=4s\n",
     "4 from 0 to handshake_timeout\n"},
    {"metrics", HEAD "metrics_dir=\n", "4 metrics_dir: no value\n"},
    {"recheck", HEAD "recheck=1h\n", "4 '1h' is not known: want on or off\n"},
    {"expired sessions", HEAD "expired_sessions=close\n",
     "4 'close' is not known: want keep or cut\n"},
    {"expiry warning", HEAD "expiry_warning=14\n", "4 '14': want a duration\n"},
    {"expiry warning too early", HEAD "expiry_warning=3651d\n", "4 from 0 to 3650d\n"},

    /* [identity] */
    {"empty identity", HEAD "[identity a]\n",
     "4 certificate is missing\n4 private_key is missing\n4 trust is missing\n"},
    {"no trust", HEAD "[identity a]\ncertificate=c\nprivate_key=k\n",
     "4 trust is missing\n"},
    {"PKCS#12 and others", HEAD "[identity a]\npkcs12=p\ncertificate=c\nprivate_key=k\n",
     "4 trust is missing\n6 certificate: pkcs12\n7 private_key: pkcs12\n"},
    {"expired CRL", OWN "crl=x\ncrl_expired=allow\n",
     "9 'allow' is not known: want refuse or warn\n"},
    {"expired CRL without CRL", OWN "crl_expired=warn\n", "8 there is no crl\n"},
    {"OCSP, unknown", OWN "ocsp=on\n",
     "8 'on' is not known: want off, soft, require or staple\n"},
    {"OCSP responder without OCSP", OWN "ocsp_responder=http://a\n",
     "8 ocsp_responder: there is no ocsp\n"},
    {"OCSP responder, https", OWN "ocsp=soft\nocsp_responder=https://a\n",
     "9 'https://a': want http://HOST[:PORT][/PATH]\n"},
    {"OCSP time-out", OWN "ocsp=soft\nocsp_timeout=6s\n",
     "9 '6s' is out of bounds: from 50ms to half of handshake_timeout\n"},
    {"OCSP time-out, no duration", OWN "ocsp=soft\nocsp_timeout=soon\n",
     "9 'soon': want a duration\n"},
    {"group", OWN "groups=X25519\n  P-256, secp256r1, x25519\n",
     "9 'secp256r1' is no group\n9 'x25519' is no group\n"},
    {"group again", OWN "groups=X25519 P-256 X25519\n", "8 'X25519' again\n"},
    {"no group", OWN "groups=\n", "8 no value\n"},
    {"signatures", OWN "signature_algorithms=x\n",
     "8 signature_algorithms: 'x' is none that mtls-shim takes\n"},
    {"signatures again", OWN "signature_algorithms=ed25519 ed25519\n",
     "8 signature_algorithms: 'ed25519' again\n"},
    {"versions", OWN "max_version=1.2\n",
     "8 max_version: 1.2 is older than min_version, which is 1.3 unless it is set\n"},
    {"suites too new",
     OWN "min_version=1.2\nmax_version=1.2\nciphers=TLS_AES_128_GCM_SHA256\n",
     "10 ciphers: none of them is for TLS 1.2, and max_version is 1.2\n"},
    {"version", OWN "min_version=1.1\n", "8 '1.1' is not known: want 1.2 or 1.3\n"},
    {"cipher", OWN "ciphers=TLS_AES_128_GCM_SHA256,\n  AES256-SHA\n", "9 'AES256-SHA'\n"},
    {"cipher again", OWN "ciphers=TLS_AES_128_GCM_SHA256 TLS_AES_128_GCM_SHA256\n",
     "8 'TLS_AES_128_GCM_SHA256' again\n"},
    {"ciphers of an older version", OWN "ciphers=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n",
     "8 none of them is for TLS 1.3\n"},

    /* rules */
    {"no mode", OUT "remote=*:1\n", "8 [outbound db]: mode is missing\n"},
    {"mode", OUT "mode=tls\n",
     "9 'tls' is not known: want mtls, plaintext, deny or observe\n"},
    {"mode, inbound", IN "mode=tls\n",
     "9 'tls' is not known: want mtls, permissive, plaintext, deny or observe\n"},
    {"permissive without identity", IN "mode=permissive\n",
     "8 mode = permissive needs an identity\n"},
    {"permissive, outbound", OUT "mode=permissive\n", "9 inbound rules only\n"},
    {"permissive wait", IN MTLS "permissive_wait=1\n",
     "11 permissive_wait: '1': want a duration\n"},
    {"permissive wait, too long", IN MTLS "permissive_wait=61s\n",
     "11 '61s' is out of bounds: from 0 to 1m\n"},
    {"permissive wait, outbound", OUT MTLS "permissive_wait=1s\n",
     "11 belongs in [inbound]\n"},
    {"no identity", OUT "mode=mtls\n", "8 needs an identity\n"},
    {"unknown identity", OUT "mode=mtls\nidentity=other\n", "10 [identity other]\n"},
    {"unknown identity, not needed", OUT "mode=deny\nidentity=other\n",
     "10 [identity other]\n"},
    {"verify", OUT MTLS "verify=none\n",
     "11 'none' is not known: want name, identity or chain\n"},
    {"verify by name, inbound", IN MTLS "verify=name\n", "11 outbound rules only\n"},
    {"verify by nothing", OUT MTLS "verify=identity\n", "11 needs allow\n"},
    {"peer name, inbound", IN MTLS "peer_name=a\n", "11 belongs in [outbound]\n"},
    {"peer name", OUT MTLS "peer_name=*.a\n", "11 '*.a'\n"},
    {"peer name that is half an address", OUT MTLS "peer_name=10.0.0\n", "11 '10.0.0'\n"},
    {"truncation", OUT MTLS "truncation=ignore\n", "11 want error or eof\n"},
    {"program", OUT MTLS "program=nginx\n", "11 'nginx'\n"},
    {"user", OUT MTLS "user=4294967296\n", "11 '4294967296'\n"},
    {"remote", OUT MTLS "remote=*:1,\n  *:x,\n  *:2, *:65536\n",
     "12 '*:x'\n13 '*:65536'\n"},
    {"an indented key as an address", OUT "remote=*:1\n  mode=deny\n",
     "8 mode is missing\n10 'mode=deny'\n"},
    {"name in local", OUT MTLS "local=a:1\n", "11 a name cannot stand here\n"},
    {"name in remote, inbound", IN MTLS "remote=a:1\n", "11 a name cannot stand here\n"},
    {"nothing before a comma", OUT MTLS "remote=*:1,, *:2\n",
     "11 nothing before a comma\n"},
    {"only a comma", OUT MTLS "remote=,\n", "11 nothing before\n11 no value\n"},

    /* allow and deny */
    {"kind", OUT MTLS "allow=ip:10.0.0.1\n", "11 'ip:10.0.0.1'\n"},
    {"no kind", OUT MTLS "allow=db.internal\n", "11 'db.internal'\n"},
    {"a kind alone", OUT MTLS "deny=dns\n", "11 'dns'\n"},
    {"dns", OUT MTLS "allow=dns:a..b, dns:, dns:a b, dns:.a\n", "11\n11\n11\n11\n"},
    {"uri", OUT MTLS "allow=uri:a/b, uri:spiffe:, uri::x\n", "11\n11\n11\n"},
    {"cn", OUT MTLS "allow=cn:, ou:, o:,\n issuer:\n", "11\n11\n11\n12\n"},
    {"spki", OUT MTLS "deny=spki:ab,\n spki:" HEX63 ", spki:" HEX63 "g\n",
     "11 64 hex\n12 64 hex\n12 64 hex\n"},
    {"sha256",
     OUT MTLS "deny=sha256:" HEX63 ",\n sha256:" HEX63 "g,\n sha256:" HEX63 "00\n",
     "11 64 hex\n12 64 hex\n13 64 hex\n"},
    {"serial", OUT MTLS "deny=serial:, serial:0x1, serial:1:, serial:1::2\n",
     "11\n11\n11\n11\n"},
    {"serial that is too long", OUT MTLS "deny=serial:" HEX63 "\n",
     "11 a serial number\n"},
};

/* Takes a line off a text: its number, and the rest of it as words. */
static int
next(const char **text, char words[256])
{
    size_t len = strcspn(*text, "\n");
    char *rest;
    long number;

    assert_true(len < 256);
    memcpy(words, *text, len);
    words[len] = '\0';
    *text += len + ((*text)[len] != '\0' ? 1 : 0);
    number = strtol(words, &rest, 10);
    rest += *rest == ':' ? 1 : 0;
    rest += *rest == ' ' ? 1 : 0;
    memmove(words, rest, strlen(rest) + 1);
    return (int)number;
}

static void
check_problems(const char *name, const char *want, const char *got)
{
    const char *all = got;
    char want_words[256];
    char got_words[256];

    while (*want != '\0') {
        int want_line = next(&want, want_words);
        int got_line;

        if (*got == '\0') {
            fail_msg("%s: missing: %d %s\n%s", name, want_line, want_words, all);
        }
        got_line = next(&got, got_words);
        if (want_line != got_line || strstr(got_words, want_words) == NULL) {
            fail_msg("%s: want %d: %s\n%s", name, want_line, want_words, all);
        }
    }
    if (*got != '\0') {
        fail_msg("%s: not wanted: %s\n%s", name, got, all);
    }
}

static void
every_problem_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_text out;

        if (policy_text_load(&out, cases[i].input) != NULL) {
            fail_msg("%s: accepted", cases[i].name);
        }
        check_problems(cases[i].name, cases[i].want, out.problems);
    }
}

/* The same with CRLF and behind a BOM: no line is counted differently. */
static void
lines_of_other_systems(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_text out;
        char text[4096] = "\xef\xbb\xbf";
        size_t len = 3;

        for (const char *c = cases[i].input; *c != '\0'; c++) {
            if (*c == '\n') {
                text[len++] = '\r';
            }
            text[len++] = *c;
            assert_true(len + 2 < sizeof(text));
        }
        assert_null(policy_text_load_len(&out, text, len));
        check_problems(cases[i].name, cases[i].want, out.problems);
    }
}

static void
no_newline_at_the_end(void **state)
{
    struct policy_text out;

    (void)state;
    policy_free(policy_text_good("[shim]\ndefault_inbound=deny\ndefault_outbound=deny"));
    assert_null(policy_text_load(&out, HEAD "log=none\nx=1"));
    assert_string_equal(out.problems, "5: unknown key 'x' in [shim]\n");
}

static void
binary_files(void **state)
{
    static const char with_nul[] = HEAD "log=none\0\nx=1\n";
    struct policy_text out;
    char bytes[256];

    (void)state;
    assert_null(policy_text_load_len(&out, with_nul, sizeof(with_nul) - 1));
    assert_string_equal(out.problems, "4: holds a NUL byte: not a text file\n");
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)i;
    }
    assert_null(policy_text_load_len(&out, bytes, sizeof(bytes)));
    assert_int_equal(out.report.count, 1);
}

static void
no_file(void **state)
{
    static const struct {
        const char *path;
        const char *want;
    } files[] = {
        {"/nowhere/policy.ini", "0: cannot read the policy: No such file or directory\n"},
        {"/tmp", "0: cannot read the policy: is a directory\n"},
        {"/dev/null", "0: cannot read the policy: is not a regular file\n"},
        {"", "0: cannot read the policy: No such file or directory\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct policy_text out;

        policy_text_init(&out);
        assert_null(policy_load(files[i].path, &out.report));
        assert_string_equal(out.problems, files[i].want);
    }
}

static void
report_to_a_file(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    (void)state;
    policy_report_to_file(file, &(struct policy_problem){"a/b.ini", 12, "bad", 0});
    policy_report_to_file(file, &(struct policy_problem){"c.ini", 0, "worse", 0});
    fclose(file);
    assert_string_equal(text, "a/b.ini:12: bad\nc.ini: worse\n");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_with_its_line),
        cmocka_unit_test(lines_of_other_systems),
        cmocka_unit_test(no_newline_at_the_end),
        cmocka_unit_test(binary_files),
        cmocka_unit_test(no_file),
        cmocka_unit_test(report_to_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
