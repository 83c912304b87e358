/* Who is let in: names, usage, allow and deny, whatever a certificate contains. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shim/session/peer.h"
#include "shim/session/peer_list.h"
#include "tests/lib/der.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(literal) (literal), sizeof(literal) - 1
#define LABEL_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static const struct {
    const char *pattern;
    size_t len;
    const char *name;
    bool want;
} dns_cases[] = {
    {TEXT("db.internal"), "db.internal", true},
    {TEXT("DB.Internal"), "db.iNTERNAL", true},
    {TEXT("db.internal"), "db.internal.", true},
    {TEXT("db.internal."), "db.internal", true},
    {TEXT("localhost"), "localhost", true},
    {TEXT("db_1.internal"), "db_1.internal", true},
    {TEXT("xn--bcher-kva.example"), "xn--bcher-kva.example", true},
    {TEXT("3com.example"), "3com.example", true},
    {TEXT(LABEL_63 ".a"), LABEL_63 ".a", true},
    {TEXT("*.internal"), "db.internal", true},
    {TEXT("*.db.internal"), "a.db.internal", true},
    {TEXT("*.DB.internal."), "A.db.INTERNAL.", true},
    {TEXT("*.db.internal"), "xn--a.db.internal", true},
    /* no part, no more, no other */
    {TEXT("db.internal"), "db", false},
    {TEXT("db"), "db.internal", false},
    {TEXT("db.internal"), "a.db.internal", false},
    {TEXT("a.db.internal"), "db.internal", false},
    {TEXT("db.internal"), "dbxinternal", false},
    {TEXT("db.internal.."), "db.internal", false},
    {TEXT("db.internal"), "db.internal..", false},
    {TEXT(".db.internal"), "db.internal", false},
    {TEXT("db..internal"), "db..internal", false},
    {TEXT(""), "db.internal", false},
    {TEXT(""), "", false},
    {TEXT("."), ".", false},
    {TEXT(" db.internal"), "db.internal", false},
    {TEXT("db.internal "), "db.internal", false},
    {TEXT("db.internal\n"), "db.internal", false},
    {TEXT("db.internal\0"), "db.internal", false},
    {TEXT("db.internal\0.evil.example"), "db.internal", false},
    {TEXT("\0db.internal"), "", false},
    {TEXT("db.int\xc3\xa9rnal"), "db.int\xc3\xa9rnal", false},
    {TEXT(LABEL_63 "4.a"), LABEL_63 "4.a", false},
    /* the wildcard is a whole label, the left-most, and stands for one */
    {TEXT("*.db.internal"), "db.internal", false},
    {TEXT("*.db.internal"), "a.b.db.internal", false},
    {TEXT("*.db.internal"), ".db.internal", false},
    {TEXT("*.db.internal"), "*.db.internal", false},
    {TEXT("*"), "localhost", false},
    {TEXT("*"), "*", false},
    {TEXT("*."), "localhost.", false},
    {TEXT("*.."), "a..", false},
    {TEXT("*.*.internal"), "a.db.internal", false},
    {TEXT("**.db.internal"), "a.db.internal", false},
    {TEXT("a*.db.internal"), "ab.db.internal", false},
    {TEXT("*a.db.internal"), "ba.db.internal", false},
    {TEXT("xn--*.db.internal"), "xn--a.db.internal", false},
    {TEXT("a.*.internal"), "a.db.internal", false},
    {TEXT("db.*"), "db.internal", false},
    {TEXT("?b.internal"), "db.internal", false},
    {TEXT("*.db.internal\0.evil"), "a.db.internal", false},
    /* addresses are no names */
    {TEXT("10.0.0.1"), "10.0.0.1", false},
    {TEXT("*.0.0.1"), "10.0.0.1", false},
    {TEXT("127.1"), "127.1", false},
    {TEXT("0x7f000001"), "0x7f000001", false},
    {TEXT("a.0x7f"), "a.0x7f", false},
    {TEXT("::1"), "::1", false},
    {TEXT("[::1]"), "[::1]", false},
};

static void
dns_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dns_cases); i++) {
        bool got =
            peer_dns_matches(dns_cases[i].pattern, dns_cases[i].len, dns_cases[i].name);
        if (got != dns_cases[i].want) {
            fail_msg("\"%s\" for \"%s\": %d", dns_cases[i].pattern, dns_cases[i].name,
                     got);
        }
    }
    char name[300];
    memset(name, 'a', sizeof(name));
    for (size_t i = 50; i < sizeof(name); i += 50) {
        name[i] = '.';
    }
    name[253] = '\0';
    assert_true(peer_dns_matches(name, 253, name));
    name[253] = 'a';
    name[254] = '\0';
    assert_false(peer_dns_matches(name, 254, name));
}

static int
judge(const struct der_certificate *certificate, const struct policy_rule *rule,
      const char *name, struct peer *peer, struct failure *failure)
{
    struct der der;
    der_make(&der, certificate);
    uint8_t *copy = malloc(der.len); /* of just this size, for ASan */
    assert_non_null(copy);
    memcpy(copy, der.bytes, der.len);
    memset(failure, 0, sizeof(*failure));
    memset(peer, 0xff, sizeof(*peer));
    errno = EXDEV;
    int result = peer_judge(copy, der.len, rule, name, peer, failure);
    assert_int_equal(errno, EXDEV);
    free(copy);
    return result;
}

static const struct {
    const char *san, *name;
    enum reason want;
} name_cases[] = {
    {"D:a.test", "a.test", REASON_NONE},
    {"U:spiffe://x/y D:b.test D:a.test", "A.test.", REASON_NONE},
    {"D:*.test", "a.test", REASON_NONE},
    {"I:10.0.0.1", "10.0.0.1", REASON_NONE},
    {"I:127.0.0.1", "127.1", REASON_NONE},
    {"I:127.0.0.1", "0x7f.0.0.1", REASON_NONE},
    {"I:10.0.0.1", "::ffff:10.0.0.1", REASON_NONE},
    {"I:::ffff:10.0.0.1", "10.0.0.1", REASON_NONE},
    {"I:::1", "0:0:0::0:1", REASON_NONE},
    {"I:fe80::1", "fe80::1%eth0", REASON_NONE},
    {"I:2001:DB8::A", "2001:db8:0:0:0:0:0:a", REASON_NONE},
    {"D:a.test", "b.test", REASON_NAME_MISMATCH},
    {"D:a.test", NULL, REASON_NAME_MISMATCH},
    {"D:a.test", "", REASON_NAME_MISMATCH},
    {NULL, "web", REASON_NAME_MISMATCH}, /* never the CN */
    {"I:10.0.0.1", "web", REASON_NAME_MISMATCH},
    {"U:spiffe://a.test", "a.test", REASON_NAME_MISMATCH},
    {"U:a.test: E:a.test", "a.test", REASON_NAME_MISMATCH},
    {"D:10.0.0.1", "10.0.0.1", REASON_NAME_MISMATCH},
    {"D:::1", "::1", REASON_NAME_MISMATCH},
    {"D:*.0.0.1 I:10.0.0.2", "10.0.0.1", REASON_NAME_MISMATCH},
    {"I:10.0.0.1", "10.0.0.2", REASON_NAME_MISMATCH},
    {"I:10.0.0.1", "10.0.0.1.", REASON_NAME_MISMATCH},
    {"I:10.0.0.1", "10.0.0.1 x", REASON_NAME_MISMATCH},
    {"I:10.0.0.1", "::10.0.0.1", REASON_NAME_MISMATCH},
    {"I:abc I:10.0.0.1x", "97.98.99.0", REASON_NAME_MISMATCH}, /* of odd lengths */
    {"I:::1", "::2", REASON_NAME_MISMATCH},
    /* wolfSSL refuses the whole certificate */
    {"D:a.test@.evil.test", "a.test", REASON_BAD_CERTIFICATE},
    {"D:a.test@", "a.test", REASON_BAD_CERTIFICATE},
    {"D:a.test~", "a.test", REASON_NAME_MISMATCH},
};

static void
names(void **state)
{
    (void)state;
    const struct policy_rule rule = {.direction = POLICY_OUTBOUND};
    const struct policy_rule chain = {.direction = POLICY_OUTBOUND,
                                      .verify = POLICY_VERIFY_CHAIN};
    const struct policy_rule inbound = {.direction = POLICY_INBOUND};
    for (size_t i = 0; i < COUNT(name_cases); i++) {
        struct der_certificate certificate = {.subject = "CN=web",
                                              .san = name_cases[i].san};
        struct peer peer;
        struct failure failure;
        int result = judge(&certificate, &rule, name_cases[i].name, &peer, &failure);
        int want = name_cases[i].want == REASON_NONE ? 0 : -EPROTO;
        if (result != want || failure.reason != name_cases[i].want) {
            fail_msg("%s for %s: %d, %s", name_cases[i].san, name_cases[i].name, result,
                     failure.detail);
        }
        if (name_cases[i].want == REASON_NAME_MISMATCH) {
            assert_int_equal(judge(&certificate, &chain, "x", &peer, &failure), 0);
            assert_int_equal(judge(&certificate, &inbound, "x", &peer, &failure), 0);
        }
    }
}

static void
name_words(void **state)
{
    (void)state;
    const struct policy_rule rule = {.direction = POLICY_OUTBOUND};
    struct der_certificate certificate = {.subject = "CN=web",
                                          .san = "D:a.test I:10.0.0.1"};
    struct peer peer;
    struct failure failure;
    assert_int_equal(judge(&certificate, &rule, "b.test", &peer, &failure), -EPROTO);
    assert_string_equal(failure.detail, "the peer's certificate is for DNS:a.test, "
                                        "IP:10.0.0.1, not for b.test");
    certificate.san = NULL;
    assert_int_equal(judge(&certificate, &rule, "b.test", &peer, &failure), -EPROTO);
    assert_non_null(strstr(failure.detail, "CN=web"));
    assert_non_null(strstr(failure.detail, "b.test"));
}

static const struct {
    const char *purposes;
    const char *usage;
    size_t usage_len;
    bool outbound, inbound;
} usage_cases[] = {
    {NULL, NULL, 0, true, true},
    {"s", NULL, 0, true, false},
    {"c", NULL, 0, false, true},
    {"sc", NULL, 0, true, true},
    {"a", NULL, 0, true, true},
    {"oa", NULL, 0, true, true},
    {"o", NULL, 0, false, false},
    {NULL, TEXT("\x07\x80"), true, true},   /* digitalSignature */
    {NULL, TEXT("\x05\xa0"), true, true},   /* and keyEncipherment */
    {NULL, TEXT("\x05\x20"), false, false}, /* that alone */
    {"sc", TEXT("\x03\x08"), false, false}, /* keyAgreement */
};

static void
usage(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(usage_cases); i++) {
        struct der_certificate certificate = {.subject = "CN=web",
                                              .purposes = usage_cases[i].purposes,
                                              .usage = usage_cases[i].usage,
                                              .usage_len = usage_cases[i].usage_len};
        for (int inbound = 0; inbound < 2; inbound++) {
            const struct policy_rule rule = {.direction = inbound != 0 ? POLICY_INBOUND
                                                                       : POLICY_OUTBOUND,
                                             .verify = POLICY_VERIFY_CHAIN};
            bool want = inbound != 0 ? usage_cases[i].inbound : usage_cases[i].outbound;
            struct peer peer;
            struct failure failure;
            int result = judge(&certificate, &rule, NULL, &peer, &failure);
            if (result != (want ? 0 : -EPROTO)) {
                fail_msg("usage %zu, inbound %d: %d, %s", i, inbound, result,
                         failure.detail);
            }
            assert_int_equal(failure.reason, want ? REASON_NONE : REASON_WRONG_USAGE);
            assert_string_equal(peer.subject, "CN=web");
        }
    }
}

static const struct {
    const char *pattern, *text;
    char separator;
    bool want;
} glob_cases[] = {
    {"", "", '/', true},
    {"a", "", '/', false},
    {"", "a", '/', false},
    {"abc", "abc", '/', true},
    {"abc", "abd", '/', false},
    {"a?c", "abc", '/', true},
    {"a?c", "a/c", '/', false},
    {"a*", "a", '/', true},
    {"a*c", "abbbc", '/', true},
    {"a*c", "ab/bc", '/', false},
    {"*", "", '/', false},
    {"*", "a", '/', true},
    {"*", "a/b", '/', false},
    {"a/*", "a/", '/', false},
    {"a/*", "a/b", '/', true},
    {"a/*", "a/b/c", '/', false},
    {"a/*/c", "a//c", '/', false},
    {"a/*/c", "a/b/c", '/', true},
    {"a/*/c", "a/b/b/c", '/', false},
    {"a/b*c*d/e", "a/bxcxcxd/e", '/', true},
    {"a/b*c*d/e", "a/bxcxd/cd/e", '/', false},
    {"*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", '/', false},
    {"spiffe://corp/ns/*/sa/db", "spiffe://corp/ns/shop/sa/db", '/', true},
    {"spiffe://corp/ns/*/sa/db", "spiffe://corp/ns/shop/sa/x/sa/db", '/', false},
    {"spiffe://corp/ns/*/sa/db", "spiffe://evil/ns/shop/sa/db", '/', false},
    {"spiffe://corp/ns/*/sa/db", "spiffe://corp/ns/shop/sa/db/", '/', false},
    {"spiffe://corp/ns/*/sa/db", "xspiffe://corp/ns/shop/sa/db", '/', false},
    {"spiffe://corp/ns/*/sa/db", "spiffe://corp/ns/shop/sa/db2", '/', false},
    {"spiffe://corp/*", "spiffe://corp/../x", '/', false},
    {"*.db", "a.db", '.', true},
    {"*.db", "a.b.db", '.', false},
    {"db-?.x", "db-1.x", '.', true},
    {"db-*.x", "db-.x", '.', true},
    {"db-*.x", "db-1.y.x", '.', false},
};

static void
globs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(glob_cases); i++) {
        const char *text = glob_cases[i].text;
        struct der_span span = {(const uint8_t *)text, strlen(text)};
        if (peer_list_glob(glob_cases[i].pattern, span, glob_cases[i].separator, false) !=
            glob_cases[i].want) {
            fail_msg("%s on %s", glob_cases[i].pattern, text);
        }
    }
}

/* Of the key in all certificates of tests/lib/der.h: openssl dgst -sha256 of its DER. */
#define KEY_SHA256 "5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3"
#define CORP "spiffe://corp/ns/shop/sa/db"

/* The certificate has this subject and SAN; is it named by this entry? */
static const struct {
    enum policy_peer_kind kind;
    const char *entry;
    const char *subject, *san;
    bool allows, denies;
} list_cases[] = {
    {POLICY_PEER_DNS, "a.db.internal", "", "D:x.y D:A.DB.internal", true, true},
    {POLICY_PEER_DNS, "a.db.internal", "", "D:a.db.internal.", true, true},
    {POLICY_PEER_DNS, "*.db.internal", "", "D:a.db.internal", true, true},
    {POLICY_PEER_DNS, "*.db.internal", "", "D:a.b.db.internal", false, false},
    {POLICY_PEER_DNS, "*.db.internal", "", "D:db.internal", false, false},
    {POLICY_PEER_DNS, "db-?.*.internal", "", "D:db-1.a.internal", true, true},
    {POLICY_PEER_DNS, "a.internal", "", "U:dns:a.internal E:a.internal", false, false},
    {POLICY_PEER_DNS, "a.internal", "CN=a.internal", NULL, false, false},
    /* a wildcard holder is not one of its names, but may be any of them */
    {POLICY_PEER_DNS, "a.db.internal", "", "D:*.db.internal", false, true},
    {POLICY_PEER_DNS, "*.db.internal", "", "D:*.db.internal", true, true},
    {POLICY_PEER_DNS, "*.DB.internal", "", "D:*.db.internal.", true, true},
    {POLICY_PEER_DNS, "*.*.internal", "", "D:*.db.internal", false, true},
    {POLICY_PEER_DNS, "?.db.internal", "", "D:*.db.internal", false, true},
    {POLICY_PEER_DNS, "a.db.internal", "", "D:a*.db.internal", false, true},
    {POLICY_PEER_DNS, "a.db.internal", "", "D:*.internal", false, false},
    {POLICY_PEER_DNS, "a.db.internal", "", "D:*.x.internal", false, false},
    {POLICY_PEER_DNS, "*", "", "D:*", true, true},
    {POLICY_PEER_DNS, "a.db.internal", "", "D:a.db.internal~", false, true},
    {POLICY_PEER_URI, CORP, "", "U:" CORP, true, true},
    {POLICY_PEER_URI, "spiffe://corp/ns/*/sa/db", "", "D:x U:" CORP, true, true},
    /* SPIFFE: two URIs are none to let in by, and both are to keep out by */
    {POLICY_PEER_URI, "spiffe://corp/ns/*/sa/db", "", "D:x U:a:b U:" CORP, false, true},
    {POLICY_PEER_URI, "a:b", "", "D:x U:a:b U:" CORP, true, true},
    {POLICY_PEER_URI, "spiffe://corp/ns/*/sa/db", "", "U:" CORP "/x", false, false},
    {POLICY_PEER_URI, "spiffe://corp/ns/*/sa/db", "", "U:x" CORP, false, false},
    {POLICY_PEER_URI, "spiffe://corp/ns/*/sa/db", "", "U:spiffe://corp/ns/a/b/sa/db",
     false, false},
    {POLICY_PEER_URI, "spiffe://corp/*", "", "U:spiffe://corp/", false, false},
    {POLICY_PEER_URI, CORP, "", "U:SPIFFE://Corp/ns/shop/sa/db", false, true},
    {POLICY_PEER_URI, CORP, "", "U:" CORP "~", false, true},
    {POLICY_PEER_URI, CORP, "CN=" CORP, "D:" CORP, false, false},
    {POLICY_PEER_CN, "db-?", "O=Corp|CN=db-1", NULL, true, true},
    {POLICY_PEER_CN, "db-?", "CN=db-1|O=Corp|CN=x", NULL, true, true},
    {POLICY_PEER_CN, "db-?", "CN=db-11", NULL, false, false},
    {POLICY_PEER_CN, "db-?", "CN=DB-1", NULL, false, true},
    {POLICY_PEER_OU, "Ops", "OU=oPS|CN=a", NULL, false, true},
    {POLICY_PEER_O, "Corp*", "O=corp Ltd|CN=a", NULL, false, true},
    {POLICY_PEER_CN, "db", "OU=db|O=db", "D:db", false, false},
    {POLICY_PEER_CN, "db", "CN=x,CN=db", NULL, false, false},
    {POLICY_PEER_CN, "db", "CN=db@.evil", NULL, false, true},
    {POLICY_PEER_CN, "db", "CN=db@", NULL, false, true},
    {POLICY_PEER_CN, "*", "CN=db~", NULL, false, true},
    {POLICY_PEER_CN, "db", "CN#1e=@d@b", NULL, true, true},
    {POLICY_PEER_CN, "db", "CN#1c=@@@d@@@b", NULL, true, true},
    {POLICY_PEER_CN, "db", "CN#13=db", NULL, true, true},
    {POLICY_PEER_CN, "b\xc3\xa4r", "CN#14=b\xe4r", NULL, true, true},
    {POLICY_PEER_CN, "b\xc3\xa4r", "CN=b\xc3\xa4r", NULL, true, true},
    {POLICY_PEER_OU, "ops", "OU=dev|OU=ops|OU=x|CN=a", NULL, true, true},
    {POLICY_PEER_OU, "dev", "OU=dev|OU=ops|OU=x|CN=a", NULL, true, true},
    {POLICY_PEER_OU, "de", "OU=dev|CN=de", NULL, false, false},
    {POLICY_PEER_O, "Corp*", "O=Corp Ltd|CN=a", NULL, true, true},
    {POLICY_PEER_O, "b", "O=a|O=b|CN=a", NULL, true, true},
    {POLICY_PEER_O, "Corp", "OU=Corp|CN=Corp", NULL, false, false},
    {POLICY_PEER_O, "Corp", "O=Corp@", NULL, false, true},
    {POLICY_PEER_SPKI, KEY_SHA256, "", NULL, true, true},
    {POLICY_PEER_SPKI, "1234", "", NULL, false, false},
    {POLICY_PEER_SERIAL, "1234", "", NULL, true, true},
    {POLICY_PEER_SERIAL, "123", "", NULL, false, false},
    {POLICY_PEER_SHA256, "1234", "", NULL, false, false},
};

/* The same, for the issuer's name; the subject is CN=x. */
static const struct {
    enum policy_peer_kind kind;
    const char *entry;
    const char *issuer;
    bool allows, denies;
} issuer_cases[] = {
    {POLICY_PEER_O, "Corp", "O=Corp", false, false},
    {POLICY_PEER_ISSUER, "CN=ca,O=Corp", "O=Corp|CN=ca", true, true},
    {POLICY_PEER_ISSUER, "CN=ca?O=Corp", "O=Corp|CN=ca", true, true},
    {POLICY_PEER_ISSUER, "CN=ca-?,*", "O=Corp|CN=ca-7", true, true},
    {POLICY_PEER_ISSUER, "CN=ca,O=Corp", "O=corp|CN=CA", false, true},
    {POLICY_PEER_ISSUER, "CN=ca", "O=Corp|CN=ca", false, false},
    {POLICY_PEER_ISSUER, "CN=ca,O=Corp", "CN=ca|O=Corp", false, false},
    {POLICY_PEER_ISSUER, "CN=ca,O=Corp", "CN=ca,O=Corp", false, false},
    {POLICY_PEER_ISSUER, "CN=ca,O=Corp", "O=Corp|CN=ca@", false, false},
    {POLICY_PEER_ISSUER, "CN=x", "CN=ca", false, false},
    {POLICY_PEER_ISSUER, "*", "CN=ca...", false, true}, /* as if cut */
};

static void
check_entry(const struct policy_peer *entry, const struct der_certificate *certificate,
            bool allows, bool denies)
{
    struct policy_rule allow = {
        .direction = POLICY_INBOUND, .allow = entry, .allow_count = 1};
    struct policy_rule deny = {
        .direction = POLICY_INBOUND, .deny = entry, .deny_count = 1};
    struct peer peer;
    struct failure failure;
    int result = judge(certificate, &allow, NULL, &peer, &failure);
    if (result != (allows ? 0 : -EACCES)) {
        fail_msg("allow %s on %s %s, by %s: %d, %s", entry->text, certificate->subject,
                 certificate->san, certificate->issuer, result, failure.detail);
    }
    assert_int_equal(failure.reason, result == 0 ? REASON_NONE : REASON_DENIED_BY_ALLOW);
    result = judge(certificate, &deny, NULL, &peer, &failure);
    if (result != (denies ? -EACCES : 0)) {
        fail_msg("deny %s on %s %s, by %s: %d", entry->text, certificate->subject,
                 certificate->san, certificate->issuer, result);
    }
    assert_int_equal(failure.reason, result == 0 ? REASON_NONE : REASON_DENIED_BY_DENY);
}

static void
lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(list_cases); i++) {
        const struct policy_peer entry = {list_cases[i].kind, list_cases[i].entry};
        const char *subject = list_cases[i].subject;
        struct der_certificate certificate = {
            .subject = subject[0] != '\0' ? subject : "O=x", .san = list_cases[i].san};
        check_entry(&entry, &certificate, list_cases[i].allows, list_cases[i].denies);
    }
}

static void
issuers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(issuer_cases); i++) {
        const struct policy_peer entry = {issuer_cases[i].kind, issuer_cases[i].entry};
        struct der_certificate certificate = {.subject = "CN=x",
                                              .issuer = issuer_cases[i].issuer};
        check_entry(&entry, &certificate, issuer_cases[i].allows, issuer_cases[i].denies);
    }
}

static void
order_of_lists(void **state)
{
    (void)state;
    struct der_certificate certificate = {.subject = "O=Corp|CN=mallory",
                                          .san = "U:spiffe://test/mallory"};
    struct peer peer;
    struct failure failure;
    const struct policy_rule open = {.direction = POLICY_INBOUND};
    assert_int_equal(judge(&certificate, &open, NULL, &peer, &failure), 0);

    struct policy_peer own = {POLICY_PEER_SHA256, peer.sha256};
    struct policy_peer others[] = {{POLICY_PEER_CN, "x"},
                                   {POLICY_PEER_URI, "spiffe://test/*"}};
    char sha256[sizeof(peer.sha256)];
    memcpy(sha256, peer.sha256, sizeof(sha256));
    own.text = sha256;
    struct policy_rule rule = {
        .direction = POLICY_INBOUND, .allow = others, .allow_count = 2};
    assert_int_equal(judge(&certificate, &rule, NULL, &peer, &failure), 0);
    rule.deny = &own;
    rule.deny_count = 1;
    assert_int_equal(judge(&certificate, &rule, NULL, &peer, &failure), -EACCES);
    assert_int_equal(failure.reason, REASON_DENIED_BY_DENY); /* wins over allow */
    assert_non_null(strstr(failure.detail, "CN=mallory"));
    assert_non_null(strstr(failure.detail, "sha256"));
    assert_string_equal(peer.subject, "CN=mallory,O=Corp");

    rule.deny_count = 0;
    rule.allow_count = 1;
    assert_int_equal(judge(&certificate, &rule, NULL, &peer, &failure), -EACCES);
    assert_non_null(strstr(failure.detail, "CN=mallory"));
    assert_non_null(strstr(failure.detail, "spiffe://test/mallory"));

    /* "identity" without anybody allowed lets nobody in. */
    const struct policy_rule nobody = {.direction = POLICY_OUTBOUND,
                                       .verify = POLICY_VERIFY_IDENTITY};
    assert_int_equal(judge(&certificate, &nobody, NULL, &peer, &failure), -EACCES);
}

static void
reasons(void **state)
{
    (void)state;
    struct failure failure;
    for (int i = 0; i < REASON_COUNT; i++) {
        assert_non_null(reason_code((enum reason)i));
        assert_non_null(reason_words((enum reason)i));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(reason_code((enum reason)i),
                                    reason_code((enum reason)j));
        }
    }
    assert_string_equal(reason_code((enum reason)1000), "internal_error");
    failure_set(&failure, REASON_UNKNOWN_CA, NULL);
    assert_int_equal(failure.reason, REASON_UNKNOWN_CA);
    assert_string_equal(failure.detail, reason_words(REASON_UNKNOWN_CA));
    failure_set(&failure, REASON_PROTOCOL, "%0500d", 1);
    assert_int_equal(strlen(failure.detail), sizeof(failure.detail) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dns_names),  cmocka_unit_test(names),
        cmocka_unit_test(name_words), cmocka_unit_test(usage),
        cmocka_unit_test(globs),      cmocka_unit_test(lists),
        cmocka_unit_test(issuers),    cmocka_unit_test(order_of_lists),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
