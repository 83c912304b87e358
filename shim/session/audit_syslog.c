#include "shim/session/audit_syslog.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "shim/session/audit_json.h"
#include "shim/session/audit_socket.h"

#define HEADER_LEN 256

static char host[HOST_NAME_MAX + 1];

/* HOSTNAME is of printable ASCII, or "-". */
static void
read_host(void)
{
    if (gethostname(host, sizeof(host)) != 0) {
        host[0] = '\0';
    }
    host[HOST_NAME_MAX] = '\0';
    for (const char *at = host; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            host[0] = '\0';
            break;
        }
    }
    if (host[0] == '\0') {
        memcpy(host, "-", sizeof("-"));
    }
}

int
audit_syslog_open(const struct audit_io *io)
{
    read_host();
    return audit_socket_open("/dev/log", io);
}

static size_t
append(char *text, size_t len, const char *words)
{
    return (size_t)(stpcpy(text + len, words) - text);
}

/* "<30>1 2026-11-24T22:41:30.123Z host mtls-shim 12 handshake_ok - ".  The message's
 * byte order mark, which section 6.4 has for UTF-8, would spoil the JSON. */
static size_t
put_header(const struct audit_sink_line *line, char text[HEADER_LEN])
{
    char time[AUDIT_TIME_LEN];
    audit_time_rfc3339(&line->time, time);
    size_t len = append(text, 0, line->is_warning ? "<28>1 " : "<30>1 "); /* LOG_DAEMON */
    len = append(text, len, time);
    len = append(text, len, " ");
    len = append(text, len, host);
    len = append(text, len, " mtls-shim ");
    len = audit_json_decimal(text, len, (uint64_t)line->pid, 1);
    len = append(text, len, " ");
    len = append(text, len, line->event);
    return append(text, len, " - ");
}

bool
audit_syslog_write(int fd, struct audit_sink_line *line)
{
    char header[HEADER_LEN];
    struct iovec parts[] = {
        {header, put_header(line, header)},
        {audit_sink_text(line), line->len - 1}, /* no newline */
    };
    return audit_socket_send(fd, parts, 2);
}
