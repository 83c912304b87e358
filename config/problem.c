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

static void
report_text(struct policy_report *report, const char *path, int line, char text[TEXT_LEN],
            int len)
{
    if (len >= TEXT_LEN) {
        memcpy(text + TEXT_LEN - sizeof("..."), "...", sizeof("..."));
    }
    make_printable(text);
    report->count++;
    report->problem(report->context, path, line, text);
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
    report_text(report, path, line, text, len);
}

int
problem_in(const struct problem_place *place, const char *format, ...)
{
    char text[TEXT_LEN];
    va_list args;
    int len = snprintf(text, sizeof(text), "%s: ", place->file);

    if (len >= 0 && len < TEXT_LEN) {
        va_start(args, format);
        len += vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
        va_end(args);
    }
    report_text(place->report, place->path, place->line, text, len);
    return -EINVAL;
}

void
policy_report_to_file(void *context, const char *path, int line, const char *text)
{
    FILE *out = context;

    if (line > 0) {
        fprintf(out, "%s:%d: %s\n", path, line, text);
    } else {
        fprintf(out, "%s: %s\n", path, text);
    }
}

void
problem_ignore(void *context, const char *path, int line, const char *text)
{
    (void)context;
    (void)path;
    (void)line;
    (void)text;
}
