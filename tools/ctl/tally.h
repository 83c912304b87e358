/*
 * Counts by key in bounded memory: a table of rows, each known by a few texts.
 */
#ifndef TOOLS_CTL_TALLY_H
#define TOOLS_CTL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/ctl/log_line.h"

#define TALLY_PARTS_MAX 5
#define TALLY_PART_LEN 256 /* bytes with the final NUL; longer texts are cut */

enum tally_count {
    TALLY_CONNECTIONS, /* that were let in, or made, under TLS */
    TALLY_RESUMED,
    TALLY_FAILED,
    TALLY_DENIED,
    TALLY_PLAINTEXT,
    TALLY_CUT,
    TALLY_BYTES_IN,
    TALLY_BYTES_OUT,
    TALLY_DURATION_MS, /* of handshakes, together */
    TALLY_COUNT
};

struct tally_row {
    const char *part[TALLY_PARTS_MAX]; /* "" where a row has none */
    int64_t count[TALLY_COUNT];
    int64_t first_ms, last_ms; /* 0 = never */
    char note[TALLY_PART_LEN]; /* what was last said about it */
    /* private */
    struct tally_row *next;
    uint64_t hash;
};

struct tally;

/* limit rows at most; what comes later counts in one more row, whose parts are
 * "(others)". Returns NULL with errno ENOMEM. */
struct tally *tally_new(int parts, size_t limit);
void tally_free(struct tally *tally);

/* Finds or makes the row of a key. Returns NULL when there is no memory. */
struct tally_row *tally_find(struct tally *tally, const struct log_line_text *parts);

/* Counts, and keeps first and last. */
void tally_add(struct tally_row *row, enum tally_count what, int64_t number,
               int64_t time_ms);
void tally_note(struct tally_row *row, struct log_line_text note);

/*
 * The rows, sorted: the most of `by` first, then by key.
 *
 *   rows  out  freed by free(); the rows themselves belong to the tally
 *
 * Returns  how many; 0 also without memory.
 */
size_t tally_sorted(const struct tally *tally, int64_t (*by)(const struct tally_row *row),
                    struct tally_row ***rows);

int64_t tally_all(const struct tally_row *row); /* all that are connections */

#endif
