/* What the log is told of a certificate, whatever it contains. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shim/session/peer.h"
#include "shim/session/peer_der.h"
#include "tests/lib/der.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *subject, *want;
} subject_cases[] = {
    {"", ""},
    {"CN=web", "CN=web"},
    {"O=Corp|CN=web", "CN=web,O=Corp"},
    {"C#13=DE|O=Corp|OU=a|OU=b|CN=web", "CN=web,OU=b,OU=a,O=Corp,C=DE"},
    {"CN=a,O=b", "CN=a\\,O=b"},
    {"CN=\"+,;<>\\", "CN=\\\"\\+\\,\\;\\<\\>\\\\"},
    {"CN=_a_b_", "CN=\\ a b\\ "},
    {"CN=#a#", "CN=\\#a#"},
    {"CN=a@b~", "CN=a\\00b\\1b"},
    {"CN=b\xc3\xa4r", "CN=b\xc3\xa4r"},
    {"CN=b\xe4r\xc3", "CN=b\\e4r\\c3"},
    {"CN=\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80",
     "CN=\\ed\\a0\\80\\f4\\90\\80\\80\\c0\\80"},
    {"CN=\xe2\x80\xae", "CN=\\e2\\80\\ae"}, /* right-to-left override */
    {"CN=\xc2\x85", "CN=\\c2\\85"},
    {"CN=\xf0\x9f\x98\x80", "CN=\xf0\x9f\x98\x80"},
    {"CN#1e=@d\x20\xac", "CN=d\xe2\x82\xac"},
    {"CN#1e=\xd8@@d", "CN=\\d8\\00\\64"}, /* half a pair */
    {"CN#04=ab", "CN=#04026162"},
    {"?=ab", "1.2.3.2047=#0c026162"},
};

static void
describe(const struct der_certificate *certificate, struct peer *peer)
{
    struct der der;
    der_make(&der, certificate);
    memset(peer, 0xff, sizeof(*peer));
    peer_describe(der.bytes, der.len, peer);
}

static void
described_subjects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(subject_cases); i++) {
        struct der_certificate certificate = {.subject = subject_cases[i].subject,
                                              .issuer = subject_cases[i].subject};
        struct peer peer;
        describe(&certificate, &peer);
        assert_string_equal(peer.subject, subject_cases[i].want);
        assert_string_equal(peer.issuer, subject_cases[i].want);
    }
}

static const struct {
    const char *san, *want;
} san_cases[] = {
    {NULL, ""},
    {"", ""},
    {"D:a U:spiffe://b I:10.0.0.1 I:2001:db8::1 E:x@y",
     "DNS:a, URI:spiffe://b, IP:10.0.0.1, IP:2001:db8::1, email:x@y"},
    {"D:a,_URI:b\\", "DNS:a\\,\\ URI:b\\\\"},
    {"D:a@b~\xc3\xa4", "DNS:a\\00b\\1b\\c3\\a4"},
    {"I:abc D:", "IP:#616263, DNS:"},
};

static void
described_alternative_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(san_cases); i++) {
        struct der_certificate certificate = {.subject = "CN=x", .san = san_cases[i].san};
        struct peer peer;
        describe(&certificate, &peer);
        assert_string_equal(peer.san, san_cases[i].want);
    }
}

static const struct {
    const char *serial;
    size_t len;
    const char *want;
} serial_cases[] = {
    {TEXT("\x12\x34"), "1234"},
    {TEXT("\x00\xab\x0c"), "ab0c"},
    {TEXT("\x05"), "5"},
    {TEXT("\x00"), "0"},
    {TEXT("\x7f\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11"
          "\x12"),
     "7fff0102030405060708090a0b0c0d0e0f101112"},
};

static void
described_serials(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(serial_cases); i++) {
        struct der_certificate certificate = {.serial = serial_cases[i].serial,
                                              .serial_len = serial_cases[i].len};
        struct peer peer;
        describe(&certificate, &peer);
        assert_string_equal(peer.serial, serial_cases[i].want);
    }
}

static void
long_names_are_cut(void **state)
{
    (void)state;
    char subject[2000];
    char san[4000] = "";
    memset(subject, 'a', sizeof(subject));
    memcpy(subject, "O=Corp|CN=", 10);
    subject[sizeof(subject) - 1] = '\0';
    for (int i = 0; i < 100; i++) {
        snprintf(san + strlen(san), 40, "D:host-%d.internal.example ", i);
    }
    struct der_certificate certificate = {
        .subject = subject, .issuer = subject, .san = san};
    struct peer peer;
    describe(&certificate, &peer);
    assert_int_equal(strlen(peer.subject), PEER_SUBJECT_LEN - 1);
    assert_string_equal(peer.subject + PEER_SUBJECT_LEN - 4, "...");
    assert_int_equal(strlen(peer.issuer), PEER_ISSUER_LEN - 1);
    assert_string_equal(peer.san + strlen(peer.san) - 3, "...");

    /* A character is not torn. */
    for (size_t i = 10; i + 1 < sizeof(subject) - 1; i += 2) {
        memcpy(subject + i, "\xc3\xa4", 2);
    }
    describe(&certificate, &peer);
    size_t len = strlen(peer.subject);
    assert_string_equal(peer.subject + len - 5, "\xc3\xa4...");

    char many[4000] = "";
    for (int i = 0; i < 100; i++) {
        snprintf(many + strlen(many), 20, "O=%d|", i);
    }
    certificate.subject = many;
    describe(&certificate, &peer);
    assert_memory_equal(peer.subject, "O=99,O=98,", 10);
    assert_string_equal(peer.subject + strlen(peer.subject) - 4, ",...");
}

/* One that OpenSSL made, with an RDN of two values, which wolfSSL does not know. */
static void
described_as_openssl_does(void **state)
{
    (void)state;
    static uint8_t der[4096];
    FILE *file = fopen("tests/fuzz/corpus/peer/openssl-multi-valued.der", "rb");
    assert_non_null(file);
    size_t len = fread(der, 1, sizeof(der), file);
    fclose(file);
    struct peer peer;
    struct failure failure;
    const struct policy_rule rule = {.direction = POLICY_INBOUND};
    assert_int_equal(peer_judge(der, len, &rule, NULL, &peer, &failure), -EPROTO);
    assert_int_equal(failure.reason, REASON_BAD_CERTIFICATE);
    assert_string_equal(peer.subject, "CN=web,emailAddress=a@b,OU=M\xc3\xbcller,"
                                      "OU=a,OU=x+O=Corp\\, Inc,DC=org");
    assert_string_equal(peer.san,
                        "DNS:a.test, DNS:*.b.test, URI:spiffe://b/x, IP:10.0.0.1, "
                        "IP:::1, email:x@y");
    assert_string_equal(peer.serial, "39dfa5d6b83446fe8d9310a47886fa6eeb0eaf2a");
    assert_string_equal(
        peer.sha256, "bd50a617182ed95612ec010d60b581608eb2f3dd5266b3ab8371114584f1691c");
}

static void
must_be_text(const char *text, size_t size)
{
    assert_non_null(memchr(text, '\0', size));
    for (; *text != '\0'; text++) {
        assert_true((unsigned char)*text >= ' ' && *text != 0x7f);
    }
}

static void
bear(const uint8_t *der, size_t len, bool may_be_good)
{
    const struct policy_peer entries[] = {{POLICY_PEER_DNS, "*.x"},
                                          {POLICY_PEER_URI, "a:*"},
                                          {POLICY_PEER_CN, "x*"},
                                          {POLICY_PEER_OU, "y*"}};
    const struct policy_rule rule = {.direction = POLICY_OUTBOUND,
                                     .allow = entries,
                                     .allow_count = 4,
                                     .deny = entries + 1,
                                     .deny_count = 3};
    struct peer peer;
    struct failure failure = {0};
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, der, len);
    memset(&peer, 0xff, sizeof(peer));
    int result = peer_judge(copy, len, &rule, "a.x", &peer, &failure);
    assert_true(result == -EPROTO || (may_be_good && (result == 0 || result == -EACCES)));
    assert_true((result == 0) == (failure.reason == REASON_NONE));
    must_be_text(peer.subject, sizeof(peer.subject));
    must_be_text(peer.issuer, sizeof(peer.issuer));
    must_be_text(peer.san, sizeof(peer.san));
    must_be_text(peer.serial, sizeof(peer.serial));
    must_be_text(peer.sha256, sizeof(peer.sha256));
    free(copy);
}

static void
malformed(void **state)
{
    (void)state;
    struct der_certificate certificate = {.subject = "O=Corp|OU=ops|CN=web",
                                          .issuer = "CN=ca",
                                          .san = "D:a.x D:*.b.x U:a:b I:10.0.0.1 E:q@z",
                                          .purposes = "sc",
                                          .usage = "\x07\x80",
                                          .usage_len = 2};
    struct der der;
    der_make(&der, &certificate);
    bear(der.bytes, der.len, true);
    for (size_t len = 0; len < der.len; len++) {
        bear(der.bytes, len, false);
    }
    static const uint8_t values[] = {0,    1,    0x1f, 0x30, 0x7f,
                                     0x80, 0x81, 0x82, 0x84, 0xff};
    for (size_t i = 0; i < der.len; i++) {
        uint8_t was = der.bytes[i];
        for (size_t j = 0; j < COUNT(values); j++) {
            der.bytes[i] = values[j];
            bear(der.bytes, der.len, true);
        }
        der.bytes[i] = was;
    }
    memcpy(der.bytes + der.len, "\x05\x00", 2);
    bear(der.bytes, der.len + 2, false);
    certificate.san_count = 1; /* the extension twice */
    der_make(&der, &certificate);
    bear(der.bytes, der.len, false);
    struct peer_parts parts; /* not only because wolfSSL refuses it */
    assert_false(peer_der_certificate((struct der_span){der.bytes, der.len}, &parts));
    struct peer peer;
    peer_describe(NULL, 0, &peer);
    assert_string_equal(peer.sha256, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(described_subjects),
        cmocka_unit_test(described_alternative_names),
        cmocka_unit_test(described_serials),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(described_as_openssl_does),
        cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
