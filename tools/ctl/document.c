#include "tools/ctl/document.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static void
put_grouped(int64_t number, char text[DOCUMENT_VALUE_LEN])
{
    char plain[24];
    int len = snprintf(plain, sizeof(plain), "%" PRId64, number);
    int at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && plain[i - 1] != '-') {
            text[at++] = ',';
        }
        text[at++] = plain[i];
    }
    text[at] = '\0';
}

static void
put_bytes(int64_t number, char text[DOCUMENT_VALUE_LEN])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)number;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    snprintf(text, DOCUMENT_VALUE_LEN, unit == 0 ? "%.0f %s" : "%.1f %s", value,
             units[unit]);
}

static void
put_time(int64_t ms, const char *format, char text[DOCUMENT_VALUE_LEN])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    text[0] = '\0';
    if (ms != 0 && gmtime_r(&seconds, &tm) != NULL) {
        strftime(text, DOCUMENT_VALUE_LEN, format, &tm);
    }
}

const char *
document_value(enum document_kind kind, const char *text, int64_t number,
               char room[DOCUMENT_VALUE_LEN])
{
    switch (kind) {
    case DOCUMENT_TEXT:
        return text != NULL && text[0] != '\0' ? text : "-";
    case DOCUMENT_BYTES:
        put_bytes(number, room);
        break;
    case DOCUMENT_TIME:
        put_time(number, "%Y-%m-%d %H:%M", room);
        break;
    case DOCUMENT_NUMBER:
        put_grouped(number, room);
        break;
    }
    return room;
}

const char *
document_cell_value(const struct document_table *table, size_t row, int column,
                    char room[DOCUMENT_VALUE_LEN])
{
    const struct document_cell *cell =
        &table->cells[row * (size_t)table->column_count + (size_t)column];
    return document_value(table->columns[column].kind, cell->text, cell->number, room);
}

void
document_time(int64_t ms, char text[DOCUMENT_VALUE_LEN])
{
    put_time(ms, "%Y-%m-%dT%H:%M:%SZ", text);
}

/* ---- text ------------------------------------------------------------------------ */

enum { WIDTH_MAX = 64 };

/* How many columns of a terminal a text of UTF-8 takes, nearly. */
static int
width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void
put_padded(const char *text, int width, int is_number, FILE *out)
{
    int pad = width - width_of(text);
    pad = pad > 0 ? pad : 0;
    fprintf(out, "%*s%s%*s", is_number ? pad : 0, "", text, is_number ? 0 : pad, "");
}

static void
put_row(const struct document_table *table, const int *widths, int64_t row, FILE *out)
{
    char room[DOCUMENT_VALUE_LEN];
    fputs("  ", out);
    for (int i = 0; i < table->column_count; i++) {
        const char *text = row < 0 ? table->columns[i].title
                                   : document_cell_value(table, (size_t)row, i, room);
        int is_last = i + 1 == table->column_count;
        int is_number = table->columns[i].kind == DOCUMENT_NUMBER ||
                        table->columns[i].kind == DOCUMENT_BYTES;
        put_padded(text, is_last && !is_number ? 0 : widths[i], is_number, out);
        fputs(is_last ? "\n" : "  ", out);
    }
}

static void
table_text(const struct document_table *table, FILE *out)
{
    int widths[16];
    char room[DOCUMENT_VALUE_LEN];
    fprintf(out, "\n%s\n", table->title);
    if (table->row_count == 0) {
        fprintf(out, "  %s\n", table->empty);
        return;
    }
    for (int i = 0; i < table->column_count; i++) {
        widths[i] = width_of(table->columns[i].title);
        for (size_t row = 0; row < table->row_count; row++) {
            int width = width_of(document_cell_value(table, row, i, room));
            widths[i] = width > widths[i] ? width : widths[i];
        }
        widths[i] = widths[i] > WIDTH_MAX ? WIDTH_MAX : widths[i];
    }
    for (int64_t row = -1; row < (int64_t)table->row_count; row++) {
        put_row(table, widths, row, out);
    }
    if (table->left_out > 0) {
        fprintf(out, "  ... and %" PRId64 " more\n", table->left_out);
    }
}

void
document_text(const struct document *document, FILE *out)
{
    fprintf(out, "%s\n\n", document->title);
    for (int i = 0; i < document->fact_count; i++) {
        const struct document_fact *fact = &document->facts[i];
        char room[DOCUMENT_VALUE_LEN];
        fprintf(out, "  %-26s %s\n", fact->title,
                document_value(fact->kind, fact->text, fact->number, room));
    }
    for (int i = 0; i < document->table_count; i++) {
        table_text(&document->tables[i], out);
    }
}
