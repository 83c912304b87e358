#include "shim/session/audit_sink.h"

#include <errno.h>
#include <stdatomic.h>

#include "shim/session/audit_file.h"
#include "shim/session/audit_journal.h"
#include "shim/session/audit_syslog.h"
#include "shim/session/table.h"

static enum policy_log sink_kind;
static _Atomic int sink_fd = -1;

static int
open_kind(enum policy_log kind, const char *path, const struct audit_io *io)
{
    switch (kind) {
    case POLICY_LOG_FILE:
        return audit_file_open(path, io);
    case POLICY_LOG_STDERR:
        return audit_file_open_stderr(io);
    case POLICY_LOG_SYSLOG:
        return audit_syslog_open(io);
    case POLICY_LOG_JOURNALD:
        return audit_journal_open(io);
    case POLICY_LOG_NONE:
        break;
    }
    return -ENOENT;
}

int
audit_sink_open(enum policy_log kind, const char *path, const struct audit_io *io)
{
    int old = atomic_exchange(&sink_fd, -1);
    if (old >= 0) {
        table_disown(old);
        io->close(old);
    }
    audit_file_forget(io);
    if (kind == POLICY_LOG_NONE) {
        return 0;
    }
    int fd = open_kind(kind, path, io);
    if (fd < 0) {
        return fd;
    }
    sink_kind = kind;
    atomic_store(&sink_fd, table_raise(fd));
    return 0;
}

bool
audit_sink_is_open(void)
{
    return atomic_load_explicit(&sink_fd, memory_order_relaxed) >= 0;
}

int
audit_sink_follow(void)
{
    int fd = atomic_load(&sink_fd);
    return fd >= 0 && sink_kind == POLICY_LOG_FILE ? audit_file_follow(fd) : 0;
}

bool
audit_sink_write(struct audit_sink_line *line)
{
    int fd = atomic_load(&sink_fd);
    if (fd < 0) {
        return false;
    }
    switch (sink_kind) {
    case POLICY_LOG_SYSLOG:
        return audit_syslog_write(fd, line);
    case POLICY_LOG_JOURNALD:
        return audit_journal_write(fd, line);
    default:
        return audit_file_write(fd, line);
    }
}
