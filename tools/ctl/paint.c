#include "tools/ctl/paint.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
is_wanted(FILE *out)
{
    const char *none = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return (none == NULL || none[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0 && isatty(fileno(out));
}

const char *
paint_on(FILE *out, enum paint paint)
{
    static const char *const sequences[] = {
        [PAINT_GOOD] = "\033[32m", [PAINT_BAD] = "\033[31m", [PAINT_WARN] = "\033[33m"};

    return is_wanted(out) ? sequences[paint] : "";
}

const char *
paint_off(FILE *out)
{
    return is_wanted(out) ? "\033[0m" : "";
}
