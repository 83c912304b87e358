/*
 * exec: governed fds are close-on-exec, so the new program does not get them; and where
 * it is clear that it should have (fds 0 to 2), there is no exec.
 */
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"

#include <stdlib.h>

static int
before(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (table_governs(fd)) {
            govern_warn(
                "exec was refused: the new program would get a governed connection "
                "as its standard input or output");
            errno = EACCES;
            return -1;
        }
    }
    if (table_count != 0) {
        session_before_exec(false);
    }
    return 0;
}

/* exec has come back: it failed. */
static int
after(int result)
{
    int errno_then = errno;
    if (table_count != 0) {
        session_before_exec(true);
    }
    errno = errno_then;
    return result;
}

INTERPOSE int
execve(const char *path, char *const argv[], char *const env[])
{
    real_need();
    return before() < 0 ? -1 : after(real.execve(path, argv, env));
}

INTERPOSE int
execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

INTERPOSE int
execvpe(const char *file, char *const argv[], char *const env[])
{
    real_need();
    return before() < 0 ? -1 : after(real.execvpe(file, argv, env));
}

INTERPOSE int
execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

INTERPOSE int
fexecve(int fd, char *const argv[], char *const env[])
{
    real_need();
    return before() < 0 ? -1 : after(real.fexecve(fd, argv, env));
}

INTERPOSE int
execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
    real_need();
    return before() < 0 ? -1 : after(real.execveat(dir, path, argv, env, flags));
}

/* The arguments of an execl() as an array, up to and with the NULL; freed by the caller.
 */
static char **
collect(const char *arg, va_list *args)
{
    size_t room = 16;
    size_t count = 0;
    char **argv = malloc(room * sizeof(*argv));
    for (const char *next = arg; argv != NULL; next = va_arg(*args, const char *)) {
        if (count == room) {
            char **larger = realloc(argv, (room *= 2) * sizeof(*argv));
            if (larger == NULL) {
                free(argv);
                return NULL;
            }
            argv = larger;
        }
        argv[count++] = (char *)next;
        if (next == NULL) {
            break;
        }
    }
    return argv;
}

static int
run(int (*exec)(const char *path, char *const argv[], char *const env[]),
    const char *path, char **argv, char *const env[])
{
    if (argv == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int result = exec(path, argv, env);
    int errno_then = errno;
    free(argv);
    errno = errno_then;
    return result;
}

INTERPOSE int
execl(const char *path, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = collect(arg, &args);
    va_end(args);
    return run(execve, path, argv, environ);
}

INTERPOSE int
execlp(const char *file, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = collect(arg, &args);
    va_end(args);
    return run(execvpe, file, argv, environ);
}

INTERPOSE int
execle(const char *path, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = collect(arg, &args);
    char *const *env = va_arg(args, char *const *);
    va_end(args);
    return run(execve, path, argv, env);
}

/* posix_spawn() itself goes around us; a governed fd may not be given to its child. */
INTERPOSE int
posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int copy)
{
    real_need();
    if (table_governs(fd)) {
        govern_warn("posix_spawn was refused a governed connection for its child");
        return EACCES;
    }
    return real.posix_spawn_file_actions_adddup2(actions, fd, copy);
}
