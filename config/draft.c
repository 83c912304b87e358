#include "config/draft.h"

#include "config/lines.h"

#include <string.h>

static const char blanks[] = " \t";

/* ---- sections ---------------------------------------------------------------------- */

static bool
is_name(const char *name)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789._-";

    return name[0] != '\0' && name[strspn(name, fit)] == '\0';
}

static const struct draft_section *
find_section(const struct draft *draft, enum keys_section kind, const char *name)
{
    const struct draft_section *section = draft->sections;

    while (section != NULL &&
           (section->kind != kind || strcmp(section->name, name) != 0)) {
        section = section->next;
    }
    return section;
}

static bool
check_name(struct build *build, int line, enum keys_section kind, const char *name)
{
    const char *word = keys_section_name(kind);

    if (kind == KEYS_SHIM) {
        if (name[0] != '\0') {
            build_problem(build, line, "[shim] has no name");
        }
        return name[0] == '\0';
    }
    if (name[0] == '\0') {
        build_problem(build, line, "[%s]: no name: want [%s NAME]", word, word);
        return false;
    }
    if (!is_name(name) || strlen(name) > DRAFT_NAME_LEN_MAX) {
        build_problem(build, line,
                      "'%s' cannot be a name: up to %d letters, digits and . _ -", name,
                      DRAFT_NAME_LEN_MAX);
        return false;
    }
    if (kind != KEYS_IDENTITY && strcmp(name, "default") == 0) {
        build_problem(build, line,
                      "'default' cannot be a rule's name: logs call so what no rule "
                      "matches");
        return false;
    }
    return true;
}

static void
add_section(struct draft *draft, int line, enum keys_section kind, const char *name)
{
    const struct draft_section *first = find_section(draft, kind, name);
    struct draft_section *section;

    if (first != NULL) {
        build_problem(
            draft->build, line, "section [%s%s%s] again: the first is in line %d",
            keys_section_name(kind), name[0] != '\0' ? " " : "", name, first->line);
        return;
    }
    section = build_alloc(draft->build, 1, sizeof(*section));
    if (section == NULL) {
        return;
    }
    *section = (struct draft_section){
        .kind = kind, .name = build_copy(draft->build, name), .line = line};
    if (section->name == NULL) {
        return;
    }
    if (draft->last != NULL) {
        draft->last->next = section;
    } else {
        draft->sections = section;
    }
    draft->last = section;
    draft->section = section;
}

static void
on_section(void *context, int line, const char *header)
{
    static const enum keys_section kinds[] = {KEYS_SHIM, KEYS_IDENTITY, KEYS_OUTBOUND,
                                              KEYS_INBOUND};
    struct draft *draft = context;
    const char *name;
    size_t len;

    draft->begun = true;
    draft->section = NULL;
    draft->setting = NULL;
    if (header == NULL) {
        return;
    }
    header += strspn(header, blanks);
    len = strcspn(header, blanks);
    name = header + len + strspn(header + len, blanks);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *word = keys_section_name(kinds[i]);

        if (strlen(word) == len && strncmp(word, header, len) == 0) {
            if (check_name(draft->build, line, kinds[i], name)) {
                add_section(draft, line, kinds[i], name);
            }
            return;
        }
    }
    build_problem(
        draft->build, line,
        "unknown section [%s]: want [shim], [identity NAME], [outbound NAME] or "
        "[inbound NAME]",
        header);
}

/* ---- keys and values --------------------------------------------------------------- */

static const struct keys_entry *
find_key(struct draft *draft, int line, const char *name)
{
    const struct draft_section *section = draft->section;
    const struct keys_entry *key = keys_find(name, section->kind);
    const struct draft_setting *first;

    if (key == NULL) {
        const struct keys_entry *other = keys_find(name, ~0U);

        if (other != NULL) {
            build_problem(draft->build, line, "key '%s' belongs in [%s], not in [%s]",
                          name, keys_section_name(other->sections),
                          keys_section_name(section->kind));
        } else {
            build_problem(draft->build, line, "unknown key '%s' in [%s]", name,
                          keys_section_name(section->kind));
        }
        return NULL;
    }
    first = draft_get(section, name);
    if (first != NULL) {
        build_problem(draft->build, line, "key '%s' again: the first is in line %d", name,
                      first->line);
        return NULL;
    }
    return key;
}

static void
add_item(struct draft *draft, int line, const char *text, size_t len)
{
    struct draft_setting *setting = draft->setting;
    struct draft_item *item = build_alloc(draft->build, 1, sizeof(*item));
    char *copy = arena_copy(draft->build->arena, text, len);

    if (item == NULL || copy == NULL) {
        draft->build->short_of_memory = true;
        return;
    }
    *item = (struct draft_item){.text = copy, .line = line};
    if (setting->last != NULL) {
        setting->last->next = item;
    } else {
        setting->items = item;
    }
    setting->last = item;
    setting->count++;
}

/* Splits a line of a list; a comma at its end only says that the list goes on. */
static void
add_items(struct draft *draft, int line, const char *text, const char *separators)
{
    while (*text != '\0') {
        size_t len = strcspn(text, separators);
        size_t trimmed = len;

        while (trimmed > 0 && strchr(blanks, text[trimmed - 1]) != NULL) {
            trimmed--;
        }
        if (trimmed > 0) {
            add_item(draft, line, text, trimmed);
        } else if (text[len] == ',') {
            build_problem(draft->build, line, "%s: nothing before a comma",
                          draft->setting->key->name);
        }
        text += len;
        text += strspn(text, blanks);
        text += *text == ',' ? 1 : 0;
        text += strspn(text, blanks);
    }
}

static void
add_value(struct draft *draft, int line, const char *value)
{
    switch (draft->setting->key->form) {
    case KEYS_TEXT:
        if (value[0] != '\0') {
            add_item(draft, line, value, strlen(value));
        }
        break;
    case KEYS_LIST:
        add_items(draft, line, value, ",");
        break;
    case KEYS_WORDS:
        add_items(draft, line, value, ", \t");
        break;
    }
}

static void
on_value(void *context, int line, const char *key_name, const char *value)
{
    struct draft *draft = context;
    struct draft_section *section = draft->section;
    const struct keys_entry *key;

    draft->setting = NULL;
    if (section == NULL) {
        if (!draft->begun) {
            build_problem(draft->build, line, "key '%s' before the first section",
                          key_name);
        }
        return;
    }
    key = find_key(draft, line, key_name);
    draft->setting =
        key != NULL ? build_alloc(draft->build, 1, sizeof(*draft->setting)) : NULL;
    if (draft->setting == NULL) {
        return;
    }
    draft->setting->key = key;
    draft->setting->line = line;
    if (section->last != NULL) {
        section->last->next = draft->setting;
    } else {
        section->settings = draft->setting;
    }
    section->last = draft->setting;
    add_value(draft, line, value);
}

static void
on_more(void *context, int line, const char *value)
{
    struct draft *draft = context;
    struct draft_setting *setting = draft->setting;

    if (setting == NULL) {
        return;
    }
    if (setting->key->form == KEYS_TEXT && setting->count > 0) {
        build_problem(draft->build, line,
                      "an indented line goes on with the value before it, and '%s' has "
                      "only one",
                      setting->key->name);
        return;
    }
    add_value(draft, line, value);
}

static void
on_problem(void *context, int line, const char *text)
{
    struct draft *draft = context;

    build_problem(draft->build, line, "%s", text);
}

static void
check_values(const struct draft *draft)
{
    const struct draft_section *section = draft->sections;

    for (; section != NULL; section = section->next) {
        const struct draft_setting *setting = section->settings;

        for (; setting != NULL; setting = setting->next) {
            if (setting->items == NULL) {
                build_problem(draft->build, setting->line, "%s: no value",
                              setting->key->name);
            } else if (setting->key->later) {
                build_problem(draft->build, setting->line, "%s: not supported yet",
                              setting->key->name);
            }
        }
    }
}

bool
draft_read(struct draft *draft, struct build *build, const char *text, size_t len)
{
    struct lines_handler handler = {
        .section = on_section,
        .value = on_value,
        .more = on_more,
        .problem = on_problem,
        .context = draft,
    };

    *draft = (struct draft){.build = build};
    if (!lines_read(text, len, &handler)) {
        return false;
    }
    check_values(draft);
    return true;
}

const struct draft_setting *
draft_get(const struct draft_section *section, const char *key)
{
    const struct draft_setting *setting = section->settings;

    while (setting != NULL && strcmp(setting->key->name, key) != 0) {
        setting = setting->next;
    }
    return setting;
}

const struct draft_section *
draft_next(const struct draft *draft, const struct draft_section *section, unsigned kinds)
{
    section = section != NULL ? section->next : draft->sections;
    while (section != NULL && (section->kind & kinds) == 0) {
        section = section->next;
    }
    return section;
}
