#include "tools/ctl/document.h"

#include "tools/ctl/json.h"

static void
put_value(struct json *json, const char *key, enum document_kind kind, const char *text,
          int64_t number)
{
    char time[DOCUMENT_VALUE_LEN];
    switch (kind) {
    case DOCUMENT_TEXT:
        json_text(json, key, text != NULL ? text : "");
        break;
    case DOCUMENT_TIME:
        document_time(number, time);
        json_text(json, key, number != 0 ? time : NULL);
        break;
    case DOCUMENT_NUMBER:
    case DOCUMENT_BYTES:
        json_number(json, key, number);
        break;
    }
}

static void
put_table(struct json *json, const struct document_table *table)
{
    const struct document_cell *cell = table->cells;
    json_open(json, table->id);
    json_open_list(json, "rows");
    for (size_t row = 0; row < table->row_count; row++) {
        json_open(json, NULL);
        for (int i = 0; i < table->column_count; i++, cell++) {
            put_value(json, table->columns[i].id, table->columns[i].kind, cell->text,
                      cell->number);
        }
        json_close(json);
    }
    json_close(json);
    json_number(json, "left_out", table->left_out);
    json_close(json);
}

static void
put_timeline(struct json *json, const struct document_timeline *timeline)
{
    const int64_t *value = timeline->values;
    json_open_list(json, "timeline");
    for (int period = 0; period < timeline->count; period++) {
        json_open(json, NULL);
        put_value(json, "start", DOCUMENT_TIME, NULL,
                  timeline->start_ms + period * timeline->period_ms);
        for (const char *const *name = timeline->series; *name != NULL; name++) {
            json_number(json, *name, *value++);
        }
        json_close(json);
    }
    json_close(json);
}

void
document_json(const struct document *document, FILE *out)
{
    struct json json;
    json_start(&json, out);
    json_open(&json, "totals");
    for (int i = 0; i < document->fact_count; i++) {
        const struct document_fact *fact = &document->facts[i];
        put_value(&json, fact->id, fact->kind, fact->text, fact->number);
    }
    json_close(&json);
    put_timeline(&json, document->timeline);
    for (int i = 0; i < document->table_count; i++) {
        put_table(&json, &document->tables[i]);
    }
    json_end(&json);
}
