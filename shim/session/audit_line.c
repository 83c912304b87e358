#include "shim/session/audit_line.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/session/audit_json.h"

#define YEAR_9999_S INT64_C(253402300799) /* what RFC 3339 can tell ends then */
#define ADDRESS_LEN (INET6_ADDRSTRLEN + sizeof("[]:65535"))

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

const char *const audit_line_levels[] = {
    [POLICY_LEVEL_ERROR] = "error",
    [POLICY_LEVEL_WARNING] = "warning",
    [POLICY_LEVEL_INFO] = "info",
    [POLICY_LEVEL_DEBUG] = "debug",
};

enum policy_log_level
audit_line_level(enum audit_event event)
{
    return events[event].level;
}

const char *
audit_line_event(enum audit_event event)
{
    return events[event].name;
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
put_process(struct audit_json *json, int pid, const struct audit_line_about *about)
{
    audit_json_number(json, "pid", pid);
    audit_json_number(json, "uid", (int64_t)geteuid());
    audit_json_text(json, "program", about->program, 360);
    audit_json_text(json, "command", about->command, 96);
    audit_json_text(json, "service", about->service, 96);
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
    char end[AUDIT_TIME_LEN];
    struct audit_time time;
    if (peer != NULL) {
        audit_json_text(json, "peer_subject", peer->subject, 400);
        audit_json_text(json, "peer_san", peer->san, 720);
        audit_json_text(json, "peer_serial", peer->serial, sizeof(peer->serial));
        audit_json_text(json, "peer_sha256", peer->sha256, sizeof(peer->sha256));
        if (peer->not_after_s > 0 && peer->not_after_s <= YEAR_9999_S) {
            audit_time_split(peer->not_after_s, 0, &time);
            audit_time_rfc3339(&time, end);
            audit_json_text(json, "peer_not_after", end, sizeof(end));
        }
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
void
audit_line_format(const struct audit_record *record, const struct audit_line_about *about,
                  struct audit_sink_line *line)
{
    struct timespec now;
    char time[AUDIT_TIME_LEN];
    struct audit_json json;
    enum policy_log_level level = events[record->event].level;
    clock_gettime(CLOCK_REALTIME, &now);
    audit_time_split(now.tv_sec, (unsigned)(now.tv_nsec / 1000000), &line->time);
    audit_time_rfc3339(&line->time, time);
    line->pid = about->pid;
    line->is_warning = level == POLICY_LEVEL_WARNING;
    line->event = events[record->event].name;

    audit_json_open(&json, audit_sink_text(line), AUDIT_SINK_LINE_MAX);
    audit_json_text(&json, "time", time, sizeof(time));
    audit_json_text(&json, "event", line->event, 24);
    audit_json_text(&json, "level", audit_line_levels[level], 8);
    if (about->dropped > 0) {
        audit_json_number(&json, "dropped", (int64_t)about->dropped);
    }
    if (about->suppressed > 0) {
        audit_json_number(&json, "suppressed", (int64_t)about->suppressed);
    }
    put_process(&json, line->pid, about);
    put_connection(&json, record);
    put_reason(&json, record);
    put_peer(&json, record->peer);
    put_tls(&json, record);
    line->len = audit_json_close(&json);
}
