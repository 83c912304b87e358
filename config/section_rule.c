/* [outbound NAME] and [inbound NAME]: the rules. */
#include "config/section.h"

#include "config/condition.h"
#include "config/host.h"
#include "config/peer_entry.h"
#include "config/value.h"

#include <arpa/inet.h>
#include <string.h>

#define PERMISSIVE_WAIT_MS 300
#define PERMISSIVE_WAIT_MAX_MS 60000
#define UID_MAX 0xfffffffeU /* the one above means "no user" (chown(2)) */

const char *
policy_mode_name(enum policy_mode mode)
{
    static const char *const names[] = {
        [POLICY_MODE_DENY] = "deny",
        [POLICY_MODE_MTLS] = "mtls",
        [POLICY_MODE_PLAINTEXT] = "plaintext",
        [POLICY_MODE_OBSERVE] = "observe",
        [POLICY_MODE_PERMISSIVE] = "permissive",
    };

    return (size_t)mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "?";
}

/* ---- conditions -------------------------------------------------------------------- */

static const struct address *
read_addresses(struct build *build, const struct draft_setting *setting, bool names,
               size_t *count)
{
    struct address *addresses;
    size_t filled = 0;

    if (value_text(setting) == NULL) {
        return NULL;
    }
    addresses = build_alloc(build, setting->count, sizeof(*addresses));
    for (struct draft_item *item = setting->items; addresses != NULL && item != NULL;
         item = item->next) {
        const char *why = "";

        if (!address_parse(build->arena, item->text, names, &addresses[filled], &why)) {
            build_problem(build, item->line, "%s: '%s': %s", setting->key->name,
                          item->text, why);
        } else {
            filled++;
        }
    }
    *count = filled;
    return addresses;
}

static const char *
read_program(struct build *build, const struct draft_setting *setting)
{
    const char *text = value_text(setting);

    if (text != NULL && text[0] != '/' && text[0] != '*') {
        build_problem(
            build, setting->line,
            "program: '%s' begins with neither / nor *: it is compared with the "
            "whole path",
            text);
    }
    return text;
}

static const char *
read_user(struct build *build, const struct draft_setting *setting, bool *is_number)
{
    const char *text = value_text(setting);
    uint64_t number;

    if (text == NULL || text[strspn(text, "0123456789")] != '\0') {
        return text;
    }
    *is_number = true;
    if (!value_number(text, strlen(text), UID_MAX, &number)) {
        build_problem(build, setting->line, "user: '%s' is too large", text);
    }
    while (text[0] == '0' && text[1] != '\0') {
        text++;
    }
    return text;
}

static void
set_conditions(struct build *build, const struct draft_section *section,
               struct policy_rule *rule)
{
    struct conditions *conditions = build_alloc(build, 1, sizeof(*conditions));

    if (conditions == NULL) {
        return;
    }
    conditions->service = value_text(draft_get(section, "service"));
    conditions->program = read_program(build, draft_get(section, "program"));
    conditions->user =
        read_user(build, draft_get(section, "user"), &conditions->user_is_number);
    conditions->remote =
        read_addresses(build, draft_get(section, "remote"),
                       rule->direction == POLICY_OUTBOUND, &conditions->remote_count);
    conditions->local = read_addresses(build, draft_get(section, "local"), false,
                                       &conditions->local_count);
    rule->conditions = conditions;
}

/* ---- what is done ------------------------------------------------------------------ */

static void
set_mode(struct build *build, const struct draft_section *section,
         struct policy_rule *rule)
{
    static const struct value_word outbound[] = {
        {"mtls", POLICY_MODE_MTLS, false},
        {"plaintext", POLICY_MODE_PLAINTEXT, false},
        {"deny", POLICY_MODE_DENY, false},
        {"observe", POLICY_MODE_OBSERVE, false},
        {NULL, 0, false},
    };
    static const struct value_word inbound[] = {
        {"mtls", POLICY_MODE_MTLS, false},
        {"permissive", POLICY_MODE_PERMISSIVE, false},
        {"plaintext", POLICY_MODE_PLAINTEXT, false},
        {"deny", POLICY_MODE_DENY, false},
        {"observe", POLICY_MODE_OBSERVE, false},
        {NULL, 0, false},
    };
    const struct draft_setting *setting = draft_get(section, "mode");
    bool is_outbound = rule->direction == POLICY_OUTBOUND;
    const char *text = value_text(setting);
    int mode = POLICY_MODE_DENY;

    if (setting == NULL) {
        build_problem(build, section->line, "[%s %s]: mode is missing",
                      keys_section_name(section->kind), section->name);
    } else if (is_outbound && text != NULL && strcmp(text, "permissive") == 0) {
        build_problem(build, setting->line,
                      "mode = permissive is for inbound rules only");
    } else {
        value_choose(build, setting, is_outbound ? outbound : inbound, &mode);
    }
    rule->mode = (enum policy_mode)mode;
}

static const struct policy_identity *
find_identity(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->identity_count; i++) {
        if (strcmp(policy->identities[i].name, name) == 0) {
            return &policy->identities[i];
        }
    }
    return NULL;
}

static void
set_identity(struct build *build, const struct draft_section *section,
             struct policy_rule *rule)
{
    const struct draft_setting *setting = draft_get(section, "identity");
    const char *name = value_text(setting);
    const struct policy_identity *identity;

    bool needed = rule->mode == POLICY_MODE_MTLS || rule->mode == POLICY_MODE_PERMISSIVE;

    if (setting == NULL && needed) {
        build_problem(build, section->line, "[%s %s]: mode = %s needs an identity",
                      keys_section_name(section->kind), section->name,
                      policy_mode_name(rule->mode));
    }
    if (setting == NULL || name == NULL) {
        return;
    }
    identity = find_identity(build->policy, name);
    if (identity == NULL) {
        build_problem(build, setting->line, "identity: there is no [identity %s]", name);
    }
    /* Other modes may keep the key, so that switching a rule off is one word. */
    if (needed || rule->mode == POLICY_MODE_OBSERVE) {
        rule->identity = identity;
    }
}

static const char *
read_peer_name(struct build *build, const struct draft_setting *setting)
{
    const char *text = value_text(setting);
    const char *name = text;
    uint8_t bytes[16];

    if (text == NULL || inet_pton(AF_INET, text, bytes) == 1 ||
        inet_pton(AF_INET6, text, bytes) == 1) {
        return text;
    }
    /* What consists of digits was meant as an address. */
    if (strspn(text, "0123456789.") == strlen(text) ||
        (name = host_copy(build->arena, text, strlen(text), false)) == NULL) {
        build_problem(build, setting->line,
                      "peer_name: '%s' is neither the name of a host nor an IP address",
                      text);
    }
    return name;
}

static const struct policy_peer *
read_peers(struct build *build, const struct draft_setting *setting, size_t *count)
{
    struct policy_peer *peers;
    size_t filled = 0;

    if (value_text(setting) == NULL) {
        return NULL;
    }
    peers = build_alloc(build, setting->count, sizeof(*peers));
    for (struct draft_item *item = setting->items; peers != NULL && item != NULL;
         item = item->next) {
        filled +=
            peer_entry_parse(build, setting->key->name, item, &peers[filled]) ? 1 : 0;
    }
    *count = filled;
    return peers;
}

static void
set_verify(struct build *build, const struct draft_section *section,
           struct policy_rule *rule)
{
    static const struct value_word words[] = {
        {"name", POLICY_VERIFY_NAME, false},
        {"identity", POLICY_VERIFY_IDENTITY, false},
        {"chain", POLICY_VERIFY_CHAIN, false},
        {NULL, 0, false},
    };
    const struct draft_setting *setting = draft_get(section, "verify");
    bool is_inbound = rule->direction == POLICY_INBOUND;
    int verify = is_inbound ? POLICY_VERIFY_CHAIN : POLICY_VERIFY_NAME;

    if (!value_choose(build, setting, words, &verify)) {
        /* the default, or a problem */
    } else if (is_inbound && verify == POLICY_VERIFY_NAME) {
        build_problem(build, setting->line,
                      "verify = name is for outbound rules only: who connects was not "
                      "dialled by a name");
    } else if (verify == POLICY_VERIFY_IDENTITY && draft_get(section, "allow") == NULL) {
        build_problem(build, setting->line,
                      "verify = identity needs allow: the list of who may be there");
    }
    rule->verify = (enum policy_verify)verify;
}

static void
set_truncation(struct build *build, const struct draft_section *section,
               struct policy_rule *rule)
{
    static const struct value_word words[] = {
        {"error", false, false}, {"eof", true, false}, {NULL, 0, false}};
    int is_eof = false;

    value_choose(build, draft_get(section, "truncation"), words, &is_eof);
    rule->truncation_is_eof = is_eof != 0;
}

static void
fill(struct build *build, const struct draft_section *section, struct policy_rule *rule)
{
    rule->name = section->name;
    rule->line = section->line;
    rule->direction = section->kind == KEYS_OUTBOUND ? POLICY_OUTBOUND : POLICY_INBOUND;
    set_conditions(build, section, rule);
    set_mode(build, section, rule);
    set_identity(build, section, rule);
    rule->peer_name = read_peer_name(build, draft_get(section, "peer_name"));
    set_verify(build, section, rule);
    rule->allow = read_peers(build, draft_get(section, "allow"), &rule->allow_count);
    rule->deny = read_peers(build, draft_get(section, "deny"), &rule->deny_count);
    set_truncation(build, section, rule);
    rule->permissive_wait_ms = PERMISSIVE_WAIT_MS;
    value_set_duration(build, draft_get(section, "permissive_wait"), 0,
                       PERMISSIVE_WAIT_MAX_MS, "from 0 to 1m", &rule->permissive_wait_ms);
}

void
section_rules(struct build *build, const struct draft *draft)
{
    const struct draft_section *section = NULL;
    struct policy_rule *rules;
    size_t count = 0;

    while ((section = draft_next(draft, section, KEYS_RULE)) != NULL) {
        count++;
    }
    rules = build_alloc(build, count + 1, sizeof(*rules));
    if (rules == NULL) {
        return;
    }
    build->policy->rules = rules;
    build->policy->rule_count = count;
    section = NULL;
    for (size_t i = 0; i < count; i++) {
        section = draft_next(draft, section, KEYS_RULE);
        fill(build, section, &rules[i]);
    }
}
