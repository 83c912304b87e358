#include "tools/ctl/tally.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 16384 };

struct tally {
    int parts;
    size_t limit, used;
    struct tally_row *others;
    struct tally_row *bucket[BUCKETS];
};

static const char others_name[] = "(others)";

struct tally *
tally_new(int parts, size_t limit)
{
    struct tally *tally = calloc(1, sizeof(*tally));
    if (tally != NULL) {
        tally->parts = parts;
        tally->limit = limit;
    }
    return tally;
}

void
tally_free(struct tally *tally)
{
    for (size_t i = 0; tally != NULL && i < BUCKETS; i++) {
        struct tally_row *row = tally->bucket[i];
        while (row != NULL) {
            struct tally_row *next = row->next;
            free(row);
            row = next;
        }
    }
    if (tally != NULL) {
        free(tally->others);
    }
    free(tally);
}

static size_t
part_len(struct log_line_text part)
{
    return part.len < TALLY_PART_LEN ? part.len : TALLY_PART_LEN - 1;
}

/* FNV-1a; a log that is made to collide only makes its own report slow. */
static uint64_t
hash_of(const struct log_line_text *parts, int count)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < part_len(parts[i]); j++) {
            hash = (hash ^ (uint8_t)parts[i].at[j]) * 0x100000001b3U;
        }
        hash = (hash ^ 0x1f) * 0x100000001b3U;
    }
    return hash ^ hash >> 29;
}

static bool
is_row_of(const struct tally_row *row, const struct log_line_text *parts, int count)
{
    for (int i = 0; i < count; i++) {
        size_t len = part_len(parts[i]);
        if (strncmp(row->part[i], parts[i].len > 0 ? parts[i].at : "", len) != 0 ||
            row->part[i][len] != '\0') {
            return false;
        }
    }
    return true;
}

/* The texts lie behind the row. */
static struct tally_row *
new_row(const struct log_line_text *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        len += part_len(parts[i]) + 1;
    }
    struct tally_row *row = malloc(sizeof(*row) + len);
    if (row == NULL) {
        return NULL;
    }
    memset(row, 0, sizeof(*row));
    char *text = (char *)(row + 1);
    for (int i = 0; i < TALLY_PARTS_MAX; i++) {
        row->part[i] = "";
    }
    for (int i = 0; i < count; i++) {
        size_t part = part_len(parts[i]);
        if (part > 0) {
            memcpy(text, parts[i].at, part);
        }
        text[part] = '\0';
        row->part[i] = text;
        text += part + 1;
    }
    return row;
}

static struct tally_row *
find_others(struct tally *tally)
{
    if (tally->others == NULL) {
        struct log_line_text parts[TALLY_PARTS_MAX];
        for (int i = 0; i < TALLY_PARTS_MAX; i++) {
            parts[i] = (struct log_line_text){others_name, sizeof(others_name) - 1};
        }
        tally->others = new_row(parts, tally->parts);
    }
    return tally->others;
}

struct tally_row *
tally_find(struct tally *tally, const struct log_line_text *parts)
{
    uint64_t hash = hash_of(parts, tally->parts);
    struct tally_row **bucket = &tally->bucket[hash % BUCKETS];
    for (struct tally_row *row = *bucket; row != NULL; row = row->next) {
        if (row->hash == hash && is_row_of(row, parts, tally->parts)) {
            return row;
        }
    }
    if (tally->used == tally->limit) {
        return find_others(tally);
    }
    struct tally_row *row = new_row(parts, tally->parts);
    if (row != NULL) {
        row->hash = hash;
        row->next = *bucket;
        *bucket = row;
        tally->used++;
    }
    return row;
}

void
tally_add(struct tally_row *row, enum tally_count what, int64_t number, int64_t time_ms)
{
    if (row == NULL) {
        return;
    }
    row->count[what] += number;
    if (row->first_ms == 0 || time_ms < row->first_ms) {
        row->first_ms = time_ms;
    }
    if (time_ms > row->last_ms) {
        row->last_ms = time_ms;
    }
}

void
tally_note(struct tally_row *row, struct log_line_text note)
{
    if (row != NULL && note.len > 0) {
        size_t len = part_len(note);
        memcpy(row->note, note.at, len);
        row->note[len] = '\0';
    }
}

int64_t
tally_all(const struct tally_row *row)
{
    return row->count[TALLY_CONNECTIONS] + row->count[TALLY_FAILED] +
           row->count[TALLY_DENIED] + row->count[TALLY_PLAINTEXT] + row->count[TALLY_CUT];
}

struct order {
    int64_t weight;
    struct tally_row *row;
};

static int
compare(const void *a, const void *b)
{
    const struct order *one = a;
    const struct order *two = b;
    if (one->weight != two->weight) {
        return one->weight > two->weight ? -1 : 1;
    }
    for (int i = 0; i < TALLY_PARTS_MAX; i++) {
        int order = strcmp(one->row->part[i], two->row->part[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

size_t
tally_sorted(const struct tally *tally, int64_t (*by)(const struct tally_row *row),
             struct tally_row ***rows)
{
    size_t count = 0;
    struct order *orders = calloc(tally->used + 1, sizeof(*orders));
    *rows = calloc(tally->used + 1, sizeof(struct tally_row *));
    for (size_t i = 0; orders != NULL && *rows != NULL && i < BUCKETS; i++) {
        for (struct tally_row *row = tally->bucket[i]; row != NULL; row = row->next) {
            orders[count++] = (struct order){by(row), row};
        }
    }
    if (orders != NULL && *rows != NULL && tally->others != NULL) {
        orders[count++] = (struct order){by(tally->others), tally->others};
    }
    if (count > 0) {
        qsort(orders, count, sizeof(*orders), compare);
    }
    for (size_t i = 0; i < count; i++) {
        (*rows)[i] = orders[i].row;
    }
    free(orders);
    return count;
}
