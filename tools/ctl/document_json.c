#include "tools/ctl/document.h"

#include <string.h>

#include <yajl/yajl_gen.h>

static void
put_text(yajl_gen json, const char *text)
{
    (void)yajl_gen_string(json, (const unsigned char *)text, strlen(text));
}

static void
put_value(yajl_gen json, const char *key, enum document_kind kind, const char *text,
          int64_t number)
{
    char time[DOCUMENT_VALUE_LEN];
    put_text(json, key);
    switch (kind) {
    case DOCUMENT_TEXT:
        put_text(json, text != NULL ? text : "");
        break;
    case DOCUMENT_TIME:
        if (number == 0) {
            (void)yajl_gen_null(json);
        } else {
            document_time(number, time);
            put_text(json, time);
        }
        break;
    case DOCUMENT_NUMBER:
    case DOCUMENT_BYTES:
        (void)yajl_gen_integer(json, number);
        break;
    }
}

static void
put_table(yajl_gen json, const struct document_table *table)
{
    const struct document_cell *cell = table->cells;
    put_text(json, table->id);
    (void)yajl_gen_map_open(json);
    put_text(json, "rows");
    (void)yajl_gen_array_open(json);
    for (size_t row = 0; row < table->row_count; row++) {
        (void)yajl_gen_map_open(json);
        for (int i = 0; i < table->column_count; i++, cell++) {
            put_value(json, table->columns[i].id, table->columns[i].kind, cell->text,
                      cell->number);
        }
        (void)yajl_gen_map_close(json);
    }
    (void)yajl_gen_array_close(json);
    put_text(json, "left_out");
    (void)yajl_gen_integer(json, table->left_out);
    (void)yajl_gen_map_close(json);
}

static void
put_timeline(yajl_gen json, const struct document_timeline *timeline)
{
    const int64_t *value = timeline->values;
    put_text(json, "timeline");
    (void)yajl_gen_array_open(json);
    for (int period = 0; period < timeline->count; period++) {
        char time[DOCUMENT_VALUE_LEN];
        (void)yajl_gen_map_open(json);
        put_text(json, "start");
        document_time(timeline->start_ms + period * timeline->period_ms, time);
        put_text(json, time);
        for (const char *const *name = timeline->series; *name != NULL; name++) {
            put_text(json, *name);
            (void)yajl_gen_integer(json, *value++);
        }
        (void)yajl_gen_map_close(json);
    }
    (void)yajl_gen_array_close(json);
}

void
document_json(const struct document *document, FILE *out)
{
    yajl_gen json = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;
    if (json == NULL) {
        return;
    }
    (void)yajl_gen_config(json, yajl_gen_beautify, 1);
    (void)yajl_gen_config(json, yajl_gen_indent_string, "  ");
    (void)yajl_gen_map_open(json);
    put_text(json, "totals");
    (void)yajl_gen_map_open(json);
    for (int i = 0; i < document->fact_count; i++) {
        const struct document_fact *fact = &document->facts[i];
        put_value(json, fact->id, fact->kind, fact->text, fact->number);
    }
    (void)yajl_gen_map_close(json);
    put_timeline(json, document->timeline);
    for (int i = 0; i < document->table_count; i++) {
        put_table(json, &document->tables[i]);
    }
    (void)yajl_gen_map_close(json);
    if (yajl_gen_get_buf(json, &text, &len) == yajl_gen_status_ok) {
        fwrite(text, 1, len, out);
    }
    yajl_gen_free(json);
}
