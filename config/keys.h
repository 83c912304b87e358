/*
 * The keys of a policy: which there are, in which sections, in which form.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>

/* Kinds of sections; bits, so that a key may be in several. */
enum keys_section {
    KEYS_SHIM = 1,
    KEYS_IDENTITY = 2,
    KEYS_OUTBOUND = 4,
    KEYS_INBOUND = 8,
    KEYS_RULE = KEYS_OUTBOUND | KEYS_INBOUND,
};

enum keys_form {
    KEYS_TEXT,  /* one value, to the end of the line */
    KEYS_LIST,  /* separated by commas */
    KEYS_WORDS, /* separated by commas or white space */
};

struct keys_entry {
    const char *name;
    unsigned sections;
    enum keys_form form;
    bool later; /* known, and refused as long as nothing acts on it */
};

/* Returns  the key of this name in one of these sections; NULL when there is none. */
const struct keys_entry *keys_find(const char *name, unsigned sections);

/* How the header of such a section begins: "identity"; for rules of both kinds "rule". */
const char *keys_section_name(unsigned sections);

#endif
