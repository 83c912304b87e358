/* Which rule a connection falls under, and what explain says of it. */
#include "config/address.h"
#include "tests/lib/policy_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

union socket {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Makes an address: "1.2.3.4 80", "::1 80", "? 80" for just a port; NULL for "". */
static const struct sockaddr *
make(const char *text, union socket *socket)
{
    char host[64];
    int port = 0;

    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    memset(socket, 0, sizeof(*socket));
    assert_int_equal(sscanf(text, "%63s %d", host, &port), 2);
    if (inet_pton(AF_INET, host, &socket->in.sin_addr) == 1) {
        socket->any.sa_family = AF_INET;
    } else if (inet_pton(AF_INET6, host, &socket->in6.sin6_addr) == 1) {
        socket->any.sa_family = AF_INET6;
    } else {
        assert_string_equal(host, "?");
    }
    socket->in.sin_port = htons((uint16_t)port);
    return &socket->any;
}

/* ---- patterns ------------------------------------------------------------------------
 */

static void
patterns(void **state)
{
    static const struct {
        const char *pattern;
        const char *socket;
        const char *name;
        bool want;
    } cases[] = {
        {"*:*", "1.2.3.4 80", NULL, true},
        {"*:*", "::1 80", NULL, true},
        {"*:*", "? 80", NULL, true},
        {"*:*", "", NULL, true},
        {"*:80", "", NULL, false},
        {"*:80", "? 80", NULL, true},
        {"*:80", "1.2.3.4 80", "x", true},
        {"*:80", "1.2.3.4 81", NULL, false},
        {"*:80", "1.2.3.4 0", NULL, false},
        {"*:*", "1.2.3.4 0", NULL, true},
        {"*:1-65535", "1.2.3.4 0", NULL, false},
        {"*:6000-6010", "1.2.3.4 5999", NULL, false},
        {"*:6000-6010", "1.2.3.4 6000", NULL, true},
        {"*:6000-6010", "1.2.3.4 6010", NULL, true},
        {"*:6000-6010", "1.2.3.4 6011", NULL, false},
        {"10.0.0.5:80", "10.0.0.5 80", NULL, true},
        {"10.0.0.5:80", "10.0.0.6 80", NULL, false},
        {"10.0.0.5:80", "? 80", NULL, false},
        {"10.0.0.5:80", "::ffff:10.0.0.5 80", NULL, true},
        {"10.0.0.0/8:*", "10.255.255.255 1", NULL, true},
        {"10.0.0.0/8:*", "11.0.0.0 1", NULL, false},
        {"10.1.2.3/8:*", "10.255.255.255 1", NULL, true},
        {"10.0.0.0/8:*", "::ffff:10.1.1.1 1", NULL, true},
        {"10.0.0.0/8:*", "::10.1.1.1 1", NULL, false},
        {"10.0.0.0/31:*", "10.0.0.1 1", NULL, true},
        {"10.0.0.0/31:*", "10.0.0.2 1", NULL, false},
        {"10.128.0.0/9:*", "10.127.255.255 1", NULL, false},
        {"0.0.0.0/0:*", "1.2.3.4 1", NULL, true},
        {"0.0.0.0/0:*", "::1 1", NULL, false},
        {"0.0.0.0/0:*", "? 1", "x", false},
        {"[::1]:80", "::1 80", NULL, true},
        {"[::1]:80", "::2 80", NULL, false},
        {"[fd00::/8]:*", "fdff::1 80", NULL, true},
        {"[fd00::/8]:*", "fe00::1 80", NULL, false},
        {"[fd00::/127]:*", "fd00::1 80", NULL, true},
        {"[fd00::/127]:*", "fd00::2 80", NULL, false},
        {"[::/0]:*", "fe80::1 80", NULL, true},
        {"[::/0]:*", "1.2.3.4 80", NULL, false},
        {"[::ffff:10.0.0.5]:80", "10.0.0.5 80", NULL, true},
        {"[::ffff:10.0.0.0/104]:80", "::ffff:10.9.9.9 80", NULL, true},
        {"[::ffff:10.0.0.0/104]:80", "10.255.255.255 80", NULL, true},
        {"[::ffff:10.0.0.0/104]:80", "11.0.0.0 80", NULL, false},
        {"db.internal:5432", "10.0.0.1 5432", "db.internal", true},
        {"db.internal:5432", "10.0.0.1 5432", "DB.internal.", true},
        {"db.internal:5432", "? 5432", "db.internal", true},
        {"db.internal:5432", "10.0.0.1 5432", NULL, false},
        {"db.internal:5432", "10.0.0.1 5433", "db.internal", false},
        {"db.internal:*", "", "db.internal", true},
        {"*.internal:5432", "10.0.0.1 5432", "a.b.internal", true},
        {"*.internal:5432", "10.0.0.1 5432", "internal", false},
        {"*.internal:5432", "10.0.0.1 5432", NULL, false},
        {"db?:1", "? 1", "db1", true},
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        struct address_end end;
        union socket socket;
        const char *why = "";

        if (!address_parse(arena, cases[i].pattern, true, &address, &why)) {
            fail_msg("%s: %s", cases[i].pattern, why);
        }
        address_end(make(cases[i].socket, &socket), cases[i].name, &end);
        if (address_matches(&address, &end) != cases[i].want) {
            fail_msg("%s and %s %s", cases[i].pattern, cases[i].socket,
                     cases[i].name != NULL ? cases[i].name : "");
        }
    }
    arena_free(arena);
}

static void
bad_patterns(void **state)
{
    static const char *const cases[] = {
        "",
        ":",
        "*",
        "*:",
        ":80",
        "10.0.0.1",
        "[::1]",
        "::1",
        "::1:80",
        "[::1:80",
        "[]:80",
        "[::1]80",
        "[10.0.0.1]:80",
        "*:0",
        "*:65536",
        "*:080000",
        "*:-1",
        "*:1-",
        "*:-",
        "*:2-1",
        "*:0-5",
        "*:1-65536",
        "*:1-2-3",
        "*:a",
        "*:**",
        "*: 80",
        "* :80",
        "10.0.0:80",
        "10.0.0.256:80",
        "10.0.0.0/33:80",
        "10.0.0.0/:80",
        "10.0.0.0/-1:80",
        "10.0.*:80",
        "*.*:80",
        "10.*.*.*:80",
        "[fd00::/129]:80",
        "[fd00::]/8:80",
        "[fe80::1%eth0]:80",
        "fd00::/8:80",
        "a..b:80",
        ".a:80",
        "a b:80",
        "a/8:80",
        "http://a:80",
        "*/8:80",
        "a@b:80",
        "[[::1]]:80",
        "]:80",
        "[:80",
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        const char *why = NULL;

        if (address_parse(arena, cases[i], true, &address, &why)) {
            fail_msg("'%s' was accepted", cases[i]);
        }
        assert_non_null(why);
    }
    arena_free(arena);
}

static void
texts_of_ends(void **state)
{
    static const struct {
        const char *socket;
        const char *want;
    } cases[] = {
        {"1.2.3.4 80", "1.2.3.4:80"},
        {"::1 443", "[::1]:443"},
        {"? 80", "?:80"},
        {"::ffff:1.2.3.4 1", "1.2.3.4:1"},
        {"1.2.3.4 0", "1.2.3.4"},
        {"::1 0", "::1"},
        {"", "?"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[ADDRESS_TEXT_LEN];
        struct address_end end;
        union socket socket;

        address_end(make(cases[i].socket, &socket), NULL, &end);
        assert_string_equal(address_end_text(&end, text), cases[i].want);
    }
}

/* ---- rules ---------------------------------------------------------------------------
 */

static const char policy_text[] =
    "[shim]\ndefault_inbound=deny\ndefault_outbound=plaintext\n" POLICY_TEXT_IDENTITY
    "[inbound same-name]\nlocal=*:8080,[::1]:81\nremote=192.0.2.0/24:*\nmode=deny\n"
    "[outbound service]\nservice=bill*\nremote=*:1\nmode=deny\n"
    "[outbound program]\nprogram=/usr/sbin/*\nremote=*:2\nmode=deny\n"
    "[outbound user]\nuser=billing\nremote=*:3\nmode=deny\n"
    "[outbound uid]\nuser=0042\nremote=*:4\nmode=deny\n"
    "[outbound local]\nlocal=10.0.0.0/8:*\nremote=*:5\nmode=deny\n"
    "[outbound same-name]\nremote=db.internal:6, 127.0.0.1:6, [::1]:6\nmode=mtls\n"
    "identity=own\n"
    "[outbound first]\nremote=*:7\nmode=mtls\nidentity=own\n"
    "[outbound second]\nremote=*:7\nmode=deny\n"
    "[outbound both]\nservice=a\nuser=b\nremote=*:8\nmode=observe\n"
    "[inbound name]\nlocal=*:9\nmode=plaintext\n";

struct match_case {
    const char *want; /* the rule's name */
    bool inbound;
    const char *local;
    const char *remote;
    const char *name;
    const char *service;
    const char *program;
    const char *user;
    const char *uid;
};

static const struct match_case match_cases[] = {
    {.want = "default", .remote = "1.1.1.1 99"},
    {.want = "service", .remote = "1.1.1.1 1", .service = "billing"},
    {.want = "default", .remote = "1.1.1.1 1", .service = "shop"},
    {.want = "default", .remote = "1.1.1.1 1"},
    {.want = "program", .remote = "1.1.1.1 2", .program = "/usr/sbin/x"},
    {.want = "default", .remote = "1.1.1.1 2", .program = "/usr/bin/x"},
    {.want = "default", .remote = "1.1.1.1 2"},
    {.want = "user", .remote = "1.1.1.1 3", .user = "billing"},
    {.want = "default", .remote = "1.1.1.1 3", .user = "billing2"},
    {.want = "default", .remote = "1.1.1.1 3"},
    {.want = "uid", .remote = "1.1.1.1 4", .user = "x", .uid = "42"},
    {.want = "default", .remote = "1.1.1.1 4", .user = "42", .uid = "43"},
    {.want = "local", .remote = "1.1.1.1 5", .local = "10.1.1.1 0"},
    {.want = "default", .remote = "1.1.1.1 5", .local = "11.1.1.1 0"},
    {.want = "default", .remote = "1.1.1.1 5"},
    {.want = "same-name", .remote = "1.1.1.1 6", .name = "db.internal"},
    {.want = "default", .remote = "1.1.1.1 6", .name = "web.internal"},
    {.want = "default", .remote = "1.1.1.1 6"},
    {.want = "same-name", .remote = "127.0.0.1 6"},
    {.want = "same-name", .remote = "::ffff:127.0.0.1 6"},
    /* to the kernel, these are loopback */
    {.want = "same-name", .remote = "0.0.0.0 6"},
    {.want = "same-name", .remote = ":: 6"},
    {.want = "same-name", .remote = "::ffff:0.0.0.0 6"},
    {.want = "first", .remote = "1.1.1.1 7"},
    {.want = "both", .remote = "1.1.1.1 8", .service = "a", .user = "b"},
    {.want = "default", .remote = "1.1.1.1 8", .service = "a", .user = "c"},
    {.want = "default", .remote = "1.1.1.1 8", .service = "b", .user = "b"},
    {.want = "default", .remote = "1.1.1.1 9"},
    {.want = "same-name",
     .inbound = true,
     .local = "1.1.1.1 8080",
     .remote = "192.0.2.1 5"},
    {.want = "same-name", .inbound = true, .local = "::1 81", .remote = "192.0.2.1 5"},
    {.want = "default", .inbound = true, .local = "::2 81", .remote = "192.0.2.1 5"},
    {.want = "default",
     .inbound = true,
     .local = "1.1.1.1 8080",
     .remote = "192.0.3.1 5"},
    {.want = "default", .inbound = true, .local = "1.1.1.1 8080"},
    {.want = "name", .inbound = true, .local = "1.1.1.1 9", .remote = "1.1.1.1 1"},
    {.want = "default", .inbound = true, .local = "1.1.1.1 7", .remote = "1.1.1.1 7"},
};
#define MATCH_CASES (sizeof(match_cases) / sizeof(match_cases[0]))

/* The sockets are the caller's: the query points to them. */
static struct policy_query
make_query(const struct match_case *want, union socket sockets[2])
{
    return (struct policy_query){
        .direction = want->inbound ? POLICY_INBOUND : POLICY_OUTBOUND,
        .service = want->service,
        .program = want->program,
        .user = want->user,
        .uid = want->uid,
        .local = make(want->local, &sockets[0]),
        .remote = make(want->remote, &sockets[1]),
        .dialled_name = want->name,
    };
}

static void
first_match_wins(void **state)
{
    struct policy *policy = policy_text_good(policy_text);

    (void)state;
    for (size_t i = 0; i < MATCH_CASES; i++) {
        union socket sockets[2];
        struct policy_query query = make_query(&match_cases[i], sockets);
        const struct policy_rule *rule;

        errno = ENOTTY;
        rule = policy_match(policy, &query);
        assert_int_equal(errno, ENOTTY);
        if (strcmp(rule->name, match_cases[i].want) != 0 ||
            rule->direction != query.direction) {
            fail_msg("case %zu: want %s, got %s", i, match_cases[i].want, rule->name);
        }
    }
    policy_free(policy);
}

/* Of a connection that another process has made: its program and name are not known. */
static void
whoever_made_it(void **state)
{
    static const char text[] =
        "[shim]\ndefault_inbound=deny\ndefault_outbound=plaintext\n"
        "[outbound some]\nremote=10.0.0.1:1\nprogram=/bin/a\nmode=plaintext\n"
        "[outbound named]\nremote=old.internal:1-2\nmode=plaintext\n"
        "[outbound all]\nremote=10.0.0.1:2\nmode=observe\n"
        "[outbound net]\nremote=10.0.0.0/8:1-2\nservice=b\nmode=deny\n"
        "[outbound name]\nremote=new.internal:3\nmode=deny\n"
        "[inbound in]\nmode=deny\n";
    static const struct {
        const char *remote;
        const char *want;
    } cases[] = {
        {"10.0.0.1 1", "net"},  {"10.0.0.1 2", "all"},     {"10.0.0.2 2", "net"},
        {"10.0.0.1 3", "name"}, {"1.1.1.1 2", "default"},  {"1.1.1.1 3", "name"},
        {"::1 3", "name"},      {"10.0.0.1 4", "default"},
    };
    struct policy *policy = policy_text_good(text);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        union socket remote;
        const char *got = policy_match_any(policy, make(cases[i].remote, &remote))->name;

        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s: want %s, got %s", cases[i].remote, cases[i].want, got);
        }
    }
    policy_free(policy);
}

/* Without a uid in the query, it is the process's own. */
static void
own_user(void **state)
{
    union socket sockets[2];
    const struct match_case ask = {.remote = "1.1.1.1 1"};
    struct policy_query query = make_query(&ask, sockets);
    char text[256];
    struct policy *policy;

    (void)state;
    snprintf(text, sizeof(text), POLICY_TEXT_HEAD "[outbound me]\nuser=%u\nmode=deny\n",
             (unsigned)geteuid());
    policy = policy_text_good(text);
    assert_string_equal(policy_match(policy, &query)->name, "me");
    query.uid = "4000000000";
    assert_string_equal(policy_match(policy, &query)->name, "default");
    policy_free(policy);
}

static void
nothing_is_allocated(void **state)
{
    struct policy *policy = policy_text_good(policy_text);
    struct mallinfo2 before = mallinfo2();

    (void)state;
    for (size_t i = 0; i < MATCH_CASES; i++) {
        union socket sockets[2];
        struct policy_query query = make_query(&match_cases[i], sockets);

        policy_match(policy, &query);
    }
    assert_int_equal(before.uordblks, mallinfo2().uordblks);
    policy_free(policy);
}

static void
directions_in_plaintext(void **state)
{
    static const struct {
        const char *input;
        bool outbound;
        bool inbound;
    } cases[] = {
        {"[shim]\ndefault_inbound=deny\ndefault_outbound=plaintext\n", true, false},
        {"[shim]\ndefault_inbound=plaintext\ndefault_outbound=deny\n"
         "[inbound a]\nmode=plaintext\n",
         false, true},
        {"[shim]\ndefault_inbound=plaintext\ndefault_outbound=plaintext\n"
         "[inbound a]\nmode=observe\n",
         true, false},
        {"[shim]\ndefault_inbound=plaintext\ndefault_outbound=plaintext\n"
         "[outbound a]\nmode=deny\n",
         false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy *policy = policy_text_good(cases[i].input);

        assert_int_equal(policy_direction_is_plaintext(policy, POLICY_OUTBOUND),
                         cases[i].outbound);
        assert_int_equal(policy_direction_is_plaintext(policy, POLICY_INBOUND),
                         cases[i].inbound);
        policy_free(policy);
    }
}

/* ---- explain -------------------------------------------------------------------------
 */

static char *
explain(const struct policy *policy, const struct policy_query *query,
        const struct policy_rule **winner)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    *winner = policy_explain(policy, query, out);
    fclose(out);
    return text;
}

static void
explain_agrees_with_match(void **state)
{
    struct policy *policy = policy_text_good(policy_text);

    (void)state;
    for (size_t i = 0; i < MATCH_CASES; i++) {
        union socket sockets[2];
        struct policy_query query = make_query(&match_cases[i], sockets);
        const struct policy_rule *winner;
        char *text = explain(policy, &query, &winner);
        char want[64];

        assert_ptr_equal(winner, policy_match(policy, &query));
        snprintf(want, sizeof(want),
                 winner->line == 0 ? "\n=> no rule matches" : "\n=> [%s %s]",
                 match_cases[i].inbound ? "inbound" : "outbound", winner->name);
        if (strstr(text, want) == NULL) {
            fail_msg("case %zu: no '%s' in\n%s", i, want, text);
        }
        /* A line for each rule of the direction. */
        for (size_t r = 0; r < policy->rule_count; r++) {
            snprintf(want, sizeof(want), ":%d: [", policy->rules[r].line);
            assert_int_equal(strstr(text, want) != NULL,
                             policy->rules[r].direction == query.direction);
        }
        free(text);
    }
    policy_free(policy);
}

static void
explain_in_words(void **state)
{
    struct policy *policy = policy_text_good(policy_text);
    const struct match_case ask = {
        .remote = "1.1.1.1 7", .name = "x.org", .service = "s", .user = "u", .uid = "9"};
    union socket sockets[2];
    struct policy_query query = make_query(&ask, sockets);
    const struct policy_rule *winner;
    char *text = explain(policy, &query, &winner);
    static const char *const wants[] = {
        "outbound connection, remote x.org:7 (1.1.1.1:7), local unknown\n",
        "service s, program unknown, user u (uid 9)\n",
        ":12: [outbound service]: no match: service s is not bill*; remote x.org:7 ",
        "(1.1.1.1:7) is not in *:1\n",
        "program unknown is not /usr/sbin/*",
        "user u is not billing",
        "user 9 is not 42",
        "local unknown is not in 10.0.0.0/8:*",
        "is not in db.internal:6, 127.0.0.1:6, [::1]:6\n",
        "[outbound first]: matches\n",
        "[outbound second]: would match, but an earlier rule does\n",
        "=> [outbound first], line 36: mode = mtls\n",
        "identity    own, /proc/self/fd/c\n",
        "verify      the certificate's name is x.org\n",
        "truncation  error\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
        if (strstr(text, wants[i]) == NULL) {
            fail_msg("no '%s' in\n%s", wants[i], text);
        }
    }
    free(text);
    policy_free(policy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(bad_patterns),
        cmocka_unit_test(texts_of_ends),
        cmocka_unit_test(first_match_wins),
        cmocka_unit_test(whoever_made_it),
        cmocka_unit_test(own_user),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(directions_in_plaintext),
        cmocka_unit_test(explain_agrees_with_match),
        cmocka_unit_test(explain_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
