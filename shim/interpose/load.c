#include "shim/interpose/load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "shim/interpose/adopt.h"
#include "shim/interpose/environment.h"
#include "shim/interpose/epoll.h"
#include "shim/interpose/fd.h"
#include "shim/interpose/govern.h"
#include "shim/interpose/names.h"
#include "shim/interpose/pages.h"
#include "shim/interpose/real.h"
#include "shim/interpose/spawn.h"
#include "shim/interpose/stdio.h"
#include "shim/interpose/stream.h"
#include "shim/interpose/wait.h"
#include "shim/session/audit.h"
#include "shim/session/audit_sink.h"
#include "shim/session/command.h"
#include "shim/session/generation.h"
#include "shim/session/last_thread.h"
#include "shim/session/metrics.h"
#include "shim/session/ocsp_query.h"
#include "shim/session/recheck.h"
#include "shim/session/reload.h"
#include "shim/session/service.h"
#include "shim/session/session.h"
#include "shim/session/system.h"

static struct load_process process;
static const struct load_process no_process;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool loading __attribute__((tls_model("initial-exec")));

/* One write each, past stdio: the program's streams are its own.  Nothing is said where
 * the peer of a connection would read it. */
static void
say(const char *text)
{
    char line[1024];
    int domain;
    socklen_t domain_len = sizeof(domain);
    if (real.getsockopt(STDERR_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) ==
            0 &&
        domain != AF_UNIX) {
        return;
    }
    int len = snprintf(line, sizeof(line), "mtls-shim: %s\n", text);
    if (len >= (int)sizeof(line)) {
        len = sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    (void)!real.write(STDERR_FILENO, line, (size_t)len);
}

static void
say_problem(void *context, const struct policy_problem *problem)
{
    char words[900];
    (void)context;
    if (problem->line > 0) {
        snprintf(words, sizeof(words), "%s:%d: %s", problem->path, problem->line,
                 problem->text);
    } else {
        snprintf(words, sizeof(words), "%s: %s", problem->path, problem->text);
    }
    say(words);
}

__attribute__((noreturn)) static void
stop(void)
{
    real._exit(POLICY_EXIT_CONFIG);
    __builtin_unreachable();
}

/* Defined by our own tools: they are not to be stopped by the policy they are to check.
 */
extern const char mtls_shim_is_tool __attribute__((weak));

/* Only these two words: a misspelt one must not switch protection off. */
static bool
switched_on(void)
{
    const char *mode = environment_get("MTLS_SHIM");
    if (&mtls_shim_is_tool != NULL) {
        return false;
    }
    if (mode == NULL || mode[0] == '\0' || strcmp(mode, "on") == 0) {
        return true;
    }
    if (strcmp(mode, "off") == 0) {
        return false;
    }
    say("MTLS_SHIM must be \"on\" or \"off\"");
    stop();
}

static void
read_program(void)
{
    ssize_t len =
        readlink("/proc/self/exe", process.program, sizeof(process.program) - 1);
    process.program[len > 0 ? len : 0] = '\0';
    command_set((const char *)getauxval(AT_EXECFN)); // NOLINT(performance-no-int-to-ptr)
}

static void
open_log(const struct policy *policy, bool is_descendant)
{
    static struct audit_io io;
    io = (struct audit_io){
        .open = open,
        .write = real.write,
        .socket = socket,
        .connect = (int (*)(int, const struct sockaddr *, socklen_t))(void *)real.connect,
        .close = real.close,
        .fcntl = real.fcntl,
    };
    int result = audit_open(policy, process.program, process.service, &io);
    if ((result == -EACCES || result == -EPERM) && is_descendant) {
        /* The first program could open it. syslog, if there is one, is for anybody. */
        (void)audit_sink_open(POLICY_LOG_SYSLOG, NULL, &io);
        result = 0;
    }
    if (result < 0) {
        const char *from_environment = environment_get("MTLS_SHIM_LOG");
        char words[512];
        snprintf(words, sizeof(words), "%s: the audit log %s cannot be opened: %s",
                 policy->path,
                 from_environment != NULL   ? from_environment
                 : policy->log_path != NULL ? policy->log_path
                                            : "(syslog)",
                 strerror(-result));
        say(words);
        stop();
    }
}

/* Nothing depends on it: a program that cannot count goes on without. */
static void
open_metrics(const struct policy *policy)
{
    char words[512];
    int result = metrics_start(policy, process.program, process.service);
    if (result < 0) {
        snprintf(words, sizeof(words), "metrics_dir %s: %s; nothing is counted",
                 policy->metrics_dir, strerror(-result));
        audit_warn(words);
    }
}

/* ---- fork
 * ----------------------------------------------------------------------------------- */

void
load_bare_fork_prepare(void)
{
    ocsp_query_hold();
    service_stop();
    load_fork_prepare();
}

void
load_bare_fork_parent(void)
{
    load_fork_parent();
    service_go_on();
    ocsp_query_release();
}

void
load_fork_prepare(void)
{
    spawn_fork_prepare();
    session_fork_prepare();
}

void
load_fork_parent(void)
{
    session_fork_parent();
    spawn_fork_parent();
}

void
load_fork_child(void)
{
    session_fork_child();
    spawn_fork_child();
    names_fork_child();
    epoll_fork_child();
    last_thread_main_is(service_wake);
}

/* For the library's own ends: what a name service does is not governed either. */
static int
resolve(const char *node, const char *service, const struct addrinfo *hints,
        struct addrinfo **result)
{
    bool was_loading = loading;
    loading = true;
    int status = real.getaddrinfo(node, service, hints, result);
    loading = was_loading;
    return status;
}

static void
load_policy(void)
{
    const char *path = environment_get("MTLS_SHIM_POLICY");
    struct policy_report report = {.problem = say_problem};
    bool is_descendant = environment_was_loaded();
    struct generation *generation =
        generation_load(path != NULL && path[0] != '\0' ? path : POLICY_DEFAULT_PATH,
                        is_descendant, &report);
    if (generation == NULL) {
        stop();
    }
    if (!stream_is_known()) {
        say("this C library's streams are not as they were when mtls-shim was built");
        stop();
    }
    const struct policy *policy = generation_policy(generation);
    process.service = environment_get("MTLS_SHIM_SERVICE");
    if (process.service != NULL) {
        process.service = strdup(process.service); /* the program may change its own */
    }
    read_program();
    environment_remember();
    open_log(policy, is_descendant);
    generation_install(generation);
    session_set_limits(policy);
    open_metrics(policy);
    system_calls.getaddrinfo = resolve;
    fd_init();
    wait_init();
    pthread_atfork(load_fork_prepare, load_fork_parent, load_fork_child);
    (void)at_quick_exit(session_close_all); /* the first is the last to be called */
    last_thread_main_is(service_wake);
    process.is_on = true;
    recheck_rules.find = govern_again;
    reload_start(is_descendant);
}

static void
load(void)
{
    int errno_before = errno;
    loading = true;
    real_need();
    if (switched_on()) {
        pages_bring_in();
        load_policy();
    }
    loading = false;
    errno = errno_before;
}

const struct load_process *
load_process(void)
{
    if (loading) {
        return &no_process;
    }
    pthread_once(&once, load);
    return &process;
}

/* Other libraries' constructors may have come before; main has not. */
__attribute__((constructor)) static void
load_at_start(void)
{
    if (load_process()->is_on) {
        adopt_inherited();
    }
}

__attribute__((destructor)) static void
end_at_exit(void)
{
    if (process.is_on) {
        stdio_end();
        session_close_all();
    }
}

const char *
load_user(uid_t uid)
{
    static _Thread_local struct {
        bool known;
        uid_t uid;
        char name[64];
    } last __attribute__((tls_model("initial-exec")));
    if (!last.known || last.uid != uid) {
        char buf[1024];
        struct passwd entry;
        struct passwd *found = NULL;
        bool was_loading = loading;
        loading = true; /* a name service may open connections of its own */
        int error = getpwuid_r(uid, &entry, buf, sizeof(buf), &found);
        loading = was_loading;
        snprintf(last.name, sizeof(last.name), "%s",
                 error == 0 && found != NULL ? found->pw_name : "");
        last.uid = uid;
        last.known = true;
    }
    return last.name[0] != '\0' ? last.name : NULL;
}
