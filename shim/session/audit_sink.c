#include "shim/session/audit_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/audit_json.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

#define RECONNECT_SECONDS 1

static struct audit_io calls;
static enum policy_log sink_kind;
static bool is_plain_file; /* can neither be full nor lose its reader */
static _Atomic int sink_fd = -1;
static _Atomic bool is_torn;            /* the last line went out without its end */
static _Atomic int64_t reconnect_after; /* CLOCK_MONOTONIC's seconds */

static int
open_file(const char *path)
{
    /* Opening and writing a FIFO must not wait for its reader; files do not mind. */
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = calls.open(path, flags | O_WRONLY, 0640);
    if (fd < 0 && errno == ENXIO) {
        fd = calls.open(path, flags | O_RDWR, 0640); /* a FIFO whose reader is to come */
    }
    return fd >= 0 ? fd : -errno;
}

static int
connect_syslog(int fd)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX,
                                               .sun_path = "/dev/log"};
    return calls.connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0
               ? 0
               : -errno;
}

static int
open_syslog(void)
{
    int fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = connect_syslog(fd);
    if (result < 0 && result != -ECONNREFUSED) { /* that one is being restarted */
        calls.close(fd);
        return result;
    }
    return fd;
}

/* inetd's children have the connection there: log lines would go to the peer, in clear.
 */
static int
open_stderr(void)
{
    int domain;
    socklen_t len = sizeof(domain);
    if (system_calls.getsockopt(STDERR_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &len) ==
            0 &&
        domain != AF_UNIX) {
        return -ENOTSUP;
    }
    int fd = calls.fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return fd >= 0 ? fd : -errno;
}

static int
open_kind(enum policy_log kind, const char *path)
{
    switch (kind) {
    case POLICY_LOG_FILE:
        return open_file(path);
    case POLICY_LOG_STDERR:
        return open_stderr();
    case POLICY_LOG_SYSLOG:
        return open_syslog();
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
        calls.close(old);
    }
    if (kind == POLICY_LOG_NONE) {
        return 0;
    }
    calls = *io;
    int fd = open_kind(kind, path);
    if (fd < 0) {
        return fd;
    }
    sink_kind = kind;
    is_plain_file = lseek(fd, 0, SEEK_CUR) >= 0; /* pipes, sockets, terminals: ESPIPE */
    atomic_store(&is_torn, false);
    atomic_store(&reconnect_after, 0);
    atomic_store(&sink_fd, table_raise(fd));
    return 0;
}

bool
audit_sink_is_open(void)
{
    return atomic_load_explicit(&sink_fd, memory_order_relaxed) >= 0;
}

/* stderr may be a pipe without a reader; its SIGPIPE would be ours, not the program's. */
static ssize_t
write_without_signal(int fd, const char *bytes, size_t len)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    sigemptyset(&pending);
    sigpending(&pending);
    ssize_t n = calls.write(fd, bytes, len);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
        static const struct timespec at_once = {0, 0};
        (void)sigtimedwait(&broken, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

/* The fd may be shared with others and then has to stay blocking: look before. */
static bool
has_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    return system_calls.poll(&room, 1, 0) == 1 &&
           (room.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) == POLLOUT;
}

static bool
write_file(int fd, struct audit_sink_line *line)
{
    char *text = audit_sink_text(line);
    size_t len = line->len;
    if (!is_plain_file && !has_room(fd)) {
        return false;
    }
    if (atomic_exchange(&is_torn, false)) {
        *--text = '\n'; /* falls into the prefix */
        len++;
    }
    ssize_t n =
        is_plain_file ? calls.write(fd, text, len) : write_without_signal(fd, text, len);
    if (n != (ssize_t)len && (n > 0 || len > line->len)) {
        atomic_store(&is_torn, true);
    }
    return n == (ssize_t)len;
}

/* A socket without a name may be connected again: the fd, which other threads may be
 * using, stays the same one. */
static bool
reconnect(int fd)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t after = atomic_load(&reconnect_after);
    return now.tv_sec >= after &&
           atomic_compare_exchange_strong(&reconnect_after, &after,
                                          (int64_t)now.tv_sec + RECONNECT_SECONDS) &&
           connect_syslog(fd) == 0;
}

static size_t
append(char *text, size_t len, const char *words)
{
    return (size_t)(stpcpy(text + len, words) - text);
}

/* "<30>Nov 24 22:41:30 mtls-shim[12]: ", RFC 3164 section 4.1; returns where it begins.
 */
static char *
put_syslog_prefix(struct audit_sink_line *line)
{
    char prefix[AUDIT_SINK_PREFIX_LEN];
    char time[AUDIT_TIME_LEN];
    audit_time_rfc3164(&line->time, time);
    size_t len = append(prefix, 0, line->is_warning ? "<28>" : "<30>"); /* LOG_DAEMON */
    len = append(prefix, len, time);
    len = append(prefix, len, " mtls-shim[");
    len = audit_json_decimal(prefix, len, (uint64_t)line->pid, 1);
    len = append(prefix, len, "]: ");
    return memcpy(audit_sink_text(line) - len, prefix, len);
}

static bool
write_syslog(int fd, struct audit_sink_line *line)
{
    const char *start = put_syslog_prefix(line);
    const char *end = audit_sink_text(line) + line->len - 1; /* no newline */
    size_t len = (size_t)(end - start);
    ssize_t n = write_without_signal(fd, start, len);
    if (n < 0 && errno != EAGAIN && errno != EMSGSIZE && reconnect(fd)) {
        n = write_without_signal(fd, start, len);
    }
    return n == (ssize_t)len;
}

bool
audit_sink_write(struct audit_sink_line *line)
{
    int fd = atomic_load(&sink_fd);
    if (fd < 0) {
        return false;
    }
    return sink_kind == POLICY_LOG_SYSLOG ? write_syslog(fd, line) : write_file(fd, line);
}
