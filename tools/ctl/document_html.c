/* One page that needs nothing else: no script, no font, no image from elsewhere. */
#include "tools/ctl/document.h"

#include <inttypes.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;"
    "--page:#fff;--card:#f6f8fa;--c0:#2f7d5b;--c1:#c0392b;--c2:#c98a12;--c3:#6b5bb5;"
    "--bar:#cfe3da}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa5b4;"
    "--line:#333c48;--page:#12161c;--card:#1b212a;--c0:#58b48b;--c1:#e8776b;"
    "--c2:#e0b050;--c3:#a597ec;--bar:#24493a}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:1.5rem 1rem;max-width:1180px;background:var(--page);"
    "color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .25rem}"
    "p{margin:.25rem 0 .75rem;color:var(--soft)}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));"
    "gap:.6rem;margin:0}"
    ".facts div{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:.5rem .75rem;min-width:0}"
    ".facts dt{color:var(--soft);font-size:.8rem}"
    ".facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}"
    ".wide{overflow-x:auto;border:1px solid var(--line);border-radius:8px}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th,td{padding:.35rem .7rem;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}"
    "tr:last-child td{border-bottom:0}th{background:var(--card);white-space:nowrap}"
    "td.t{min-width:5rem;max-width:26rem;overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".time{white-space:nowrap}svg{display:block;width:100%;height:180px}"
    ".key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;color:var(--soft);"
    "font-size:.85rem;margin:.25rem 0}"
    ".key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;"
    "margin-right:.35em}"
    "footer{margin-top:2rem;color:var(--soft);font-size:.85rem}"
    "@media print{body{max-width:none}.wide{overflow:visible}}";

static void
put_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void
put_element(const char *name, const char *text, FILE *out)
{
    fprintf(out, "<%s>", name);
    put_escaped(text, out);
    fprintf(out, "</%s>\n", name);
}

static void
put_facts(const struct document *document, FILE *out)
{
    fputs("<dl class=facts>\n", out);
    for (int i = 0; i < document->fact_count; i++) {
        const struct document_fact *fact = &document->facts[i];
        char room[DOCUMENT_VALUE_LEN];
        fputs("<div><dt>", out);
        put_escaped(fact->title, out);
        fputs("</dt><dd>", out);
        put_escaped(document_value(fact->kind, fact->text, fact->number, room), out);
        fputs("</dd></div>\n", out);
    }
    fputs("</dl>\n", out);
}

/* ---- the timeline, bars of several parts ------------------------------------------- */

enum { CHART_WIDTH = 1000, CHART_HEIGHT = 180 };

static int
series_count(const struct document_timeline *timeline)
{
    int count = 0;
    while (timeline->series[count] != NULL) {
        count++;
    }
    return count;
}

static int64_t
period_total(const struct document_timeline *timeline, int period)
{
    int count = series_count(timeline);
    int64_t total = 0;
    for (int i = 0; i < count; i++) {
        total += timeline->values[period * count + i];
    }
    return total;
}

static void
put_period(const struct document_timeline *timeline, int period, int64_t most, FILE *out)
{
    int count = series_count(timeline);
    double width = (double)CHART_WIDTH / timeline->count;
    double floor = CHART_HEIGHT;
    char time[DOCUMENT_VALUE_LEN];
    document_value(DOCUMENT_TIME, NULL, timeline->start_ms + period * timeline->period_ms,
                   time);
    fprintf(out, "<g><title>%s", time);
    for (int i = 0; i < count; i++) {
        fprintf(out, "\n%s: %" PRId64, timeline->series[i],
                timeline->values[period * count + i]);
    }
    fputs("</title>", out);
    for (int i = 0; i < count; i++) {
        double height = (double)timeline->values[period * count + i] / (double)most *
                        (CHART_HEIGHT - 10);
        if (height > 0) {
            height = height < 1 ? 1 : height; /* one failure among thousands is seen */
            floor -= height;
            fprintf(out,
                    "<rect x='%.2f' y='%.2f' width='%.2f' height='%.2f' "
                    "fill='var(--c%d)'/>",
                    period * width + width * 0.08, floor, width * 0.84, height, i);
        }
    }
    fputs("</g>\n", out);
}

static void
put_axis(const struct document_timeline *timeline, FILE *out)
{
    char from[DOCUMENT_VALUE_LEN];
    char to[DOCUMENT_VALUE_LEN];
    document_value(DOCUMENT_TIME, NULL, timeline->start_ms, from);
    document_value(DOCUMENT_TIME, NULL,
                   timeline->start_ms + timeline->count * timeline->period_ms, to);
    fprintf(out,
            "<line x1='0' x2='%d' y1='%d' y2='%d' stroke='var(--line)'/></svg>\n"
            "<div class=key style='justify-content:space-between'><span>%s</span>"
            "<span>%s</span></div>\n",
            CHART_WIDTH, CHART_HEIGHT, CHART_HEIGHT, from, to);
}

static void
put_timeline(const struct document_timeline *timeline, FILE *out)
{
    int64_t most = 0;
    for (int i = 0; i < timeline->count; i++) {
        int64_t total = period_total(timeline, i);
        most = total > most ? total : most;
    }
    if (most == 0) {
        return;
    }
    put_element("h2", "Connections over time", out);
    fputs("<div class=key>", out);
    for (int i = 0; timeline->series[i] != NULL; i++) {
        fprintf(out, "<span><i style='background:var(--c%d)'></i>%s</span>", i,
                timeline->series[i]);
    }
    fprintf(out,
            "<span>the highest bar: %" PRId64 "</span>"
            "</div>\n<svg viewBox='0 0 %d %d' preserveAspectRatio=none role=img "
            "aria-label='connections over time'>\n",
            most, CHART_WIDTH, CHART_HEIGHT + 1);
    for (int i = 0; i < timeline->count; i++) {
        put_period(timeline, i, most, out);
    }
    put_axis(timeline, out);
}

/* ---- tables ------------------------------------------------------------------------ */

static const char *
class_of(enum document_kind kind)
{
    switch (kind) {
    case DOCUMENT_NUMBER:
    case DOCUMENT_BYTES:
        return "n";
    case DOCUMENT_TIME:
        return "time";
    case DOCUMENT_TEXT:
        break;
    }
    return "t";
}

static int64_t
most_of(const struct document_table *table)
{
    int64_t most = 1;
    for (size_t row = 0; table->bar >= 0 && row < table->row_count; row++) {
        int64_t number =
            table->cells[row * (size_t)table->column_count + (size_t)table->bar].number;
        most = number > most ? number : most;
    }
    return most;
}

static void
put_cell(const struct document_table *table, size_t row, int column, int64_t most,
         FILE *out)
{
    char room[DOCUMENT_VALUE_LEN];
    fprintf(out, "<td class=%s", class_of(table->columns[column].kind));
    if (column == table->bar) {
        int64_t number =
            table->cells[row * (size_t)table->column_count + (size_t)column].number;
        double part = 100.0 * (double)number / (double)most;
        fprintf(out,
                " style='background:linear-gradient(to left,var(--bar) %.1f%%,"
                "transparent %.1f%%)'",
                part, part);
    }
    fputc('>', out);
    put_escaped(document_cell_value(table, row, column, room), out);
    fputs("</td>", out);
}

static void
put_table(const struct document_table *table, FILE *out)
{
    int64_t most = most_of(table);
    put_element("h2", table->title, out);
    put_element("p", table->row_count > 0 ? table->note : table->empty, out);
    if (table->row_count == 0) {
        return;
    }
    fputs("<div class=wide><table><thead><tr>", out);
    for (int i = 0; i < table->column_count; i++) {
        fprintf(out, "<th class=%s>", class_of(table->columns[i].kind));
        put_escaped(table->columns[i].title, out);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (size_t row = 0; row < table->row_count; row++) {
        fputs("<tr>", out);
        for (int i = 0; i < table->column_count; i++) {
            put_cell(table, row, i, most, out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    if (table->left_out > 0) {
        fprintf(out, "<p>... and %" PRId64 " more</p>\n", table->left_out);
    }
}

void
document_html(const struct document *document, FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
          "<meta name=viewport content='width=device-width,initial-scale=1'>\n",
          out);
    put_element("title", document->title, out);
    fprintf(out, "<style>%s</style></head><body>\n", style);
    put_element("h1", document->title, out);
    put_facts(document, out);
    put_timeline(document->timeline, out);
    for (int i = 0; i < document->table_count; i++) {
        put_table(&document->tables[i], out);
    }
    fputs("<footer>All times are UTC. Made by mtlsctl report " MTLS_SHIM_VERSION
          ".</footer></body></html>\n",
          out);
}
