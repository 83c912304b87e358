#include "tools/ctl/report_sum.h"

#include <errno.h>
#include <string.h>

#include "tools/ctl/log_ends.h"

enum {
    ROWS_MAX = 20000,      /* of a tally: some 10 MB each when full */
    PEER_EXPIRY_DAYS = 30, /* from when on a peer's certificate is worth a row */
};

int
report_sum_init(struct report_sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    const struct {
        struct tally **tally;
        int parts;
    } tallies[] = {
        {&sum->rules, 3}, {&sum->peers, 3},   {&sum->failures, 3}, {&sum->plaintext, 5},
        {&sum->tls, 3},   {&sum->unknown, 5}, {&sum->expiring, 2}, {&sum->warnings, 2},
    };
    for (size_t i = 0; i < sizeof(tallies) / sizeof(tallies[0]); i++) {
        *tallies[i].tally = tally_new(tallies[i].parts, ROWS_MAX);
        if (*tallies[i].tally == NULL) {
            report_sum_done(sum);
            return -ENOMEM;
        }
    }
    return 0;
}

void
report_sum_done(struct report_sum *sum)
{
    tally_free(sum->rules);
    tally_free(sum->peers);
    tally_free(sum->failures);
    tally_free(sum->plaintext);
    tally_free(sum->tls);
    tally_free(sum->unknown);
    tally_free(sum->expiring);
    tally_free(sum->warnings);
    memset(sum, 0, sizeof(*sum));
}

static void
count(struct report_sum *sum, const struct log_line *line, enum tally_count what,
      int64_t time)
{
    const struct log_line_text rule[] = {line->field[LOG_DIRECTION],
                                         line->field[LOG_RULE], line->field[LOG_SERVICE]};
    struct log_line_text peer = log_ends_peer(line);
    sum->counts[what]++;
    tally_add(tally_find(sum->rules, rule), what, 1, time);
    if (peer.len > 0) {
        const struct log_line_text key[] = {peer, line->field[LOG_DIRECTION],
                                            line->field[LOG_RULE]};
        tally_add(tally_find(sum->peers, key), what, 1, time);
    }
}

static void
take_ok(struct report_sum *sum, const struct log_line *line, int64_t time)
{
    const struct log_line_text tls[] = {line->field[LOG_VERSION], line->field[LOG_CIPHER],
                                        line->field[LOG_GROUP]};
    const struct log_line_text rule[] = {line->field[LOG_DIRECTION],
                                         line->field[LOG_RULE], line->field[LOG_SERVICE]};
    int64_t not_after = log_line_time_ms(line->field[LOG_PEER_NOT_AFTER]);
    count(sum, line, TALLY_CONNECTIONS, time);
    timeline_add(&sum->timeline, REPORT_TLS, time);
    tally_add(tally_find(sum->tls, tls), TALLY_CONNECTIONS, 1, time);
    tally_add(tally_find(sum->rules, rule), TALLY_DURATION_MS,
              log_line_number(line->field[LOG_DURATION]), time);
    if (log_line_is(line->field[LOG_RESUMED], "true")) {
        sum->counts[TALLY_RESUMED]++;
        tally_add(tally_find(sum->rules, rule), TALLY_RESUMED, 1, time);
    }
    if (not_after >= 0 && not_after - time < PEER_EXPIRY_DAYS * 86400000LL) {
        const struct log_line_text key[] = {log_line_text("peer"), log_ends_peer(line)};
        struct tally_row *row = tally_find(sum->expiring, key);
        tally_add(row, TALLY_CONNECTIONS, 1, time);
        tally_note(row, line->field[LOG_PEER_NOT_AFTER]);
    }
}

static void
take_refused(struct report_sum *sum, const struct log_line *line, enum tally_count what,
             int64_t time)
{
    const struct log_line_text key[] = {
        line->field[LOG_REASON], line->field[LOG_DIRECTION], line->field[LOG_RULE]};
    struct tally_row *row = tally_find(sum->failures, key);
    count(sum, line, what, time);
    timeline_add(&sum->timeline, what == TALLY_CUT ? REPORT_CUT : REPORT_REFUSED, time);
    tally_add(row, what, 1, time);
    tally_note(row, line->field[LOG_DETAIL]);
    if (line->field[LOG_PEER_SHA256].len > 0) {
        const struct log_line_text peer[] = {
            log_ends_peer(line), line->field[LOG_ISSUER], line->field[LOG_PEER_SHA256],
            line->field[LOG_REASON], line->field[LOG_RULE]};
        struct tally_row *unknown = tally_find(sum->unknown, peer);
        tally_add(unknown, what, 1, time);
        tally_note(unknown, log_ends_host(line->field[LOG_REMOTE]));
    }
}

/* Why it is in plaintext: permissive is to be locked, observe to be switched on, and
 * plaintext is meant. */
static struct log_line_text
mode_of(const struct log_line *line)
{
    struct log_line_text mode = line->field[LOG_MODE];
    return mode.len > 0 ? mode
                        : log_line_text(log_line_is(line->field[LOG_EVENT], "observed")
                                            ? "observe"
                                            : "plaintext");
}

static void
take_plaintext(struct report_sum *sum, const struct log_line *line, int64_t time)
{
    char room[LOG_ENDS_SERVER_LEN];
    bool is_inbound = log_line_is(line->field[LOG_DIRECTION], "inbound");
    const struct log_line_text key[] = {
        line->field[LOG_DIRECTION], line->field[LOG_RULE], log_ends_server(line, room),
        is_inbound ? log_ends_host(line->field[LOG_REMOTE]) : line->field[LOG_PROGRAM],
        mode_of(line)};
    count(sum, line, TALLY_PLAINTEXT, time);
    timeline_add(&sum->timeline, REPORT_PLAINTEXT, time);
    tally_add(tally_find(sum->plaintext, key), TALLY_PLAINTEXT, 1, time);
}

static void
take_closed(struct report_sum *sum, const struct log_line *line, int64_t time)
{
    const struct log_line_text rule[] = {line->field[LOG_DIRECTION],
                                         line->field[LOG_RULE], line->field[LOG_SERVICE]};
    const struct log_line_text peer[] = {log_ends_peer(line), line->field[LOG_DIRECTION],
                                         line->field[LOG_RULE]};
    int64_t in = log_line_number(line->field[LOG_BYTES_IN]);
    int64_t out = log_line_number(line->field[LOG_BYTES_OUT]);
    struct tally_row *rows[] = {tally_find(sum->rules, rule),
                                peer[0].len > 0 ? tally_find(sum->peers, peer) : NULL};
    for (size_t i = 0; i < 2; i++) {
        tally_add(rows[i], TALLY_BYTES_IN, in, time);
        tally_add(rows[i], TALLY_BYTES_OUT, out, time);
    }
    sum->counts[TALLY_BYTES_IN] += in;
    sum->counts[TALLY_BYTES_OUT] += out;
}

static void
take_expiring(struct report_sum *sum, const struct log_line *line, int64_t time)
{
    struct log_line_text whose = line->field[LOG_IDENTITY];
    const struct log_line_text key[] = {
        log_line_text("own"), whose.len > 0 ? whose : line->field[LOG_OWN_SERIAL]};
    struct tally_row *row = tally_find(sum->expiring, key);
    tally_add(row, TALLY_CONNECTIONS, 1, time);
    tally_note(row, line->field[LOG_DETAIL]);
}

static void
take_other(struct report_sum *sum, const struct log_line *line, int64_t time)
{
    struct log_line_text event = line->field[LOG_EVENT];
    if (log_line_is(event, "policy_loaded")) {
        sum->starts++;
    } else if (log_line_is(event, "certificate_expiring")) {
        take_expiring(sum, line, time);
    } else {
        const struct log_line_text key[] = {event, line->field[LOG_DETAIL]};
        tally_add(tally_find(sum->warnings, key), TALLY_CONNECTIONS, 1, time);
    }
}

void
report_sum_take(void *context, const struct log_line *line)
{
    struct report_sum *sum = context;
    struct log_line_text event = line->field[LOG_EVENT];
    int64_t time = log_line_time_ms(line->field[LOG_TIME]);
    if (time < 0 || (sum->since_ms != 0 && time < sum->since_ms) ||
        (sum->until_ms != 0 && time >= sum->until_ms)) {
        return;
    }
    sum->lines++;
    sum->lost += log_line_number(line->field[LOG_DROPPED]) +
                 log_line_number(line->field[LOG_SUPPRESSED]);
    sum->first_ms = sum->first_ms == 0 || time < sum->first_ms ? time : sum->first_ms;
    sum->last_ms = time > sum->last_ms ? time : sum->last_ms;
    if (log_line_is(event, "handshake_ok")) {
        take_ok(sum, line, time);
    } else if (log_line_is(event, "closed")) {
        take_closed(sum, line, time);
    } else if (log_line_is(event, "handshake_failed")) {
        take_refused(sum, line, TALLY_FAILED, time);
    } else if (log_line_is(event, "denied")) {
        take_refused(sum, line, TALLY_DENIED, time);
    } else if (log_line_is(event, "cut")) {
        take_refused(sum, line, TALLY_CUT, time);
    } else if (log_line_is(event, "plaintext") || log_line_is(event, "observed")) {
        take_plaintext(sum, line, time);
    } else {
        take_other(sum, line, time);
    }
}
