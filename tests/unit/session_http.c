/* HTTP as a responder may speak it, and the URLs by which it is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/session/http.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define TYPE "Content-Type: application/ocsp-response\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct {
    const char *name;
    const char *input;
    enum http_state open;  /* while the connection is */
    enum http_state ended; /* and when it has ended */
    const char *body;      /* NULL: not whole */
} cases[] = {
    {"nothing", "", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"half a status", "HTTP/1.1 2", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"half a header", OK TYPE "Content-Le", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"length", OK TYPE "Content-Length: 3\r\n\r\nabc", HTTP_WHOLE, HTTP_WHOLE, "abc"},
    {"length and more", OK "content-length:3 \r\n\r\nabcd", HTTP_WHOLE, HTTP_WHOLE,
     "abc"},
    {"too little", OK "Content-Length: 4\r\n\r\nabc", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"no body", OK "Content-Length: 0\r\n\r\n", HTTP_WHOLE, HTTP_WHOLE, ""},
    {"to the end", OK "\r\nabc", HTTP_MORE, HTTP_WHOLE, "abc"},
    {"HTTP/1.0", "HTTP/1.0 200 OK\n\nabc", HTTP_MORE, HTTP_WHOLE, "abc"},
    {"no reason", "HTTP/1.1 200\r\n\r\nabc", HTTP_MORE, HTTP_WHOLE, "abc"},
    {"type with a parameter",
     OK "Content-Type: Application/OCSP-response;x=y\r\nContent-Length: 1\r\n\r\na",
     HTTP_WHOLE, HTTP_WHOLE, "a"},
    {"another type", OK "Content-Type: text/html\r\nContent-Length: 1\r\n\r\na",
     HTTP_OTHER, HTTP_OTHER, NULL},
    {"redirect", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", HTTP_REFUSED, HTTP_REFUSED,
     NULL},
    {"no content", "HTTP/1.1 204 No\r\n\r\n", HTTP_REFUSED, HTTP_REFUSED, NULL},
    {"continue", "HTTP/1.1 100 Continue\r\n\r\n", HTTP_REFUSED, HTTP_REFUSED, NULL},
    {"another protocol", "SSH-2.0-x\r\n", HTTP_MALFORMED, HTTP_MALFORMED, NULL},
    {"HTTP/2", "HTTP/2 200 OK\r\n\r\n", HTTP_MALFORMED, HTTP_MALFORMED, NULL},
    {"long status", "HTTP/1.1 2000 OK\r\n\r\n", HTTP_MALFORMED, HTTP_MALFORMED, NULL},
    {"negative length", OK "Content-Length: -1\r\n\r\n", HTTP_MALFORMED, HTTP_MALFORMED,
     NULL},
    {"huge length", OK "Content-Length: 18446744073709551617\r\n\r\n", HTTP_MALFORMED,
     HTTP_MALFORMED, NULL},
    {"empty length", OK "Content-Length: \r\n\r\n", HTTP_MALFORMED, HTTP_MALFORMED, NULL},
    {"two lengths", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", HTTP_MALFORMED,
     HTTP_MALFORMED, NULL},
    {"length and chunks", OK CHUNKED "Content-Length: 1\r\n\r\na", HTTP_MALFORMED,
     HTTP_MALFORMED, NULL},
    {"unknown coding", OK "Transfer-Encoding: gzip\r\n\r\na", HTTP_MALFORMED,
     HTTP_MALFORMED, NULL},
    {"chunks", OK CHUNKED "\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n", HTTP_WHOLE,
     HTTP_WHOLE, "abc0123456789"},
    {"half a chunk", OK CHUNKED "\r\n3\r\nab", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"half an end", OK CHUNKED "\r\n3\r\nabc\r", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"no last chunk", OK CHUNKED "\r\n3\r\nabc\r\n", HTTP_MORE, HTTP_MALFORMED, NULL},
    {"chunk without end", OK CHUNKED "\r\n3\r\nabcd\r\n0\r\n\r\n", HTTP_MALFORMED,
     HTTP_MALFORMED, NULL},
    {"chunk of no length", OK CHUNKED "\r\nx\r\n", HTTP_MALFORMED, HTTP_MALFORMED, NULL},
    {"chunk too large", OK CHUNKED "\r\nfffffffff\r\n", HTTP_MALFORMED, HTTP_MALFORMED,
     NULL},
};

/* In memory of just this size, for ASan. */
static enum http_state
read_copy(const char *input, size_t len, bool ended, const char *body)
{
    uint8_t *data = malloc(len > 0 ? len : 1);
    struct http_answer answer;
    assert_non_null(data);
    memcpy(data, input, len);
    enum http_state state = http_read(data, len, ended, &answer);
    if (state == HTTP_WHOLE && body != NULL) {
        assert_int_equal(answer.body_len, strlen(body));
        assert_memory_equal(answer.body, body, answer.body_len);
    }
    free(data);
    return state;
}

static void
answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].input);
        const char *body = cases[i].body;
        enum http_state open = read_copy(cases[i].input, len, false, body);
        enum http_state ended = read_copy(cases[i].input, len, true, body);
        if (open != cases[i].open || ended != cases[i].ended) {
            fail_msg("%s: %d and %d, not %d and %d", cases[i].name, open, ended,
                     cases[i].open, cases[i].ended);
        }
        assert_int_equal(cases[i].body != NULL, ended == HTTP_WHOLE);
    }
}

/* What is whole in the end is never taken for something else before. */
static void
answers_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t len = 0; cases[i].body != NULL && len < strlen(cases[i].input);
             len++) {
            enum http_state early = read_copy(cases[i].input, len, false, NULL);
            if (early != HTTP_MORE && early != HTTP_WHOLE) {
                fail_msg("%s: %d after %zu bytes", cases[i].name, early, len);
            }
        }
    }
}

static void
too_much(void **state)
{
    uint8_t *data = malloc(HTTP_ANSWER_MAX);
    struct http_answer answer;
    (void)state;
    assert_non_null(data);
    memset(data, 'a', HTTP_ANSWER_MAX);
    memcpy(data, OK "x: ", sizeof(OK "x: ") - 1);
    assert_int_equal(http_read(data, HTTP_ANSWER_MAX - 1, false, &answer), HTTP_MORE);
    assert_int_equal(http_read(data, HTTP_ANSWER_MAX, false, &answer), HTTP_MALFORMED);
    free(data);
}

static void
urls(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
        const char *path;
    } tests[] = {
        {"http://a", "a", 80, "/"},
        {"HTTP://ocsp.example:8080/x/y?z", "ocsp.example", 8080, "/x/y?z"},
        {"http://10.0.0.1/", "10.0.0.1", 80, "/"},
        {"http://[::1]:81/x", "::1", 81, "/x"},
        {"http://a:65535", "a", 65535, "/"},
        {"http://", NULL, 0, NULL},
        {"http:///x", NULL, 0, NULL},
        {"https://a/", NULL, 0, NULL},
        {"ldap://a/", NULL, 0, NULL},
        {"http://user@a/", NULL, 0, NULL},
        {"http://user:pass@a/", NULL, 0, NULL},
        {"http://a:0/", NULL, 0, NULL},
        {"http://a:/", NULL, 0, NULL},
        {"http://a:65536/", NULL, 0, NULL},
        {"http://a:80x/", NULL, 0, NULL},
        {"http://a?x", NULL, 0, NULL},
        {"http://a/x#y", NULL, 0, NULL},
        {"http://a/x y", NULL, 0, NULL},
        {"http://a/\r\nHost: b", NULL, 0, NULL},
        {"http://a b/", NULL, 0, NULL},
        {"http://[::1/", NULL, 0, NULL},
        {"http://[a]/", NULL, 0, NULL},
        {"http://[]/", NULL, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        struct url url;
        bool parsed = url_parse(tests[i].text, strlen(tests[i].text), &url);
        if (parsed != (tests[i].host != NULL)) {
            fail_msg("%s: %d", tests[i].text, parsed);
        }
        if (parsed) {
            assert_string_equal(url.host, tests[i].host);
            assert_int_equal(url.port, tests[i].port);
            assert_string_equal(url.path, tests[i].path);
        }
    }
    struct url url;
    assert_false(url_parse("http://a/\0b", 11, &url)); /* as certificates may have it */
}

static void
request(void **state)
{
    char header[HTTP_REQUEST_MAX];
    struct url url;
    (void)state;
    assert_true(url_parse("http://[::1]:81/x", 17, &url));
    size_t len = http_post(&url, 42, header);
    assert_int_equal(len, strlen(header));
    assert_ptr_equal(strstr(header, "POST /x HTTP/1.1\r\nHost: [::1]:81\r\n"), header);
    assert_non_null(strstr(header, "\r\nContent-Length: 42\r\n"));
    assert_string_equal(header + len - 4, "\r\n\r\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),  cmocka_unit_test(answers_byte_by_byte),
        cmocka_unit_test(too_much), cmocka_unit_test(urls),
        cmocka_unit_test(request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
