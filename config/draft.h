/*
 * A policy file taken apart into sections, keys and pieces of values, each with its
 * line; which sections and keys there may be is checked, what they say is not.
 */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "config/build.h"
#include "config/keys.h"

#define DRAFT_NAME_LEN_MAX 40

struct draft_item {
    const char *text; /* never empty */
    int line;
    struct draft_item *next;
};

struct draft_setting {
    const struct keys_entry *key;
    int line;
    struct draft_item *items; /* NULL when there is no value: that was reported */
    struct draft_item *last;
    size_t count;
    struct draft_setting *next;
};

struct draft_section {
    enum keys_section kind;
    const char *name; /* "" for [shim] */
    int line;
    struct draft_setting *settings;
    struct draft_setting *last;
    struct draft_section *next;
};

struct draft {
    struct build *build;
    struct draft_section *sections; /* in file order */
    struct draft_section *last;
    struct draft_section
        *section; /* the one being read; NULL: what follows is left out */
    struct draft_setting *setting; /* likewise */
    bool begun;                    /* a header was seen */
};

/*
 * Takes a text apart; problems go to the build's report.
 *
 * Returns  whether it is a text at all, so that it is worth looking at what it says.
 */
bool draft_read(struct draft *draft, struct build *build, const char *text, size_t len);

/* The setting of a key; NULL when the section has none. */
const struct draft_setting *draft_get(const struct draft_section *section,
                                      const char *key);

/* The next section of these kinds after one, from the first with NULL; NULL at the end.
 */
const struct draft_section *draft_next(const struct draft *draft,
                                       const struct draft_section *section,
                                       unsigned kinds);

#endif
