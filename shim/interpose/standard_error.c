/*
 * What libc writes to fd 2 by itself, behind our back: a governed connection may be there
 * (inetd).  What goes by the stream stderr, as perror() and assert() do, is in stdio.c.
 */
#include "shim/interpose/standard_error.h"

#include "shim/interpose/fd.h"
#include "shim/interpose/governed.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum { LINE_LEN = 1024 };

/* By the wrapper, whatever fd 2 is. */
static void
say(const char *text, size_t len)
{
    (void)!write(STDERR_FILENO, text, len);
}

__attribute__((format(printf, 1, 2))) static void
say_line(const char *format, ...)
{
    char line[LINE_LEN];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len > 0) {
        say(line, len < LINE_LEN ? (size_t)len : LINE_LEN - 1);
    }
}

static const char *
colon(const char *text)
{
    return text != NULL && text[0] != '\0' ? ": " : "";
}

INTERPOSE void
herror(const char *text)
{
    real_need();
    if (!table_has(STDERR_FILENO)) {
        real.herror(text);
        return;
    }
    say_line("%s%s%s\n", text != NULL ? text : "", colon(text), hstrerror(h_errno));
}

/* libc has words for each si_code, which we have not. */
INTERPOSE void
psiginfo(const siginfo_t *info, const char *text)
{
    real_need();
    if (!table_has(STDERR_FILENO)) {
        real.psiginfo(info, text);
        return;
    }
    say_line("%s%s%s (code %d, by process %d of user %u)\n", text != NULL ? text : "",
             colon(text), strsignal(info->si_signo), info->si_code, (int)info->si_pid,
             (unsigned)info->si_uid);
}

/* ---- the last words before SIGABRT
 * ---------------------------------------------------------------------------------------
 */

/* By a system call of libc's own. Nor do we say it: the process's memory is not to be
 * trusted with keys any more. */
void
standard_error_say_nothing(void)
{
    if (table_has(STDERR_FILENO)) {
        fd_mute(STDERR_FILENO);
    }
}

_Noreturn void __stack_chk_fail(void);

/* Called by what the compiler has put into the program. */
INTERPOSE void
__stack_chk_fail(void)
{
    real_need();
    standard_error_say_nothing();
    real.__stack_chk_fail();
    __builtin_unreachable();
}

/* ---- syslog
 * ---------------------------------------------------------------------------------------
 */

/* LOG_PERROR is ours to do: libc never hears of it. */
static struct {
    const char *ident; /* the program's, as libc keeps it, too */
    int options;
} log_settings;

INTERPOSE void
openlog(const char *ident, int options, int facility)
{
    real_need();
    log_settings.options = options;
    if (ident != NULL) {
        log_settings.ident = ident;
    }
    real.openlog(ident, options & ~LOG_PERROR, facility);
}

INTERPOSE void
closelog(void)
{
    real_need();
    log_settings.ident = NULL;
    real.closelog();
}

void
standard_error_print(int priority, const char *format, va_list args)
{
    int errno_before = errno; /* for %m, and for what comes after us */
    if ((log_settings.options & LOG_PERROR) == 0 ||
        (LOG_MASK(LOG_PRI(priority)) & setlogmask(0)) == 0) {
        return;
    }
    char *text = NULL;
    char *line = NULL;
    char pid[16] = "";
    int len = vasprintf(&text, format, args);
    if (len >= 0) {
        if ((log_settings.options & LOG_PID) != 0) {
            snprintf(pid, sizeof(pid), "[%d]", (int)getpid());
        }
        const char *end = len > 0 && text[len - 1] == '\n' ? "" : "\n";
        len = asprintf(&line, "%s%s: %s%s",
                       log_settings.ident != NULL ? log_settings.ident
                                                  : program_invocation_short_name,
                       pid, text, end);
        free(text);
    }
    if (len >= 0) {
        say(line, (size_t)len);
        free(line);
    }
    errno = errno_before;
}

INTERPOSE void
vsyslog(int priority, const char *format, va_list args)
{
    va_list copy;
    real_need();
    va_copy(copy, args);
    standard_error_print(priority, format, copy);
    va_end(copy);
    real.vsyslog(priority, format, args);
}

INTERPOSE void
syslog(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsyslog(priority, format, args);
    va_end(args);
}
