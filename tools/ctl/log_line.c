#include "tools/ctl/log_line.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#define SCRATCH_LEN 16384u /* for texts with escapes; a line of the shim is shorter */

struct log_line_parser {
    yajl_handle yajl;
    struct log_line *line;
    const char *text; /* being parsed */
    size_t text_len;
    int field; /* that the next value belongs to; -1 = of no interest */
    int depth;
    size_t scratch_len;
    char scratch[SCRATCH_LEN];
};

static const struct {
    const char *key;
    size_t len;
} keys[] = {
#define X(symbol, key) {key, sizeof(key) - 1},
    LOG_LINE_FIELDS(X)
#undef X
};

/* yajl decodes escapes into memory of its own, which the next text overwrites. */
static struct log_line_text
keep(struct log_line_parser *parser, const char *at, size_t len)
{
    bool is_in_line = at >= parser->text && at + len <= parser->text + parser->text_len;
    if (is_in_line) {
        return (struct log_line_text){at, len};
    }
    if (len > SCRATCH_LEN - parser->scratch_len) {
        len = SCRATCH_LEN - parser->scratch_len;
    }
    char *copy = parser->scratch + parser->scratch_len;
    memcpy(copy, at, len);
    parser->scratch_len += len;
    return (struct log_line_text){copy, len};
}

static void
set(struct log_line_parser *parser, const char *at, size_t len)
{
    if (parser->field >= 0 && parser->depth == 1) {
        parser->line->field[parser->field] = keep(parser, at, len);
    }
    parser->field = -1;
}

static int
on_text(void *context, const unsigned char *at, size_t len)
{
    set(context, (const char *)at, len);
    return 1;
}

static int
on_number(void *context, const char *at, size_t len)
{
    set(context, at, len);
    return 1;
}

static int
on_boolean(void *context, int value)
{
    struct log_line_parser *parser = context;
    if (parser->field >= 0 && parser->depth == 1) {
        parser->line->field[parser->field] = value ? (struct log_line_text){"true", 4}
                                                   : (struct log_line_text){"false", 5};
    }
    parser->field = -1;
    return 1;
}

static int
on_key(void *context, const unsigned char *at, size_t len)
{
    struct log_line_parser *parser = context;
    parser->field = -1;
    for (int i = 0; parser->depth == 1 && i < LOG_FIELD_COUNT; i++) {
        if (keys[i].len == len && keys[i].key[0] == (char)at[0] &&
            memcmp(keys[i].key, at, len) == 0) {
            parser->field = i;
            break;
        }
    }
    return 1;
}

static int
on_open(void *context)
{
    ((struct log_line_parser *)context)->depth++;
    return 1;
}

static int
on_close(void *context)
{
    ((struct log_line_parser *)context)->depth--;
    return 1;
}

static bool
start(struct log_line_parser *parser)
{
    static const yajl_callbacks callbacks = {
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_text,
        .yajl_start_map = on_open,
        .yajl_map_key = on_key,
        .yajl_end_map = on_close,
        .yajl_start_array = on_open,
        .yajl_end_array = on_close,
    };
    parser->yajl = yajl_alloc(&callbacks, NULL, parser);
    return parser->yajl != NULL &&
           yajl_config(parser->yajl, yajl_allow_multiple_values, 1) != 0;
}

struct log_line_parser *
log_line_new(void)
{
    struct log_line_parser *parser = calloc(1, sizeof(*parser));
    if (parser != NULL && !start(parser)) {
        log_line_free(parser);
        parser = NULL;
    }
    return parser;
}

void
log_line_free(struct log_line_parser *parser)
{
    if (parser != NULL) {
        if (parser->yajl != NULL) {
            yajl_free(parser->yajl);
        }
        free(parser);
    }
}

bool
log_line_parse(struct log_line_parser *parser, const char *text, size_t len,
               struct log_line *line)
{
    memset(line, 0, sizeof(*line));
    parser->line = line;
    parser->text = text;
    parser->text_len = len;
    parser->field = -1;
    parser->depth = 0;
    parser->scratch_len = 0;
    if (parser->yajl == NULL && !start(parser)) {
        return false;
    }
    if (yajl_parse(parser->yajl, (const unsigned char *)text, len) != yajl_status_ok ||
        parser->depth != 0) {
        /* It would stay with its error, or wait for the rest of what was cut. */
        yajl_free(parser->yajl);
        parser->yajl = NULL;
        return false;
    }
    return line->field[LOG_TIME].len > 0 && line->field[LOG_EVENT].len > 0;
}

struct log_line_text
log_line_text(const char *text)
{
    return (struct log_line_text){text, strlen(text)};
}

bool
log_line_is(struct log_line_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

int64_t
log_line_number(struct log_line_text text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.len && i < 18; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            break;
        }
        number = number * 10 + (text.at[i] - '0');
    }
    return number;
}

/* Reads digits; -1 when one of them is none. */
static int
digits(const char *at, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* Days since the epoch of a date of the Gregorian calendar. */
static int64_t
days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

int64_t
log_line_time_ms(struct log_line_text text)
{
    const char *at = text.at;
    if (text.len < 20 || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' ||
        at[16] != ':' || at[text.len - 1] != 'Z') {
        return -1;
    }
    int year = digits(at, 4);
    int month = digits(at + 5, 2);
    int day = digits(at + 8, 2);
    int hour = digits(at + 11, 2);
    int minute = digits(at + 14, 2);
    int second = digits(at + 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return -1;
    }
    int ms = text.len >= 24 && at[19] == '.' ? digits(at + 20, 3) : 0;
    return (days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) *
               1000 +
           (ms > 0 ? ms : 0);
}
