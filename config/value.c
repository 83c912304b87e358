#include "config/value.h"

#include <string.h>

bool
value_number(const char *text, size_t len, uint64_t max, uint64_t *number)
{
    uint64_t sum = 0;

    if (len == 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(text[i] - '0');

        if (text[i] < '0' || text[i] > '9' || sum > (max - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

bool
value_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn(text, "0123456789");
    uint64_t number;

    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].unit) == 0 &&
            value_number(text, digits, INT64_MAX / units[i].ms, &number)) {
            *ms = (int64_t)(number * units[i].ms);
            return true;
        }
    }
    return false;
}

const char *
value_text(const struct draft_setting *setting)
{
    return setting != NULL && setting->items != NULL ? setting->items->text : NULL;
}

void
value_set_duration(struct build *build, const struct draft_setting *setting, int64_t min,
                   int64_t max, const char *bounds, int64_t *ms)
{
    const char *text = value_text(setting);
    int64_t given;

    if (text == NULL) {
        return;
    }
    if (!value_duration(text, &given)) {
        build_problem(build, setting->line, "%s: '%s': " VALUE_DURATION_WANT,
                      setting->key->name, text);
    } else if (given < min || given > max) {
        build_problem(build, setting->line, "%s: '%s' is out of bounds: %s",
                      setting->key->name, text, bounds);
    } else {
        *ms = given;
    }
}

/* "mtls, plaintext, deny or observe"; what comes later is not advertised. */
static void
join(const struct value_word *words, char *text, size_t room)
{
    const char *word = NULL;
    size_t len = 0;

    text[0] = '\0';
    for (; words->word != NULL && len < room; words++) {
        if (words->later) {
            continue;
        }
        if (word != NULL) {
            len += (size_t)snprintf(text + len, room - len, "%s%s", len > 0 ? ", " : "",
                                    word);
        }
        word = words->word;
    }
    if (word != NULL && len < room) {
        snprintf(text + len, room - len, "%s%s", len > 0 ? " or " : "", word);
    }
}

bool
value_choose(struct build *build, const struct draft_setting *setting,
             const struct value_word *words, int *value)
{
    const char *text = value_text(setting);
    char known[160];

    if (text == NULL) {
        return false;
    }
    for (const struct value_word *word = words; word->word != NULL; word++) {
        if (strcmp(word->word, text) != 0) {
            continue;
        }
        if (word->later) {
            build_problem(build, setting->line, "%s = %s: not supported yet",
                          setting->key->name, text);
            return false;
        }
        *value = word->value;
        return true;
    }
    join(words, known, sizeof(known));
    build_problem(build, setting->line, "%s: '%s' is not known: want %s",
                  setting->key->name, text, known);
    return false;
}
