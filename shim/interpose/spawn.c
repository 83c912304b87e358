/*
 * posix_spawn(3): libc forks and execs by itself, so what has to go along is made ready
 * when the program says that its child shall have it.
 */
#include "shim/interpose/spawn.h"
#include "shim/interpose/environment.h"
#include "shim/interpose/exec.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/governed.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

enum { PROMISES = 64 };

/* An fd that a child is to get when these actions are carried out. */
static struct promise {
    const posix_spawn_file_actions_t *actions; /* NULL = free */
    struct handle *handle;                     /* with a reference */
} promises[PROMISES];
static pthread_mutex_t promises_mutex = PTHREAD_MUTEX_INITIALIZER;

static int
promise(const posix_spawn_file_actions_t *actions, struct handle *handle)
{
    int result = EAGAIN;
    pthread_mutex_lock(&promises_mutex);
    for (int i = 0; i < PROMISES && result != 0; i++) {
        if (promises[i].actions == NULL) {
            table_ref(handle);
            promises[i] = (struct promise){actions, handle};
            result = 0;
        }
    }
    pthread_mutex_unlock(&promises_mutex);
    return result;
}

static void
forget(const posix_spawn_file_actions_t *actions)
{
    pthread_mutex_lock(&promises_mutex);
    for (int i = 0; i < PROMISES; i++) {
        if (promises[i].actions == actions) {
            promises[i].actions = NULL;
            table_release(promises[i].handle);
        }
    }
    pthread_mutex_unlock(&promises_mutex);
}

void
spawn_fork_prepare(void)
{
    pthread_mutex_lock(&promises_mutex);
}

void
spawn_fork_parent(void)
{
    pthread_mutex_unlock(&promises_mutex);
}

/* References of fds alone have come over fork (session_fork_child()). */
void
spawn_fork_child(void)
{
    for (int i = 0; i < PROMISES; i++) {
        if (promises[i].actions != NULL && atomic_load(&promises[i].handle->fds) > 0) {
            table_ref(promises[i].handle);
        } else {
            promises[i].actions = NULL;
        }
    }
    pthread_mutex_unlock(&promises_mutex);
}

/* The child holds the sessions, too, from before it exists. Returns whether there are
 * any. */
static bool
hold(const posix_spawn_file_actions_t *actions, void (*act)(struct session *, pid_t),
     pid_t child)
{
    bool any = false;
    pthread_mutex_lock(&promises_mutex);
    for (int i = 0; actions != NULL && i < PROMISES; i++) {
        if (promises[i].actions == actions) {
            act(promises[i].handle->session, child);
            any = true;
        }
    }
    pthread_mutex_unlock(&promises_mutex);
    return any;
}

INTERPOSE int
posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int copy)
{
    real_need();
    if (!table_governs(fd)) {
        return real.posix_spawn_file_actions_adddup2(actions, fd, copy);
    }
    int memfd = exec_portable(fd);
    GOVERNED_SCOPE *handle = table_acquire(fd); /* it may be another one by now */
    if (memfd < 0 || handle == NULL) {
        return memfd == -EPIPE ? real.posix_spawn_file_actions_adddup2(actions, fd, copy)
                               : EACCES;
    }
    handle->goes_along = false; /* that is for an exec of our own */
    /* Onto itself: the child's copy stays open over its exec. */
    int error = real.posix_spawn_file_actions_adddup2(actions, memfd, memfd);
    if (error == 0) {
        error = real.posix_spawn_file_actions_adddup2(actions, fd, copy);
    }
    return error != 0 ? error : promise(actions, handle);
}

INTERPOSE int
posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    real_need();
    forget(actions);
    return real.posix_spawn_file_actions_destroy(actions);
}

static void
reserve(struct session *session, pid_t child)
{
    (void)child;
    holder_add(&session->holders, -session_self());
    atomic_fetch_add(&session->mappings, 1);
}

static void
give(struct session *session, pid_t child)
{
    holder_replace(&session->holders, -session_self(), child > 0 ? holder_id(child) : 0);
    if (child == 0) { /* nobody */
        atomic_fetch_sub(&session->mappings, 1);
    }
}

typedef int spawn_function(pid_t *pid, const char *file,
                           const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attr, char *const argv[],
                           char *const env[]);

static int
spawn(spawn_function *call, pid_t *pid, const char *file,
      const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
      char *const argv[], char *const env[])
{
    pid_t child = 0;
    bool any = hold(actions, reserve, 0);
    if (any && !exec_is_loadable(file, env)) {
        (void)hold(actions, give, 0);
        return EACCES;
    }
    char library[PATH_MAX];
    int lent = exec_lend(file, env, library);
    if (lent < 0) {
        (void)hold(actions, give, 0);
        return EACCES;
    }
    char **kept = environment_keep(env, library);
    int error = kept == NULL && library[0] != '\0'
                    ? ENOMEM /* not with a library that it cannot load */
                    : call(&child, file, actions, attr, argv, kept != NULL ? kept : env);
    if (lent > 0) {
        exec_take_back(error == 0);
    }
    free(kept);
    if (any) {
        (void)hold(actions, give, error == 0 ? child : 0);
    }
    if (error == 0 && pid != NULL) {
        *pid = child;
    }
    return error;
}

INTERPOSE int
posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
            const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
    real_need();
    return spawn(real.posix_spawn, pid, path, actions, attr, argv, env);
}

INTERPOSE int
posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
    real_need();
    return spawn(real.posix_spawnp, pid, file, actions, attr, argv, env);
}

#define SHELL "/bin/sh"

INTERPOSE int
system(const char *command)
{
    real_need();
    char library[PATH_MAX] = "";
    int lent = command != NULL ? exec_lend(SHELL, environ, library) : 0;
    if (lent < 0) {
        errno = EACCES;
        return -1;
    }
    environment_keep_own(library);
    int status = real.system(command);
    int errno_then = errno;
    environment_have_own(library);
    if (lent > 0) {
        exec_take_back(status != -1);
    }
    errno = errno_then;
    return status;
}

/* Its shell gets what is not close-on-exec, so that no governed fd goes there. */
INTERPOSE int
wordexp(const char *words, wordexp_t *expanded, int flags)
{
    real_need();
    if ((flags & WRDE_NOCMD) == 0) {
        environment_keep_own("");
    }
    return real.wordexp(words, expanded, flags);
}

INTERPOSE FILE *
popen(const char *command, const char *mode)
{
    real_need();
    char library[PATH_MAX];
    int lent = exec_lend(SHELL, environ, library);
    if (lent < 0) {
        errno = EACCES;
        return NULL;
    }
    environment_keep_own(library);
    FILE *stream = real.popen(command, mode);
    int errno_then = errno;
    environment_have_own(library);
    if (lent > 0) {
        exec_take_back(stream != NULL);
    }
    errno = errno_then;
    return stream;
}
