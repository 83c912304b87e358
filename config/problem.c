#include "config/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define TEXT_LEN 2048 /* with the final NUL */

/* What a file holds must neither break the line nor drive the terminal. */
static void
make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
        }
    }
}

void
problem_pass(struct policy_report *report, const struct policy_problem *problem)
{
    report->count++;
    report->problem(report->context, problem);
}

static void
report_text(struct policy_report *report, struct policy_problem problem,
            char text[TEXT_LEN], int len)
{
    if (len >= TEXT_LEN) {
        memcpy(text + TEXT_LEN - sizeof("..."), "...", sizeof("..."));
    }
    make_printable(text);
    problem.text = text;
    problem_pass(report, &problem);
}

void
problem_add(struct policy_report *report, const char *path, int line, const char *format,
            ...)
{
    char text[TEXT_LEN];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report_text(report, (struct policy_problem){.path = path, .line = line}, text, len);
}

static void
report_in(const struct problem_place *place, enum policy_cause cause, const char *format,
          va_list args)
{
    char text[TEXT_LEN];
    int len = snprintf(text, sizeof(text), "%s: ", place->file);

    if (len >= 0 && len < TEXT_LEN) {
        len += vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
    }
    report_text(place->report,
                (struct policy_problem){place->path, place->line, NULL, cause}, text,
                len);
}

int
problem_in(const struct problem_place *place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_in(place, POLICY_CAUSE_OTHER, format, args);
    va_end(args);
    return -EINVAL;
}

int
problem_because(const struct problem_place *place, enum policy_cause cause,
                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_in(place, cause, format, args);
    va_end(args);
    return -EINVAL;
}

void
policy_report_to_file(void *context, const struct policy_problem *problem)
{
    FILE *out = context;

    if (problem->line > 0) {
        fprintf(out, "%s:%d: %s\n", problem->path, problem->line, problem->text);
    } else {
        fprintf(out, "%s: %s\n", problem->path, problem->text);
    }
}

void
problem_ignore(void *context, const struct policy_problem *problem)
{
    (void)context;
    (void)problem;
}
