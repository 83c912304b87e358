#include "shim/session/reason.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const codes[REASON_COUNT] = {
#define X(symbol, code, words) [REASON_##symbol] = (code),
    REASON_LIST(X)
#undef X
};

static const char *const default_words[REASON_COUNT] = {
#define X(symbol, code, words) [REASON_##symbol] = (words),
    REASON_LIST(X)
#undef X
};

const char *
reason_code(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? codes[reason] : codes[REASON_SHIM_ERROR];
}

const char *
reason_words(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? default_words[reason]
                                           : default_words[REASON_SHIM_ERROR];
}

void
failure_set(struct failure *failure, enum reason reason, const char *format, ...)
{
    failure->reason = reason;
    if (format == NULL) {
        snprintf(failure->detail, sizeof(failure->detail), "%s", reason_words(reason));
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(failure->detail, sizeof(failure->detail), format, args);
    va_end(args);
}
