/*
 * Single values of keys: durations, words out of a list, numbers, host names.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/draft.h"

#define VALUE_DURATION_WANT "want a duration such as 500ms, 10s, 2m, 1h or 0"

struct value_word {
    const char *word; /* NULL ends the list */
    int value;
    bool later; /* known, and refused as long as nothing acts on it */
};

/*
 * Reads a duration: digits with ms, s, m, h or d right behind them, or a plain 0.
 *
 *   ms  out  milliseconds; untouched on failure
 */
bool value_duration(const char *text, int64_t *ms);

/*
 * Sets *ms to a setting's duration; one that is none, or out of bounds, is a problem.
 *
 *   min, max  in   milliseconds
 *   bounds    in   the two in words
 *   ms        out  untouched without the setting and on failure
 */
void value_set_duration(struct build *build, const struct draft_setting *setting,
                        int64_t min, int64_t max, const char *bounds, int64_t *ms);

/*
 * Reads an unsigned decimal number of at most max; no sign, no white space.
 *
 *   number  out  untouched on failure
 */
bool value_number(const char *text, size_t len, uint64_t max, uint64_t *number);

/* The setting's only value; NULL without the setting, or when it has none. */
const char *value_text(const struct draft_setting *setting);

/*
 * Finds a setting's value in a list of words; anything else is a problem.
 *
 *   words  in   the list
 *   value  out  untouched without the setting and on failure
 *
 * Returns  whether value was set.
 */
bool value_choose(struct build *build, const struct draft_setting *setting,
                  const struct value_word *words, int *value);

#endif
