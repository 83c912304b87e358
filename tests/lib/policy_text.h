/* Loading a policy from a text, and its problems as text. */
#ifndef TESTS_LIB_POLICY_TEXT_H
#define TESTS_LIB_POLICY_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/policy.h"

#define POLICY_TEXT_HEAD                                                                 \
    "[shim]\ndefault_inbound=deny\ndefault_outbound=plaintext\n" /* 3 */
#define POLICY_TEXT_IDENTITY                                                             \
    "[identity own]\ncertificate=c\nprivate_key=k\ntrust=t\n" /* 4 lines, 4 to 7 */

/* "LINE: TEXT\n" for each problem, in the order of their reporting. */
struct policy_text {
    struct policy_report report;
    size_t len;
    char problems[16384];
};

static inline void
policy_text_add(void *context, const struct policy_problem *problem)
{
    struct policy_text *out = context;
    size_t room = sizeof(out->problems) - out->len;
    int n = snprintf(out->problems + out->len, room, "%d: %s\n", problem->line,
                     problem->text);

    assert_non_null(problem->path);
    assert_null(strchr(problem->text, '\n'));
    out->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static inline void
policy_text_init(struct policy_text *out)
{
    memset(out, 0, sizeof(*out));
    out->report.problem = policy_text_add;
    out->report.context = out;
}

/* Loads len bytes as a policy; it lies in /proc/self/fd. */
static inline struct policy *
policy_text_load_len(struct policy_text *out, const char *text, size_t len)
{
    char path[64];
    int fd = memfd_create("policy.ini", MFD_CLOEXEC);
    struct policy *policy;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    policy_text_init(out);
    policy = policy_load(path, &out->report);
    close(fd);
    assert_int_equal(policy == NULL, out->report.count > 0);
    return policy;
}

static inline struct policy *
policy_text_load(struct policy_text *out, const char *text)
{
    return policy_text_load_len(out, text, strlen(text));
}

/* Loads a good policy. */
static inline struct policy *
policy_text_good(const char *text)
{
    struct policy_text out;
    struct policy *policy = policy_text_load(&out, text);

    if (policy == NULL) {
        fail_msg("refused: %s\n%s", out.problems, text);
    }
    return policy;
}

#endif
