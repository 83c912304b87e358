#include "shim/session/audit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/audit_json.h"
#include "shim/session/audit_sink.h"

#define ADDRESS_LEN (INET6_ADDRSTRLEN + sizeof("[]:65535"))

static const char *own_program, *own_service;
static enum policy_log_level least_level;
static _Atomic uint64_t dropped_count;

static const struct {
    const char *name;
    enum policy_log_level level;
} events[] = {
    [AUDIT_POLICY_LOADED] = {"policy_loaded", POLICY_LEVEL_INFO},
    [AUDIT_HANDSHAKE_OK] = {"handshake_ok", POLICY_LEVEL_INFO},
    [AUDIT_HANDSHAKE_FAILED] = {"handshake_failed", POLICY_LEVEL_WARNING},
    [AUDIT_DENIED] = {"denied", POLICY_LEVEL_WARNING},
    [AUDIT_PLAINTEXT] = {"plaintext", POLICY_LEVEL_INFO},
    [AUDIT_CLOSED] = {"closed", POLICY_LEVEL_INFO},
    [AUDIT_OBSERVED] = {"observed", POLICY_LEVEL_INFO},
    [AUDIT_WARNING] = {"warning", POLICY_LEVEL_WARNING},
    [AUDIT_CUT] = {"cut", POLICY_LEVEL_WARNING},
    [AUDIT_CERTIFICATE_RELOADED] = {"certificate_reloaded", POLICY_LEVEL_INFO},
    [AUDIT_TRUST_RELOADED] = {"trust_reloaded", POLICY_LEVEL_INFO},
    [AUDIT_CRL_RELOADED] = {"crl_reloaded", POLICY_LEVEL_INFO},
    [AUDIT_RELOAD_FAILED] = {"reload_failed", POLICY_LEVEL_WARNING},
    [AUDIT_CERTIFICATE_EXPIRING] = {"certificate_expiring", POLICY_LEVEL_WARNING},
};

static const char *const level_names[] = {
    [POLICY_LEVEL_ERROR] = "error",
    [POLICY_LEVEL_WARNING] = "warning",
    [POLICY_LEVEL_INFO] = "info",
    [POLICY_LEVEL_DEBUG] = "debug",
};

static int
read_level(const char *name, enum policy_log_level *level)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum policy_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

static enum policy_log
read_target(const char *name)
{
    return strcmp(name, "none") == 0     ? POLICY_LOG_NONE
           : strcmp(name, "stderr") == 0 ? POLICY_LOG_STDERR
           : strcmp(name, "syslog") == 0 ? POLICY_LOG_SYSLOG
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

/* Writes "1.2.3.4:5" or "[::1]:5"; nothing for other families. */
static void
format_address(const struct sockaddr *address, char text[ADDRESS_LEN])
{
    size_t len = 0;
    uint16_t port = 0;
    text[0] = '\0';
    if (address == NULL) {
        return;
    }
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN);
        port = ntohs(in->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in =
            (const struct sockaddr_in6 *)(const void *)address;
        port = ntohs(in->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr)) {
            inet_ntop(AF_INET, &in->sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
        } else {
            text[0] = '[';
            inet_ntop(AF_INET6, &in->sin6_addr, text + 1, INET6_ADDRSTRLEN);
            len = strlen(text);
            text[len] = ']';
            text[len + 1] = '\0';
        }
    } else {
        return;
    }
    len = strlen(text);
    text[len++] = ':';
    len = audit_json_decimal(text, len, port, 1);
    text[len] = '\0';
}

static void
put_address(struct audit_json *json, const char *key, const struct sockaddr *address)
{
    char text[ADDRESS_LEN];
    format_address(address, text);
    audit_json_text(json, key, text, ADDRESS_LEN);
}

static void
put_count(struct audit_json *json, const char *key, int64_t count)
{
    if (count >= 0) {
        audit_json_number(json, key, count);
    }
}

static void
put_process(struct audit_json *json, int pid)
{
    audit_json_number(json, "pid", pid);
    audit_json_number(json, "uid", (int64_t)geteuid());
    audit_json_text(json, "program", own_program, 360);
    audit_json_text(json, "service", own_service, 96);
}

static void
put_connection(struct audit_json *json, const struct audit_record *record)
{
    audit_json_text(json, "rule", record->rule, 96);
    audit_json_text(json, "mode", record->mode, 12);
    if (record->has_direction) {
        audit_json_text(json, "direction",
                        record->direction == POLICY_INBOUND ? "inbound" : "outbound", 8);
    }
    put_address(json, "local", record->local);
    put_address(json, "remote", record->remote);
    audit_json_text(json, "dialled_name", record->dialled_name, 280);
}

static void
put_reason(struct audit_json *json, const struct audit_record *record)
{
    const struct failure *failure = record->failure;
    if (failure != NULL && failure->reason != REASON_NONE) {
        audit_json_text(json, "reason", reason_code(failure->reason), 40);
    }
    bool has_words = failure != NULL && failure->detail[0] != '\0';
    audit_json_text(json, "detail", has_words ? failure->detail : record->detail, 400);
}

static void
put_peer(struct audit_json *json, const struct peer *peer)
{
    if (peer != NULL) {
        audit_json_text(json, "peer_subject", peer->subject, 400);
        audit_json_text(json, "peer_san", peer->san, 720);
        audit_json_text(json, "peer_serial", peer->serial, sizeof(peer->serial));
        audit_json_text(json, "peer_sha256", peer->sha256, sizeof(peer->sha256));
        audit_json_text(json, "issuer", peer->issuer, 240);
    }
}

static void
put_tls(struct audit_json *json, const struct audit_record *record)
{
    audit_json_text(json, "identity", record->identity, 40);
    audit_json_text(json, "own_serial", record->own_serial, 64);
    audit_json_text(json, "version", record->version, 8);
    audit_json_text(json, "cipher", record->cipher, 64);
    audit_json_text(json, "group", record->group, 40);
    if (record->resumed >= 0) {
        audit_json_bool(json, "resumed", record->resumed != 0);
    }
    put_count(json, "duration_ms", record->duration_ms);
    put_count(json, "bytes_in", record->bytes_in);
    put_count(json, "bytes_out", record->bytes_out);
}

/* Together the fields' bounds stay below the line's, so that none has to be left out. */
static void
format_line(const struct audit_record *record, uint64_t dropped,
            struct audit_sink_line *line)
{
    struct timespec now;
    char time[AUDIT_TIME_LEN];
    struct audit_json json;
    enum policy_log_level level = events[record->event].level;
    clock_gettime(CLOCK_REALTIME, &now);
    audit_time_split(now.tv_sec, (unsigned)(now.tv_nsec / 1000000), &line->time);
    audit_time_rfc3339(&line->time, time);
    line->pid = getpid(); /* not the one of session_self(): there is vfork, too */
    line->is_warning = level == POLICY_LEVEL_WARNING;

    audit_json_open(&json, audit_sink_text(line), AUDIT_SINK_LINE_MAX);
    audit_json_text(&json, "time", time, sizeof(time));
    audit_json_text(&json, "event", events[record->event].name, 24);
    audit_json_text(&json, "level", level_names[level], 8);
    if (dropped > 0) {
        audit_json_number(&json, "dropped", (int64_t)dropped);
    }
    put_process(&json, line->pid);
    put_connection(&json, record);
    put_reason(&json, record);
    put_peer(&json, record->peer);
    put_tls(&json, record);
    line->len = audit_json_close(&json);
}

void
audit_write(const struct audit_record *record)
{
    if (!audit_sink_is_open() || events[record->event].level > least_level) {
        return;
    }
    int error = errno;
    struct audit_sink_line line;
    uint64_t dropped = atomic_exchange(&dropped_count, 0);
    format_line(record, dropped, &line);
    if (!audit_sink_write(&line)) {
        atomic_fetch_add(&dropped_count, dropped + 1);
    }
    errno = error;
}
