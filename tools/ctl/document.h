/*
 * A report as data, tables of texts and numbers, written as text, JSON or HTML.
 */
#ifndef TOOLS_CTL_DOCUMENT_H
#define TOOLS_CTL_DOCUMENT_H

#include <stdint.h>
#include <stdio.h>

enum document_kind { DOCUMENT_TEXT, DOCUMENT_NUMBER, DOCUMENT_BYTES, DOCUMENT_TIME };

struct document_column {
    const char *id;    /* its key in JSON */
    const char *title; /* its head for people */
    enum document_kind kind;
};

/* By the column's kind: a text, or a number (times: milliseconds since the epoch, 0 =
 * none). */
struct document_cell {
    const char *text;
    int64_t number;
};

struct document_table {
    const char *id, *title;
    const char *note;  /* what it is good for, a sentence */
    const char *empty; /* what is said in place of no rows */
    const struct document_column *columns;
    int column_count;
    int bar;          /* the column that HTML draws as a bar, -1 = none */
    size_t row_count; /* cells are row by row */
    int64_t left_out; /* rows that there was no room for */
    struct document_cell *cells;
};

/* Something over time: periods of equal length, a few counts each. */
struct document_timeline {
    int64_t start_ms, period_ms;
    int count;
    const char *const *series; /* names; NULL-terminated */
    const int64_t *values;     /* period by period */
};

struct document_fact {
    const char *id, *title;
    enum document_kind kind;
    const char *text; /* of a DOCUMENT_TEXT */
    int64_t number;
};

struct document {
    const char *title;
    const struct document_fact *facts;
    int fact_count;
    const struct document_timeline *timeline;
    const struct document_table *tables;
    int table_count;
};

/* Each writes the whole document. */
void document_text(const struct document *document, FILE *out);
void document_json(const struct document *document, FILE *out);
void document_html(const struct document *document, FILE *out);

#define DOCUMENT_VALUE_LEN 32

/*
 * A value for people: "1,234", "5.6 MB", "2026-11-25 01:55".
 *
 * Returns  the text itself of a DOCUMENT_TEXT, "-" for none; else room.
 */
const char *document_value(enum document_kind kind, const char *text, int64_t number,
                           char room[DOCUMENT_VALUE_LEN]);
const char *document_cell_value(const struct document_table *table, size_t row,
                                int column, char room[DOCUMENT_VALUE_LEN]);

/* A time as RFC 3339 writes it. */
void document_time(int64_t ms, char text[DOCUMENT_VALUE_LEN]);

#endif
