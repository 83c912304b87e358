/* mtlsctl report: what audit logs have to tell, for people and for auditors. */
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/ctl/document.h"
#include "tools/ctl/log_reader.h"
#include "tools/ctl/options.h"
#include "tools/ctl/report_sum.h"
#include "tools/ctl/when.h"

static const struct options_page page = {
    .command = "report",
    .usage = "usage: mtlsctl report [--since TIME] [--until TIME] [--rows N]\n"
             "                      [--json | --html] [--output FILE] AUDIT...\n",
    .about = "Reads audit logs and tells who talked to whom: connections by rule and by "
             "peer,\n"
             "failures by cause, what is still in plaintext, versions and cipher suites, "
             "peers\n"
             "that were refused, certificates about to end. AUDIT is a file with the "
             "log's lines\n"
             "of JSON, or - for standard input (journalctl or zcat in front).\n",
    .notes =
        "Exit status: 0 when the logs could be read, 1 when not, 2 for a wrong command "
        "line.\n",
    .operand = "AUDIT",
    .operands = OPTIONS_MANY,
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_HTML };

struct options {
    int64_t since_ms, until_ms;
    size_t rows;
    enum format format;
    const char *output;
};

/* ---- tables ------------------------------------------------------------------------ */

/* Where a column comes from: a part of the key, a count, or one of these. */
enum { FROM_COUNT = 16, FROM_FIRST = 64, FROM_LAST, FROM_NOTE, FROM_MEAN_MS };

struct column {
    struct document_column head;
    int from;
};

#define PART(n) (n)
#define COUNT(what) (FROM_COUNT + (what))
#define NUMBER(id, title, what)                                                          \
    {                                                                                    \
        {id, title, DOCUMENT_NUMBER}, COUNT(what)                                        \
    }
#define TEXT(id, title, part)                                                            \
    {                                                                                    \
        {id, title, DOCUMENT_TEXT}, part                                                 \
    }
#define WHEN(id, title, from)                                                            \
    {                                                                                    \
        {id, title, DOCUMENT_TIME}, from                                                 \
    }

static const struct column rule_columns[] = {
    TEXT("direction", "direction", PART(0)),
    TEXT("rule", "rule", PART(1)),
    TEXT("service", "service", PART(2)),
    NUMBER("connections", "TLS", TALLY_CONNECTIONS),
    NUMBER("resumed", "resumed", TALLY_RESUMED),
    NUMBER("failed", "failed", TALLY_FAILED),
    NUMBER("denied", "denied", TALLY_DENIED),
    NUMBER("plaintext", "plaintext", TALLY_PLAINTEXT),
    NUMBER("cut", "cut", TALLY_CUT),
    {{"bytes_in", "received", DOCUMENT_BYTES}, COUNT(TALLY_BYTES_IN)},
    {{"bytes_out", "sent", DOCUMENT_BYTES}, COUNT(TALLY_BYTES_OUT)},
    {{"handshake_ms", "handshake, ms", DOCUMENT_NUMBER}, FROM_MEAN_MS},
};
static const struct column peer_columns[] = {
    TEXT("peer", "peer", PART(0)),
    TEXT("direction", "direction", PART(1)),
    TEXT("rule", "rule", PART(2)),
    NUMBER("connections", "TLS", TALLY_CONNECTIONS),
    NUMBER("failed", "failed", TALLY_FAILED),
    NUMBER("denied", "denied", TALLY_DENIED),
    {{"bytes_in", "received", DOCUMENT_BYTES}, COUNT(TALLY_BYTES_IN)},
    {{"bytes_out", "sent", DOCUMENT_BYTES}, COUNT(TALLY_BYTES_OUT)},
    WHEN("first", "first", FROM_FIRST),
    WHEN("last", "last", FROM_LAST),
};
static const struct column failure_columns[] = {
    TEXT("reason", "reason", PART(0)),
    TEXT("direction", "direction", PART(1)),
    TEXT("rule", "rule", PART(2)),
    NUMBER("failed", "failed", TALLY_FAILED),
    NUMBER("denied", "denied", TALLY_DENIED),
    NUMBER("cut", "cut", TALLY_CUT),
    WHEN("last", "last", FROM_LAST),
    TEXT("detail", "the last one", FROM_NOTE),
};
static const struct column plaintext_columns[] = {
    TEXT("direction", "direction", PART(0)),
    TEXT("rule", "rule", PART(1)),
    TEXT("server", "server", PART(2)),
    TEXT("client", "client", PART(3)),
    TEXT("mode", "mode", PART(4)),
    NUMBER("connections", "connections", TALLY_PLAINTEXT),
    WHEN("first", "first", FROM_FIRST),
    WHEN("last", "last", FROM_LAST),
};
static const struct column unknown_columns[] = {
    TEXT("peer", "peer", PART(0)),
    TEXT("issuer", "issuer", PART(1)),
    TEXT("reason", "reason", PART(3)),
    TEXT("rule", "rule", PART(4)),
    NUMBER("failed", "failed", TALLY_FAILED),
    NUMBER("denied", "denied", TALLY_DENIED),
    WHEN("last", "last", FROM_LAST),
    TEXT("host", "last host", FROM_NOTE),
    TEXT("sha256", "SHA-256", PART(2)),
};
static const struct column tls_columns[] = {
    TEXT("version", "version", PART(0)),
    TEXT("cipher", "cipher suite", PART(1)),
    TEXT("group", "group", PART(2)),
    NUMBER("connections", "connections", TALLY_CONNECTIONS),
};
static const struct column expiring_columns[] = {
    TEXT("whose", "whose", PART(0)),
    TEXT("certificate", "certificate", PART(1)),
    TEXT("detail", "end", FROM_NOTE),
    WHEN("last", "last seen", FROM_LAST),
};
static const struct column warning_columns[] = {
    TEXT("event", "event", PART(0)),
    TEXT("detail", "detail", PART(1)),
    NUMBER("count", "times", TALLY_CONNECTIONS),
    WHEN("last", "last", FROM_LAST),
};

static int64_t
by_all(const struct tally_row *row)
{
    return tally_all(row);
}

static int64_t
by_last(const struct tally_row *row)
{
    return row->last_ms;
}

static const struct kind {
    size_t tally; /* where in struct report_sum */
    const char *id, *title, *note, *empty;
    const struct column *columns;
    int column_count;
    int bar;
    int64_t (*by)(const struct tally_row *row);
} kinds[] = {
#define TABLE(tally) offsetof(struct report_sum, tally), #tally
#define COLUMNS(columns) columns, (int)(sizeof(columns) / sizeof((columns)[0]))
    {TABLE(rules), "Connections by rule",
     "What each rule of the policies had to do with.", "There were no connections.",
     COLUMNS(rule_columns), 3, by_all},
    {TABLE(plaintext), "Still in plaintext",
     "What permissive, observe and plaintext rules let through: the to-do list of a "
     "migration.",
     "Nothing was seen in plaintext.", COLUMNS(plaintext_columns), 5, by_all},
    {TABLE(failures), "Failures by cause",
     "Connections that were refused, by us or by the peer, and ones cut later.",
     "Nothing failed.", COLUMNS(failure_columns), -1, by_all},
    {TABLE(unknown), "Peers that were refused",
     "Who showed a certificate and was not let in.", "No peer was refused.",
     COLUMNS(unknown_columns), -1, by_all},
    {TABLE(peers), "Connections by peer", "Who was at the other end.",
     "No peer was seen.", COLUMNS(peer_columns), 3, by_all},
    {TABLE(expiring), "Certificates about to end",
     "Own ones that were warned of, and those of peers that end within 30 days.",
     "None was seen.", COLUMNS(expiring_columns), -1, by_last},
    {TABLE(tls), "TLS versions and cipher suites", "What was agreed on.",
     "There was no TLS.", COLUMNS(tls_columns), 3, by_all},
    {TABLE(warnings), "Other events", "Warnings, reloads and the like.",
     "There were none.", COLUMNS(warning_columns), -1, by_last},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void
fill_cell(const struct column *column, const struct tally_row *row,
          struct document_cell *cell)
{
    int64_t made = row->count[TALLY_CONNECTIONS];
    if (column->from < FROM_COUNT) {
        cell->text = row->part[column->from];
    } else if (column->from < FROM_FIRST) {
        cell->number = row->count[column->from - FROM_COUNT];
    } else if (column->from == FROM_NOTE) {
        cell->text = row->note;
    } else if (column->from == FROM_MEAN_MS) {
        cell->number = made > 0 ? row->count[TALLY_DURATION_MS] / made : 0;
    } else {
        cell->number = column->from == FROM_FIRST ? row->first_ms : row->last_ms;
    }
}

/* Returns 0, or -1 without memory. */
static int
fill_table(const struct kind *kind, const struct report_sum *sum, size_t rows_max,
           struct document_table *table)
{
    const struct tally *tally =
        *(struct tally *const *)(const void *)((const char *)sum + kind->tally);
    struct tally_row **rows;
    struct document_column *heads = calloc((size_t)kind->column_count, sizeof(*heads));
    size_t count = tally_sorted(tally, kind->by, &rows);
    size_t shown = rows_max != 0 && count > rows_max ? rows_max : count;
    *table = (struct document_table){
        .id = kind->id,
        .title = kind->title,
        .note = kind->note,
        .empty = kind->empty,
        .columns = heads,
        .column_count = kind->column_count,
        .bar = kind->bar,
        .row_count = shown,
        .left_out = (int64_t)(count - shown),
        .cells = calloc(shown * (size_t)kind->column_count + 1, sizeof(*table->cells)),
    };
    if (heads == NULL || rows == NULL || table->cells == NULL) {
        free(rows);
        return -1;
    }
    struct document_cell *cell = table->cells;
    for (int i = 0; i < kind->column_count; i++) {
        heads[i] = kind->columns[i].head;
    }
    for (size_t i = 0; i < shown; i++) {
        for (int j = 0; j < kind->column_count; j++) {
            fill_cell(&kind->columns[j], rows[i], cell++);
        }
    }
    free(rows);
    return 0;
}

/* ---- the document ------------------------------------------------------------------ */

static int
write_document(const struct report_sum *sum, const struct log_reader_totals *totals,
               const struct options *options, FILE *out)
{
    static const char *const series[] = {"TLS", "refused", "plaintext", "cut", NULL};
    const struct document_fact facts[] = {
        {"from", "from", DOCUMENT_TIME, NULL, sum->first_ms},
        {"to", "to", DOCUMENT_TIME, NULL, sum->last_ms},
        {"connections", "connections under TLS", DOCUMENT_NUMBER, NULL,
         sum->counts[TALLY_CONNECTIONS]},
        {"resumed", "of them resumed", DOCUMENT_NUMBER, NULL, sum->counts[TALLY_RESUMED]},
        {"failed", "failed", DOCUMENT_NUMBER, NULL, sum->counts[TALLY_FAILED]},
        {"denied", "denied by policy", DOCUMENT_NUMBER, NULL, sum->counts[TALLY_DENIED]},
        {"plaintext", "in plaintext", DOCUMENT_NUMBER, NULL,
         sum->counts[TALLY_PLAINTEXT]},
        {"cut", "cut while open", DOCUMENT_NUMBER, NULL, sum->counts[TALLY_CUT]},
        {"bytes_in", "received", DOCUMENT_BYTES, NULL, sum->counts[TALLY_BYTES_IN]},
        {"bytes_out", "sent", DOCUMENT_BYTES, NULL, sum->counts[TALLY_BYTES_OUT]},
        {"starts", "policies loaded", DOCUMENT_NUMBER, NULL, sum->starts},
        {"lines", "lines of the log", DOCUMENT_NUMBER, NULL, sum->lines},
        {"lost", "lines lost or suppressed", DOCUMENT_NUMBER, NULL, sum->lost},
        {"unreadable", "lines not readable", DOCUMENT_NUMBER, NULL, totals->unreadable},
    };
    const struct document_timeline timeline = {
        sum->timeline.start_ms, sum->timeline.period_ms, sum->timeline.used, series,
        &sum->timeline.values[0][0]};
    struct document_table tables[KINDS] = {0};
    const struct document document = {"Mutual TLS: what the audit log says",
                                      facts,
                                      (int)(sizeof(facts) / sizeof(facts[0])),
                                      &timeline,
                                      tables,
                                      KINDS};
    static void (*const write[])(const struct document *,
                                 FILE *) = {document_text, document_json, document_html};
    int result = 0;
    for (int i = 0; i < KINDS && result == 0; i++) {
        result = fill_table(&kinds[i], sum, options->rows, &tables[i]);
    }
    if (result == 0) {
        write[options->format](&document, out);
    } else {
        fprintf(stderr, "mtlsctl: report: out of memory\n");
    }
    for (int i = 0; i < KINDS; i++) {
        free(tables[i].cells);
        free((void *)tables[i].columns);
    }
    return result;
}

static int
write_to(const struct report_sum *sum, const struct log_reader_totals *totals,
         const struct options *options)
{
    FILE *out = options->output != NULL ? fopen(options->output, "we") : stdout;
    int result = out != NULL ? write_document(sum, totals, options, out) : -1;
    bool is_written = out != NULL && fflush(out) == 0 && ferror(out) == 0;
    if (options->output != NULL && out != NULL) {
        is_written = fclose(out) == 0 && is_written;
    }
    if (!is_written) {
        fprintf(stderr, "mtlsctl: report: %s: %s\n",
                options->output != NULL ? options->output : "standard output",
                strerror(errno));
        return -1;
    }
    return result;
}

/* ---- the command line -------------------------------------------------------------- */

static int
parse_time(const char *text, int64_t *ms)
{
    return when_parse(text, (int64_t)time(NULL) * 1000, ms)
               ? -1
               : options_wrong(&page, text, "want " WHEN_FORMS);
}

static int
parse_rows(const char *text, size_t *rows)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        return options_wrong(&page, text, "want a number of rows");
    }
    *rows = number;
    return -1;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *options)
{
    const char *since = NULL;
    const char *until = NULL;
    const char *rows = NULL;
    const char *format = NULL;
    const struct options_row table[] = {
        {"since", 0, "TIME", &since, NULL,
         "leave out lines before this: 2026-11-25, 2026-11-25T08:00:00Z, or\n"
         "24h, 7d: so long ago"},
        {"until", 0, "TIME", &until, NULL, "leave out lines from this on"},
        {"rows", 0, "N", &rows, NULL, "show so many rows of each table (20; 0 = all)"},
        {"json", 0, NULL, &format, NULL, "write JSON"},
        {"html", 0, NULL, &format, NULL, "write one HTML page that needs nothing else"},
        {"output", 'o', "FILE", &options->output, NULL,
         "write there, not to standard output"},
    };
    int status = options_read(&page, table, OPTIONS_COUNT(table), argc, argv);

    if (status < 0 && since != NULL) {
        status = parse_time(since, &options->since_ms);
    }
    if (status < 0 && until != NULL) {
        status = parse_time(until, &options->until_ms);
    }
    if (status < 0 && rows != NULL) {
        status = parse_rows(rows, &options->rows);
    }
    if (format != NULL) {
        options->format = strcmp(format, "json") == 0 ? FORMAT_JSON : FORMAT_HTML;
    }
    return status;
}

int
ctl_report(int argc, char **argv)
{
    struct options options = {.rows = 20};
    struct log_reader_totals totals;
    struct report_sum sum;
    int status = parse_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    if (report_sum_init(&sum) < 0) {
        fprintf(stderr, "mtlsctl: report: out of memory\n");
        return EXIT_FAILURE;
    }
    sum.since_ms = options.since_ms;
    sum.until_ms = options.until_ms;
    int result = log_reader_run("report", argv + optind, argc - optind, report_sum_take,
                                &sum, &totals);
    if (result == 0) {
        result = write_to(&sum, &totals, &options);
    }
    report_sum_done(&sum);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
