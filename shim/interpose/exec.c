/*
 * exec: for the kernel governed fds are close-on-exec.  Those that the program wants the
 * next one to have (0 to 2, and what it says so of) go with their sessions; where that
 * cannot be done, there is no exec.  Those that were merely made without FD_CLOEXEC go
 * along if that costs nobody anything: a program that starts a helper hardly means them.
 */
#include "shim/interpose/exec.h"

#include <stdlib.h>
#include <string.h>

#include "shim/interpose/environment.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"
#include "shim/interpose/library.h"
#include "shim/interpose/load.h"
#include "shim/interpose/wait.h"
#include "shim/session/audit.h"
#include "shim/session/pool.h"
#include "shim/target/check.h"

int
exec_portable(int fd)
{
    GOVERNED_SCOPE *handle = table_acquire(fd);
    if (handle == NULL) {
        return -EPIPE; /* in plaintext by now, or closed by another thread */
    }
    (void)wait_handshake(handle, fd, session_limits.handshake_timeout_ms);
    int state = atomic_load(&handle->session->state);
    if (state == SESSION_FAILED || state == SESSION_PLAINTEXT) {
        return -EPIPE;
    }
    int memfd = state == SESSION_OPEN ? session_portable(handle, fd) : -EAGAIN;
    if (memfd < 0) {
        audit_warn("a governed connection cannot be passed on: its handshake is not "
                   "done, or there is no memory or descriptor for it");
    }
    return memfd < 0 ? -EACCES : memfd;
}

/* Whether connections may go to a program; with the library that it is given. */
static bool
is_loadable(const char *file, char *const env[], char library[PATH_MAX])
{
    char program[PATH_MAX];
    struct target_refusal refusal;
    library[0] = '\0';
    if (environment_is_off(env)) {
        audit_warn("exec was refused a governed connection: MTLS_SHIM=off");
        return false;
    }
    if (target_find_program(file, program, &refusal) != 0) {
        return true;
    }
    if (getuid() != geteuid() || getgid() != getegid()) {
        audit_warn(
            "a governed connection cannot go to a program whose real and effective "
            "users or groups differ: the loader leaves the library out (AT_SECURE)");
        return false;
    }
    if (library_check(program, library, &refusal) != 0) {
        char words[400];
        snprintf(words, sizeof(words),
                 "a governed connection cannot go to this program: %.300s", refusal.text);
        audit_warn(words);
        return false;
    }
    if (library[0] != '\0') {
        audit_warn("a governed connection cannot go to a program of another C library");
        return false;
    }
    return true;
}

bool
exec_is_loadable(const char *file, char *const env[])
{
    char library[PATH_MAX];
    return is_loadable(file, env, library);
}

static bool
must_go(int fd)
{
    enum table_exec exec = table_get_exec(fd);
    return exec == TABLE_EXEC_WANTED ||
           (exec == TABLE_EXEC_UNSAID && fd <= STDERR_FILENO && table_governs(fd));
}

/* One that was merely made without FD_CLOEXEC: no handshake is waited for, and none is
 * moved to memory of its own, or taken over by another user's program, which would end it
 * for others that have it. */
static bool
may_go(int fd, const struct handle *handle)
{
    return table_get_exec(fd) == TABLE_EXEC_UNSAID && table_governs(fd) &&
           atomic_load(&handle->session->state) == SESSION_OPEN &&
           session_memfd(handle) >= 0 && pool_may_share(session_memfd(handle));
}

/* What is to be passed on. */
struct luggage {
    bool must, may; /* there is something that must go, or may */
    int result;
};

static void
look_through(int fd, struct handle *handle, void *context)
{
    struct luggage *luggage = context;
    GOVERNED_SCOPE *held = table_acquire(fd);
    if (held != NULL && held == handle) {
        luggage->must = luggage->must || must_go(fd);
        luggage->may = luggage->may || may_go(fd, handle);
    }
}

static void
pass_on(int fd, struct handle *handle, void *context)
{
    struct luggage *luggage = context;
    GOVERNED_SCOPE *held = table_acquire(fd);
    if (luggage->result < 0 || held == NULL || held != handle ||
        (!must_go(fd) && !may_go(fd, handle))) {
        return;
    }
    int memfd = exec_portable(fd);
    if (memfd >= 0) {
        (void)real.fcntl(memfd, F_SETFD, 0);
    }
    if (memfd >= 0 || memfd == -EPIPE) {
        (void)real.fcntl(fd, F_SETFD, 0);
    } else {
        luggage->result = memfd;
    }
}

/* Puts back what pass_on() did. */
static void
take_back(int fd, struct handle *handle, void *context)
{
    (void)context;
    if (must_go(fd) || handle->goes_along) {
        (void)real.fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (handle->goes_along) {
            (void)real.fcntl(session_memfd(handle), F_SETFD, FD_CLOEXEC);
        }
    }
}

static void
unpack(int fd, struct handle *handle, void *context)
{
    (void)fd;
    (void)context;
    handle->goes_along = false;
}

static void
take_all_back(void)
{
    table_each(take_back, NULL);
    table_each(unpack, NULL); /* of all its fds */
}

/* Lets go of what is in plaintext by now: libc's rules apply to it. */
static void
let_go(int fd, struct handle *handle, void *context)
{
    (void)handle;
    (void)context;
    struct handle *held = table_acquire(fd);
    if (held != NULL) {
        table_release(held);
    }
}

/* Readies what goes along. Returns 1; 0 there is nothing; -EACCES it cannot go. */
static int
ready(const char *file, char *const env[])
{
    struct luggage luggage = {.result = 0};
    table_each(let_go, NULL);
    table_each(look_through, &luggage);
    if (!luggage.must && !luggage.may) {
        return 0;
    }
    if (!exec_is_loadable(file, env)) {
        return luggage.must ? -EACCES : 0;
    }
    table_each(pass_on, &luggage);
    if (luggage.result < 0) {
        take_all_back();
        return luggage.result;
    }
    return 1;
}

/* Without its file the loader goes on without the library: a package that was removed,
 * or another root directory, would have all that is started from now on in plaintext. An
 * upgrade puts the new file in the place of the old one in one step. */
static bool
keeps_library(const char *file, char *const env[])
{
    char program[PATH_MAX];
    struct target_refusal refusal;
    if (environment_has_library() || environment_is_off(env) || !load_process()->is_on ||
        target_find_program(file, program, &refusal) != 0) {
        return true; /* what is not there is not started */
    }
    audit_warn("exec was refused: the library's file is gone, and what is started would "
               "be in plaintext");
    return false;
}

/* Finds the library that a program of another C library is to be given: "" = our own.
 * Returns 0; -EACCES: without one it would be in plaintext. */
static int
choose_library(const char *file, char *const env[], char library[PATH_MAX])
{
    char program[PATH_MAX];
    struct target_refusal refusal;
    library[0] = '\0';
    if (!keeps_library(file, env)) {
        return -EACCES;
    }
    if (!load_process()->is_on || library_is_alone() ||
        target_find_program(file, program, &refusal) != 0 ||
        library_check(program, library, &refusal) == 0 || environment_is_off(env) ||
        strcmp(refusal.code, "other_libc") != 0) {
        return 0;
    }
    audit_warn("exec was refused: the program is of another C library, and there is no "
               "library for that");
    return -EACCES;
}

/* Returns 1 sessions are ready for it; 0 there is nothing to do; -EACCES: no exec. */
static int
before(const char *file, char *const env[], char library[PATH_MAX])
{
    char program[PATH_MAX];
    struct target_refusal refusal;
    if (choose_library(file, env, library) < 0) {
        return -EACCES;
    }
    if (table_count == 0 || session_is_stranger() ||
        target_find_program(file, program, &refusal) != 0) {
        return 0; /* what is not there is not started: connections need not end for it */
    }
    int result = ready(file, env);
    if (result < 0) {
        return result;
    }
    session_before_exec(false);
    return 1;
}

/* The child is a holder from before it exists; it puts itself in that place. */
static void
reserve(int fd, struct handle *handle, void *context)
{
    const bool *undo = context;
    if (!handle->goes_along || atomic_load(&handle->fd_hint) != fd) {
        return; /* once per handle, not once per fd */
    }
    struct session *session = handle->session;
    if (*undo) {
        holder_replace(&session->holders, -session_self(), 0);
        atomic_fetch_sub(&session->mappings, 1);
    } else {
        holder_add(&session->holders, -session_self());
        atomic_fetch_add(&session->mappings, 1);
    }
}

int
exec_lend(const char *file, char *const env[], char library[PATH_MAX])
{
    bool undo = false;
    if (choose_library(file, env, library) < 0) {
        return -EACCES;
    }
    if (table_count == 0 || session_is_stranger()) {
        return 0;
    }
    int result = ready(file, env);
    if (result > 0) {
        table_each(reserve, &undo);
    }
    return result;
}

void
exec_take_back(bool started)
{
    bool undo = true;
    if (!started) {
        table_each(reserve, &undo);
    }
    take_all_back();
}

/* exec has come back: it failed. */
static void
after(void)
{
    session_before_exec(true);
    take_all_back();
}

/* An exec by any of its functions, as what it is called with. */
struct call {
    const char *file; /* for the check */
    const char *path; /* execveat(): as given */
    int dir;          /* execveat(), fexecve() */
    int flags;
    char *const *argv;
    char *const *env;
};

static int
run(const struct call *call, int (*exec)(const struct call *call, char *const *env))
{
    char library[PATH_MAX];
    int prepared = before(call->file, call->env, library);
    if (prepared < 0) {
        errno = -prepared;
        return -1;
    }
    char **kept = environment_keep(call->env, library);
    int result = -1;
    if (kept == NULL && library[0] != '\0') {
        errno = ENOMEM; /* not with a library that it cannot load */
    } else {
        result = exec(call, kept != NULL ? kept : call->env);
    }
    int errno_then = errno;
    free(kept);
    if (prepared > 0) {
        after();
    }
    errno = errno_then;
    return result;
}

static int
by_path(const struct call *call, char *const *env)
{
    return real.execve(call->file, call->argv, env);
}

static int
by_search(const struct call *call, char *const *env)
{
    return real.execvpe(call->file, call->argv, env);
}

static int
by_fd(const struct call *call, char *const *env)
{
    return real.fexecve(call->dir, call->argv, env);
}

INTERPOSE int
execve(const char *path, char *const argv[], char *const env[])
{
    real_need();
    struct call call = {.file = path, .argv = argv, .env = env};
    return run(&call, by_path);
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
    struct call call = {.file = file, .argv = argv, .env = env};
    return run(&call, by_search);
}

INTERPOSE int
execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

INTERPOSE int
fexecve(int fd, char *const argv[], char *const env[])
{
    char path[32];
    real_need();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct call call = {.file = path, .dir = fd, .argv = argv, .env = env};
    return run(&call, by_fd);
}

static int
at_dir(const struct call *call, char *const *env)
{
    return real.execveat(call->dir, call->path, call->argv, env, call->flags);
}

INTERPOSE int
execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
    char whole[PATH_MAX];
    real_need();
    if (dir == AT_FDCWD || path[0] == '/') {
        snprintf(whole, sizeof(whole), "%s", path);
    } else if (path[0] == '\0') {
        snprintf(whole, sizeof(whole), "/proc/self/fd/%d", dir);
    } else {
        snprintf(whole, sizeof(whole), "/proc/self/fd/%d/%s", dir, path);
    }
    struct call call = {.file = whole,
                        .path = path,
                        .dir = dir,
                        .flags = flags,
                        .argv = argv,
                        .env = env};
    return run(&call, at_dir);
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
run_list(int (*exec)(const char *path, char *const argv[], char *const env[]),
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
    return run_list(execve, path, argv, environ);
}

INTERPOSE int
execlp(const char *file, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = collect(arg, &args);
    va_end(args);
    return run_list(execvpe, file, argv, environ);
}

INTERPOSE int
execle(const char *path, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = collect(arg, &args);
    char *const *env = va_arg(args, char *const *);
    va_end(args);
    return run_list(execve, path, argv, env);
}
