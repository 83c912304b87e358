#include "tools/ctl/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "shim/session/metrics_series.h"
#include "shim/session/reason.h"

/* ---- the format
 * ------------------------------------------------------------------------ */

static void
put_family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP mtls_shim_%s %s\n# TYPE mtls_shim_%s %s\n", name, help, name,
            type);
}

/* The bytes of a name may be any: what is not ASCII is left as it is if it is UTF-8, and
 * that is for the reader to say; control characters would end the line. */
static void
put_label(FILE *out, const char *separator, const char *name, const char *value)
{
    fprintf(out, "%s%s=\"", separator, name);
    for (const char *p = value; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\\' || c == '"') {
            fputc('\\', out);
        }
        fputc(c < 0x20 || c >= 0x7f ? '?' : c, out);
    }
    fputc('"', out);
}

static void
put_labels(FILE *out, const char *name, const struct metrics_series *series)
{
    fprintf(out, "mtls_shim_%s", name);
    put_label(out, "{", "service", series->service);
    if (series->direction != METRICS_PROCESS) {
        put_label(out, ",", "rule", series->rule);
        put_label(out, ",", "direction",
                  series->direction == METRICS_INBOUND ? "inbound" : "outbound");
    }
}

static uint64_t
value_of(const struct metrics_series *series, int value)
{
    return atomic_load_explicit(&series->values[value], memory_order_relaxed);
}

static void
put_value(FILE *out, uint64_t value)
{
    fprintf(out, "} %" PRIu64 "\n", value);
}

/* Exact, as no double would be. */
static void
put_seconds(FILE *out, uint64_t us)
{
    fprintf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

/* ---- series
 * ---------------------------------------------------------------------------- */

static bool
is_process(const struct metrics_series *series)
{
    return series->direction == METRICS_PROCESS;
}

static void
put_counter(FILE *out, const struct metrics_view *view, const char *name,
            const char *help, int value)
{
    bool of_process = value >= METRICS_LOG_DROPPED;
    put_family(out, name, "counter", help);
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        const struct metrics_series *series = &view->totals.series[i];
        if (is_process(series) == of_process) {
            put_labels(out, name, series);
            put_value(out, value_of(series, value));
        }
    }
}

/* Only what has happened: most reasons never do. */
static void
put_by_reason(FILE *out, const struct metrics_view *view, const char *name,
              const char *help, int first)
{
    put_family(out, name, "counter", help);
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        const struct metrics_series *series = &view->totals.series[i];
        for (int reason = 0; reason < REASON_COUNT && !is_process(series); reason++) {
            uint64_t value = value_of(series, first + reason);
            if (value > 0) {
                put_labels(out, name, series);
                put_label(out, ",", "reason", reason_code((enum reason)reason));
                put_value(out, value);
            }
        }
    }
}

static uint64_t
sum_of(const struct metrics_series *series, int first, int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        sum += value_of(series, first + i);
    }
    return sum;
}

static void
put_handshakes(FILE *out, const struct metrics_view *view)
{
    static const char name[] = "handshakes_total";
    put_family(
        out, name, "counter",
        "Handshakes that ended: the peer was let in (ok), it was refused by who it "
        "is (denied), or there is another reason (failed).");
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        const struct metrics_series *series = &view->totals.series[i];
        const struct {
            const char *result;
            uint64_t value;
        } rows[] = {
            {"ok", value_of(series, METRICS_CONNECTIONS)},
            {"denied", value_of(series, METRICS_DENIED + REASON_DENIED_BY_DENY) +
                           value_of(series, METRICS_DENIED + REASON_DENIED_BY_ALLOW)},
            {"failed", sum_of(series, METRICS_FAILED, REASON_COUNT)},
        };
        for (size_t row = 0; row < 3 && !is_process(series); row++) {
            put_labels(out, name, series);
            put_label(out, ",", "result", rows[row].result);
            put_value(out, rows[row].value);
        }
    }
}

static void
put_bucket(FILE *out, const struct metrics_series *series, const char *bound,
           uint64_t value)
{
    put_labels(out, "handshake_duration_seconds_bucket", series);
    put_label(out, ",", "le", bound);
    put_value(out, value);
}

static void
put_histogram(FILE *out, const struct metrics_series *series)
{
    uint64_t below = 0;
    for (int i = 0; i < METRICS_BUCKET_COUNT; i++) {
        char bound[32];
        snprintf(bound, sizeof(bound), "%g", (double)metrics_series_bounds_us[i] / 1e6);
        below += value_of(series, METRICS_HANDSHAKE_BUCKET + i);
        put_bucket(out, series, bound, below);
    }
    /* A handshake is counted last; one that is being counted is not to be in a bucket of
     * its own bound only. */
    uint64_t all = value_of(series, METRICS_CONNECTIONS);
    all = all > below ? all : below;
    put_bucket(out, series, "+Inf", all);
    put_labels(out, "handshake_duration_seconds_sum", series);
    fputs("} ", out);
    put_seconds(out, value_of(series, METRICS_HANDSHAKE_US));
    fputc('\n', out);
    put_labels(out, "handshake_duration_seconds_count", series);
    put_value(out, all);
}

static void
put_durations(FILE *out, const struct metrics_view *view)
{
    put_family(out, "handshake_duration_seconds", "histogram",
               "How long handshakes took that let the peer in.");
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        if (!is_process(&view->totals.series[i])) {
            put_histogram(out, &view->totals.series[i]);
        }
    }
}

static void
put_open(FILE *out, const struct metrics_view *view)
{
    put_family(out, "open_connections", "gauge",
               "Connections that are open; one that several processes share is one.");
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        if (!is_process(&view->totals.series[i])) {
            put_labels(out, "open_connections", &view->totals.series[i]);
            put_value(out, view->open[i]);
        }
    }
}

static void
put_series(FILE *out, const struct metrics_view *view)
{
    put_open(out, view);
    put_counter(out, view, "connections_total", "Connections whose peer was let in.",
                METRICS_CONNECTIONS);
    put_handshakes(out, view);
    put_by_reason(out, view, "handshake_failures_total", "Handshakes that failed.",
                  METRICS_FAILED);
    put_durations(out, view);
    put_counter(out, view, "resumed_handshakes_total",
                "Handshakes that resumed a session.", METRICS_RESUMED);
    put_counter(out, view, "received_bytes_total",
                "Plaintext that programs have received by TLS.", METRICS_BYTES_IN);
    put_counter(out, view, "sent_bytes_total",
                "Plaintext that programs have sent by TLS.", METRICS_BYTES_OUT);
    put_counter(out, view, "received_records_total", "TLS records received.",
                METRICS_RECORDS_IN);
    put_counter(out, view, "sent_records_total", "TLS records sent.",
                METRICS_RECORDS_OUT);
    put_counter(out, view, "plaintext_connections_total",
                "Connections that were left in plaintext.", METRICS_PLAINTEXT);
    put_counter(out, view, "observed_connections_total",
                "Connections that were left as they were by mode = observe.",
                METRICS_OBSERVED);
    put_by_reason(out, view, "denied_connections_total",
                  "Connections that were refused by a rule, or by who the peer is.",
                  METRICS_DENIED);
    put_by_reason(out, view, "cut_connections_total",
                  "Open connections that were cut, as the peer is not let in any more.",
                  METRICS_CUT);
    put_counter(out, view, "log_dropped_lines_total",
                "Lines of the audit log that were lost.", METRICS_LOG_DROPPED);
}

/* ---- services
 * ---------------------------------------------------------------------------- */

static void
put_reloads(FILE *out, const struct metrics_view *view)
{
    static const char name[] = "reloads_total";
    put_family(out, name, "counter",
               "Times that changed files were read again, by each process.");
    for (uint32_t i = 0; i < view->totals.series_count; i++) {
        const struct metrics_series *series = &view->totals.series[i];
        if (is_process(series)) {
            put_labels(out, name, series);
            put_label(out, ",", "result", "ok");
            put_value(out, value_of(series, METRICS_RELOADS));
            put_labels(out, name, series);
            put_label(out, ",", "result", "failed");
            put_value(out, value_of(series, METRICS_RELOADS_FAILED));
        }
    }
}

static int64_t
processes_of(const struct metrics_service *service)
{
    return service->processes;
}

static int64_t
loaded_of(const struct metrics_service *service)
{
    return service->loaded_s;
}

static int64_t
modified_of(const struct metrics_service *service)
{
    return service->policy_modified_s;
}

static int64_t
reload_of(const struct metrics_service *service)
{
    return service->reload_s;
}

static int64_t
success_of(const struct metrics_service *service)
{
    return !service->reload_failed;
}

/* Skips those that have none (0), unless 0 says something. */
static void
put_of_services(FILE *out, const struct metrics_view *view, const char *name,
                const char *help, int64_t (*value)(const struct metrics_service *))
{
    put_family(out, name, "gauge", help);
    for (size_t i = 0; i < view->service_count; i++) {
        const struct metrics_service *service = &view->services[i];
        int64_t now = value(service);
        if (now == 0 && value != success_of) {
            continue;
        }
        fprintf(out, "mtls_shim_%s", name);
        put_label(out, "{", "service", service->name);
        fprintf(out, "} %" PRId64 "\n", now);
    }
}

static void
put_build(FILE *out, const struct metrics_view *view)
{
    put_family(out, "build_info", "gauge", "The version of the library; always 1.");
    for (size_t i = 0; i < view->service_count; i++) {
        fputs("mtls_shim_build_info", out);
        put_label(out, "{", "service", view->services[i].name);
        put_label(out, ",", "version", view->services[i].version);
        fputs("} 1\n", out);
    }
}

static void
put_services(FILE *out, const struct metrics_view *view)
{
    put_build(out, view);
    put_of_services(out, view, "processes", "Processes that have the library.",
                    processes_of);
    put_reloads(out, view);
    put_of_services(out, view, "last_reload_timestamp_seconds",
                    "When changed files were last read again, or could not be.",
                    reload_of);
    put_of_services(out, view, "last_reload_successful",
                    "Whether the last time was good (1) in every process.", success_of);
    put_of_services(
        out, view, "loaded_timestamp_seconds",
        "When the files that are in use were read, by the process that did so "
        "first.",
        loaded_of);
    put_of_services(out, view, "policy_modified_timestamp_seconds",
                    "When the policy that is in use was changed last.", modified_of);
}

/* ---- identities
 * -------------------------------------------------------------------------- */

static int64_t
not_after_of(const struct metrics_identity *identity)
{
    return identity->not_after;
}

static int64_t
this_update_of(const struct metrics_identity *identity)
{
    return identity->crl_this_update;
}

static int64_t
next_update_of(const struct metrics_identity *identity)
{
    return identity->crl_next_update;
}

static void
put_of_identities(FILE *out, const struct metrics_view *view, const char *name,
                  const char *help, int64_t (*value)(const struct metrics_identity *))
{
    put_family(out, name, "gauge", help);
    for (size_t i = 0; i < view->identity_count; i++) {
        const struct metrics_held *held = &view->identities[i];
        if (value(&held->identity) != 0) {
            fprintf(out, "mtls_shim_%s", name);
            put_label(out, "{", "service", held->service);
            put_label(out, ",", "identity", held->identity.name);
            fprintf(out, "} %" PRId64 "\n", value(&held->identity));
        }
    }
}

void
metrics_text(FILE *out, const struct metrics_view *view)
{
    put_series(out, view);
    put_services(out, view);
    put_of_identities(out, view, "certificate_not_after_timestamp_seconds",
                      "When the certificate of an identity ends.", not_after_of);
    put_of_identities(out, view, "crl_this_update_timestamp_seconds",
                      "When the oldest revocation list was made.", this_update_of);
    put_of_identities(out, view, "crl_next_update_timestamp_seconds",
                      "When the first revocation list goes out of date.", next_update_of);
    put_family(out, "unreadable_files", "gauge",
               "Files of metrics_dir that could not be read.");
    fprintf(out, "mtls_shim_unreadable_files %u\n", view->unreadable);
}
