/* [identity NAME]: who we are and whom we trust. */
#include "config/section.h"

#include "config/groups.h"
#include "config/sigalgs.h"
#include "config/suites.h"
#include "config/url.h"
#include "config/value.h"

#include <string.h>

#define OCSP_TIMEOUT_MS 5000
#define OCSP_TIMEOUT_MIN_MS 50
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

/* A file's path, when the section has it. */
static void
set_path(struct build *build, const struct draft_section *section, const char *key,
         const char **path, int *line)
{
    const struct draft_setting *setting = draft_get(section, key);
    const char *text = value_text(setting);

    if (text != NULL) {
        *path = build_path(build, text);
        *line = setting->line;
    }
}

static void
require(struct build *build, const struct draft_section *section, const char *key)
{
    if (draft_get(section, key) == NULL) {
        build_problem(build, section->line, "[identity %s]: %s is missing", section->name,
                      key);
    }
}

static void
refuse_beside_pkcs12(struct build *build, const struct draft_section *section,
                     const char *key)
{
    const struct draft_setting *setting = draft_get(section, key);

    if (setting != NULL) {
        build_problem(build, setting->line, "%s: pkcs12 is there too: want one of them",
                      key);
    }
}

static void
set_files(struct build *build, const struct draft_section *section,
          struct policy_identity *identity)
{
    set_path(build, section, "certificate", &identity->certificate,
             &identity->certificate_line);
    set_path(build, section, "private_key", &identity->private_key,
             &identity->private_key_line);
    set_path(build, section, "passphrase_file", &identity->passphrase_file,
             &identity->passphrase_file_line);
    set_path(build, section, "trust", &identity->trust, &identity->trust_line);
    set_path(build, section, "pkcs12", &identity->pkcs12, &identity->pkcs12_line);
    if (draft_get(section, "pkcs12") == NULL) {
        require(build, section, "certificate");
        require(build, section, "private_key");
    } else {
        refuse_beside_pkcs12(build, section, "certificate");
        refuse_beside_pkcs12(build, section, "private_key");
    }
    require(build, section, "trust");
}

static bool
is_repeated(const struct draft_setting *setting, const struct draft_item *item)
{
    for (const struct draft_item *before = setting->items; before != item;
         before = before->next) {
        if (strcmp(before->text, item->text) == 0) {
            return true;
        }
    }
    return false;
}

/* A list of names that an identity may have. */
struct name_list {
    const char *key;
    bool (*is_known)(const char *name);
    const char *complaint; /* about a name that is not */
};

static bool
is_cipher(const char *name)
{
    return suites_find(name) != NULL;
}

static bool
is_group(const char *name)
{
    return groups_find(name) != NULL;
}

static bool
is_signature_algorithm(const char *name)
{
    return sigalgs_find(name) != NULL;
}

/* Returns the names, in the order of the file and with a NULL behind them. NULL when the
 * section has no such list, or a name may not stand in it: that is a problem then. */
static const char **
read_names(struct build *build, const struct draft_section *section,
           const struct name_list *list)
{
    const struct draft_setting *setting = draft_get(section, list->key);
    const char **names;
    bool is_good = true;
    size_t count = 0;

    if (value_text(setting) == NULL) {
        return NULL;
    }
    names = build_alloc(build, setting->count + 1, sizeof(*names));
    for (struct draft_item *item = setting->items; names != NULL && item != NULL;
         item = item->next) {
        if (!list->is_known(item->text)) {
            build_problem(build, item->line, "%s: '%s' is %s", list->key, item->text,
                          list->complaint);
            is_good = false;
        } else if (is_repeated(setting, item)) {
            build_problem(build, item->line, "%s: '%s' again", list->key, item->text);
            is_good = false;
        }
        names[count++] = item->text;
    }
    return is_good ? names : NULL;
}

static void
set_ciphers(struct build *build, const struct draft_section *section,
            struct policy_identity *identity)
{
    static const struct name_list list = {"ciphers", is_cipher,
                                          "no cipher suite that mtls-shim speaks"};
    const char **names = read_names(build, section, &list);
    int line = names != NULL ? draft_get(section, list.key)->line : 0;
    unsigned newest = 0;
    unsigned oldest = TLS_1_3 + 1;

    if (names == NULL) {
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        unsigned version = suites_find(names[i])->version;

        newest = version > newest ? version : newest;
        oldest = version < oldest ? version : oldest;
    }
    if (newest < identity->min_version) {
        build_problem(build, line,
                      "ciphers: none of them is for TLS 1.3, and min_version is 1.3");
    } else if (oldest > identity->max_version) {
        build_problem(build, line,
                      "ciphers: none of them is for TLS 1.2, and max_version is 1.2");
    } else if (newest < identity->max_version) {
        /* Two ends would agree on TLS 1.3 first, and then have no suite for it. */
        identity->max_version = (uint16_t)newest;
    }
    identity->ciphers = names;
}

static void
set_groups(struct build *build, const struct draft_section *section,
           struct policy_identity *identity)
{
    static const struct name_list list = {"groups", is_group,
                                          "no group that mtls-shim speaks"};

    identity->groups = read_names(build, section, &list);
}

static void
set_signature_algorithms(struct build *build, const struct draft_section *section,
                         struct policy_identity *identity)
{
    static const struct name_list list = {"signature_algorithms", is_signature_algorithm,
                                          "none that mtls-shim takes"};

    identity->signature_algorithms = read_names(build, section, &list);
}

static void
set_versions(struct build *build, const struct draft_section *section,
             struct policy_identity *identity)
{
    static const struct value_word versions[] = {
        {"1.2", TLS_1_2, false}, {"1.3", TLS_1_3, false}, {NULL, 0, false}};
    const struct draft_setting *newest = draft_get(section, "max_version");
    int version = TLS_1_3;

    value_choose(build, draft_get(section, "min_version"), versions, &version);
    identity->min_version = (uint16_t)version;
    version = TLS_1_3;
    value_choose(build, newest, versions, &version);
    identity->max_version = (uint16_t)version;
    if (identity->min_version > identity->max_version) {
        build_problem(build, newest->line,
                      "max_version: 1.2 is older than min_version, which is 1.3 unless "
                      "it is set");
        identity->max_version = TLS_1_3;
    }
}

static void
set_revocation(struct build *build, const struct draft_section *section,
               struct policy_identity *identity)
{
    static const struct value_word words[] = {
        {"refuse", 0, false}, {"warn", 1, false}, {NULL, 0, false}};
    const struct draft_setting *expired = draft_get(section, "crl_expired");
    int value = 0;

    set_path(build, section, "crl", &identity->crl, &identity->crl_line);
    if (value_choose(build, expired, words, &value) &&
        draft_get(section, "crl") == NULL) {
        build_problem(build, expired->line, "crl_expired: there is no crl");
    }
    identity->expired_crl_is_insecurely_used = value != 0;
}

static void
set_session_tickets(struct build *build, const struct draft_section *section,
                    struct policy_identity *identity)
{
    static const struct value_word words[] = {
        {"off", 0, false}, {"on", 1, false}, {NULL, 0, false}};
    int value = 1;

    value_choose(build, draft_get(section, "session_tickets"), words, &value);
    identity->session_tickets = value != 0;
}

static void
set_ocsp_timeout(struct build *build, const struct draft_section *section,
                 struct policy_identity *identity)
{
    /* Later than that the handshake's own time is up, and nobody is let in. */
    int64_t max = build->policy->handshake_timeout_ms / 2;

    identity->ocsp_timeout_ms = OCSP_TIMEOUT_MS < max ? OCSP_TIMEOUT_MS : max;
    value_set_duration(build, draft_get(section, "ocsp_timeout"), OCSP_TIMEOUT_MIN_MS,
                       max, "from 50ms to half of handshake_timeout",
                       &identity->ocsp_timeout_ms);
}

static void
set_ocsp(struct build *build, const struct draft_section *section,
         struct policy_identity *identity)
{
    static const struct value_word words[] = {
        {"off", POLICY_OCSP_OFF, false},
        {"soft", POLICY_OCSP_SOFT, false},
        {"require", POLICY_OCSP_REQUIRE, false},
        {"staple", POLICY_OCSP_STAPLE, false},
        {NULL, 0, false},
    };
    static const char *const needing[] = {"ocsp_responder", "ocsp_timeout"};
    const struct draft_setting *responder = draft_get(section, "ocsp_responder");
    const char *text = value_text(responder);
    int ocsp = POLICY_OCSP_OFF;
    struct url url;

    value_choose(build, draft_get(section, "ocsp"), words, &ocsp);
    identity->ocsp = (enum policy_ocsp)ocsp;
    for (size_t i = 0; i < sizeof(needing) / sizeof(needing[0]); i++) {
        const struct draft_setting *setting = draft_get(section, needing[i]);

        if (setting != NULL && draft_get(section, "ocsp") == NULL) {
            build_problem(build, setting->line, "%s: there is no ocsp", needing[i]);
        }
    }
    if (text != NULL && !url_parse(text, strlen(text), &url)) {
        build_problem(build, responder->line,
                      "ocsp_responder: '%s': want http://HOST[:PORT][/PATH]", text);
    }
    identity->ocsp_responder = text;
    set_ocsp_timeout(build, section, identity);
}

static void
fill(struct build *build, const struct draft_section *section,
     struct policy_identity *identity)
{
    identity->name = section->name;
    identity->line = section->line;
    set_files(build, section, identity);
    set_revocation(build, section, identity);
    set_versions(build, section, identity);
    set_ciphers(build, section, identity);
    set_groups(build, section, identity);
    set_signature_algorithms(build, section, identity);
    set_session_tickets(build, section, identity);
    set_ocsp(build, section, identity);
}

void
section_identities(struct build *build, const struct draft *draft)
{
    const struct draft_section *section = NULL;
    struct policy_identity *identities;
    size_t count = 0;

    while ((section = draft_next(draft, section, KEYS_IDENTITY)) != NULL) {
        count++;
    }
    identities = build_alloc(build, count + 1, sizeof(*identities));
    if (identities == NULL) {
        return;
    }
    build->policy->identities = identities;
    build->policy->identity_count = count;
    section = NULL;
    for (size_t i = 0; i < count; i++) {
        section = draft_next(draft, section, KEYS_IDENTITY);
        identities[i].index = (unsigned)i;
        fill(build, section, &identities[i]);
    }
}
