/*
 * Has libc itself say something on fd 1 or 2, in one of the ways that it has:
 *
 *     libc_says WAY      "-" lists them, one a line
 *
 * What is said holds the words "said by libc" where the way lets us choose.
 */
#include <argp.h>
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <error.h>
#include <execinfo.h>
#include <fmtmsg.h>
#include <getopt.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>

#define TEXT "said by libc"

static void
by_printf(void)
{
    printf("%s\n", TEXT);
}

static void
by_puts(void)
{
    puts(TEXT);
}

static void
by_putchar(void)
{
    for (const char *text = TEXT "\n"; *text != '\0'; text++) {
        putchar(*text);
    }
}

static void
by_unlocked(void)
{
    (void)fputs_unlocked(TEXT "\n", stdout);
}

static void
by_wprintf(void)
{
    wprintf(L"%s\n", TEXT);
}

static void
by_stderr(void)
{
    fprintf(stderr, "%s\n", TEXT);
}

static void
by_dprintf(void)
{
    dprintf(STDERR_FILENO, "%s\n", TEXT);
}

static void
by_perror(void)
{
    errno = ENOENT;
    perror(TEXT);
}

static void
by_perror_bare(void)
{
    errno = ENOENT;
    perror(NULL);
}

static void
by_psignal(void)
{
    psignal(SIGTERM, TEXT);
}

static void
by_psiginfo(void)
{
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_USER};
    psiginfo(&info, TEXT);
}

static void
by_herror(void)
{
    h_errno = HOST_NOT_FOUND;
    herror(TEXT);
}

static void
by_warn(void)
{
    warn("%s", TEXT);
    warnx("%s", TEXT);
}

static void
by_err(void)
{
    errx(0, "%s", TEXT);
}

static void
by_error(void)
{
    error(0, ENOENT, "%s", TEXT);
    error_at_line(0, 0, "file", 1, "%s", TEXT);
}

static void
by_fmtmsg(void)
{
    (void)fmtmsg(MM_PRINT, "a:b", MM_ERROR, TEXT, "do", "tag:1");
}

static void
by_getopt(void)
{
    char *argv[] = {(char[]){TEXT}, (char[]){"-x"}, NULL};
    optind = 1;
    (void)getopt(2, argv, "a");
}

static void
by_argp(void)
{
    static const struct argp argp;
    struct argp_state state = {
        .root_argp = &argp, .name = (char[]){TEXT}, .err_stream = stderr};
    argp_error(&state, "%s", TEXT);
}

static void
by_syslog(void)
{
    openlog("libc_says", LOG_PERROR, LOG_USER);
    syslog(LOG_DEBUG, "%s", TEXT);
}

static void
call_vsyslog(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsyslog(LOG_DEBUG, format, args);
    va_end(args);
}

static void
by_vsyslog(void)
{
    openlog(NULL, LOG_PERROR | LOG_PID, LOG_USER);
    errno = ENOENT;
    call_vsyslog("%s: %m\n", TEXT);
}

static void
by_backtrace(void)
{
    void *frames[8];
    backtrace_symbols_fd(frames, backtrace(frames, 8), STDERR_FILENO);
}

static void
by_malloc_stats(void)
{
    malloc_stats();
    (void)malloc_info(0, stdout);
}

/* As the compiler has it called where a function's frame is damaged. */
extern void __stack_chk_fail(void);

static void
by_stack_smash(void)
{
    __stack_chk_fail();
}

extern ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);

static void
by_read_chk(void)
{
    char buf[4];
    (void)!__read_chk(STDIN_FILENO, buf, sizeof(buf) + 1, sizeof(buf));
}

extern int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);

static void
by_poll_chk(void)
{
    struct pollfd fds[2] = {{.fd = -1}, {.fd = -1}};
    (void)__poll_chk(fds, 2, 0, sizeof(fds[0]));
}

static void
by_assert(void)
{
    assert(TEXT == NULL);
}

static const struct {
    const char *name;
    void (*say)(void);
} ways[] = {
    {"printf", by_printf},
    {"puts", by_puts},
    {"putchar", by_putchar},
    {"fputs_unlocked", by_unlocked},
    {"wprintf", by_wprintf},
    {"stderr", by_stderr},
    {"dprintf", by_dprintf},
    {"perror", by_perror},
    {"perror_bare", by_perror_bare},
    {"psignal", by_psignal},
    {"psiginfo", by_psiginfo},
    {"herror", by_herror},
    {"warn", by_warn},
    {"err", by_err},
    {"error", by_error},
    {"fmtmsg", by_fmtmsg},
    {"getopt", by_getopt},
    {"argp", by_argp},
    {"syslog", by_syslog},
    {"vsyslog", by_vsyslog},
    {"backtrace_symbols_fd", by_backtrace},
    {"malloc_stats", by_malloc_stats},
    {"assert", by_assert},
    {"stack_smash", by_stack_smash},
    {"read_chk", by_read_chk},
    {"poll_chk", by_poll_chk},
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], "-") == 0) {
            puts(ways[i].name);
        } else if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].say();
        }
    }
    return 0;
}
