#include "shim/session/audit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/libc/libc.h"
#include "shim/session/audit_line.h"
#include "shim/session/audit_rate.h"
#include "shim/session/audit_sink.h"
#include "shim/session/command.h"
#include "shim/session/metrics.h"

static const char *own_program, *own_service;
static enum policy_log_level least_level;
static _Atomic uint64_t dropped_count;
static _Atomic int counting_pid; /* whose the counts are: a child begins with none */

static int
read_level(const char *name, enum policy_log_level *level)
{
    for (size_t i = 0; i < AUDIT_LINE_LEVELS; i++) {
        if (strcmp(name, audit_line_levels[i]) == 0) {
            *level = (enum policy_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

static enum policy_log
read_target(const char *name)
{
    return strcmp(name, "none") == 0       ? POLICY_LOG_NONE
           : strcmp(name, "stderr") == 0   ? POLICY_LOG_STDERR
           : strcmp(name, "syslog") == 0   ? POLICY_LOG_SYSLOG
           : strcmp(name, "journald") == 0 ? POLICY_LOG_JOURNALD
                                           : POLICY_LOG_FILE;
}

int
audit_open(const struct policy *policy, const char *program, const char *service,
           const struct audit_io *io)
{
    const char *target = secure_getenv("MTLS_SHIM_LOG");
    const char *level = secure_getenv("MTLS_SHIM_LOG_LEVEL");
    enum policy_log kind = policy->log;
    const char *path = policy->log_path;
    own_program = program;
    own_service = service;
    least_level = policy->log_level;
    audit_rate_set(policy->log_rate);
    if (level != NULL && level[0] != '\0') {
        int result = read_level(level, &least_level);
        if (result < 0) {
            return result;
        }
    }
    if (target != NULL && target[0] != '\0') {
        kind = read_target(target);
        path = target;
    }
    return audit_sink_open(kind, path, io);
}

/* What the parent has lost is the parent's to tell. */
static void
count_as_this_process(void)
{
    int pid = getpid(); /* not that of session_self(): there is vfork, too */
    int before = atomic_exchange(&counting_pid, pid);
    if (before != pid && before != 0) {
        atomic_store(&dropped_count, 0);
        audit_rate_forget();
    }
}

static void
put_line(const struct audit_record *record, uint64_t suppressed, enum audit_event of)
{
    struct audit_sink_line line;
    struct audit_line_about about = {
        .program = own_program,
        .command = own_program != NULL ? command_other(own_program) : NULL,
        .service = own_service,
        .pid = getpid(),
        .dropped = atomic_exchange(&dropped_count, 0),
        .suppressed = suppressed,
    };
    audit_line_format(record, &about, &line);
    if (!audit_sink_write(&line)) {
        atomic_fetch_add(&dropped_count, about.dropped + 1);
        metrics_count_dropped();
        audit_rate_give_back(of, suppressed);
    }
}

static void
tell_stuck(int error)
{
    char words[160];
    struct audit_record line = AUDIT_RECORD_INIT;
    snprintf(words, sizeof(words),
             "the audit log's file was moved away and a new one cannot be opened (%s): "
             "lines still go into the old one",
             strerrordesc_np(error));
    line.event = AUDIT_WARNING;
    line.detail = words;
    put_line(&line, 0, AUDIT_WARNING);
}

static bool
is_wanted(enum audit_event event)
{
    return audit_sink_is_open() && audit_line_level(event) <= least_level;
}

void
audit_write(const struct audit_record *record)
{
    metrics_count(record);
    if (!is_wanted(record->event)) {
        return;
    }
    int error = errno;
    count_as_this_process();
    if (audit_rate_take(record->event)) {
        int stuck = audit_sink_follow();
        if (stuck < 0) {
            tell_stuck(-stuck);
        }
        put_line(record, audit_rate_suppressed(record->event), record->event);
    }
    errno = error;
}

void
audit_warn(const char *words)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = AUDIT_WARNING;
    line.detail = words;
    audit_write(&line);
}

void
audit_flush(bool is_end)
{
    int error = errno;
    count_as_this_process();
    for (int i = 0; i < AUDIT_EVENTS; i++) {
        enum audit_event event = (enum audit_event)i;
        if (!is_wanted(event) || (!is_end && !audit_rate_is_calm(event))) {
            continue;
        }
        uint64_t suppressed = audit_rate_suppressed(event);
        char words[120];
        struct audit_record line = AUDIT_RECORD_INIT;
        if (suppressed > 0) {
            snprintf(words, sizeof(words),
                     "lines with the event %s were too many: log_rate",
                     audit_line_event(event));
            line.event = AUDIT_WARNING;
            line.detail = words;
            put_line(&line, suppressed, event);
        }
    }
    errno = error;
}
