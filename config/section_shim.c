/* [shim]: what is process-wide. */
#include "config/section.h"

#include "config/value.h"

#include <string.h>

#define HANDSHAKE_TIMEOUT_MS 10000
#define HANDSHAKE_TIMEOUT_MIN_MS 100
#define HANDSHAKE_TIMEOUT_MAX_MS 600000
#define CONNECT_WAIT_MS 500
#define LOG_RATE 100
#define LOG_RATE_MAX 1000000
#define DAY_MS INT64_C(86400000)
#define EXPIRY_WARNING_MS (14 * DAY_MS)
#define EXPIRY_WARNING_MAX_MS (3650 * DAY_MS)

static void
set_log(struct build *build, const struct draft_section *section)
{
    static const struct value_word levels[] = {
        {"error", POLICY_LEVEL_ERROR, false},
        {"warning", POLICY_LEVEL_WARNING, false},
        {"info", POLICY_LEVEL_INFO, false},
        {"debug", POLICY_LEVEL_DEBUG, false},
        {NULL, 0, false},
    };
    const char *log = value_text(draft_get(section, "log"));
    int level = POLICY_LEVEL_INFO;

    value_choose(build, draft_get(section, "log_level"), levels, &level);
    build->policy->log_level = (enum policy_log_level)level;
    if (log == NULL || strcmp(log, "none") == 0) {
        build->policy->log = POLICY_LOG_NONE;
    } else if (strcmp(log, "stderr") == 0) {
        build->policy->log = POLICY_LOG_STDERR;
    } else if (strcmp(log, "syslog") == 0) {
        build->policy->log = POLICY_LOG_SYSLOG;
    } else if (strcmp(log, "journald") == 0) {
        build->policy->log = POLICY_LOG_JOURNALD;
    } else {
        build->policy->log = POLICY_LOG_FILE;
        build->policy->log_path = build_path(build, log);
    }
}

/* "100/s"; 0 is no limit. */
static void
set_log_rate(struct build *build, const struct draft_setting *setting)
{
    const char *text = value_text(setting);
    uint64_t rate;

    if (text == NULL) {
        return;
    }
    size_t digits = strspn(text, "0123456789");
    bool has_unit = strcmp(text + digits, "/s") == 0;
    if (!value_number(text, digits, LOG_RATE_MAX, &rate) ||
        (!has_unit && strcmp(text, "0") != 0)) {
        build_problem(build, setting->line,
                      "log_rate: '%s': want 1/s to %d/s, or 0 for no limit", text,
                      LOG_RATE_MAX);
        return;
    }
    build->policy->log_rate = (int64_t)rate;
}

static void
set_metrics(struct build *build, const struct draft_section *section)
{
    const char *dir = value_text(draft_get(section, "metrics_dir"));

    if (dir != NULL) {
        build->policy->metrics_dir = build_path(build, dir);
    }
}

static void
set_durations(struct build *build, const struct draft_section *section)
{
    struct policy *policy = build->policy;
    const struct draft_setting *wait = draft_get(section, "connect_wait");

    value_set_duration(build, draft_get(section, "handshake_timeout"),
                       HANDSHAKE_TIMEOUT_MIN_MS, HANDSHAKE_TIMEOUT_MAX_MS,
                       "from 100ms to 10m", &policy->handshake_timeout_ms);
    if (policy->connect_wait_ms > policy->handshake_timeout_ms) {
        policy->connect_wait_ms = policy->handshake_timeout_ms;
    }
    value_set_duration(build, wait, 0, policy->handshake_timeout_ms,
                       "from 0 to handshake_timeout", &policy->connect_wait_ms);
    value_set_duration(build, draft_get(section, "expiry_warning"), 0,
                       EXPIRY_WARNING_MAX_MS, "from 0 to 3650d",
                       &policy->expiry_warning_ms);
}

static void
set_open_sessions(struct build *build, const struct draft_section *section)
{
    static const struct value_word switches[] = {
        {"on", 1, false}, {"off", 0, false}, {NULL, 0, false}};
    static const struct value_word ends[] = {
        {"keep", 0, false}, {"cut", 1, false}, {NULL, 0, false}};
    int recheck = 1;
    int cut = 0;

    value_choose(build, draft_get(section, "recheck"), switches, &recheck);
    value_choose(build, draft_get(section, "expired_sessions"), ends, &cut);
    build->policy->recheck = recheck != 0;
    build->policy->expired_sessions_are_cut = cut != 0;
}

/* Both are required: what happens to the rest is never left to chance. */
static void
set_default(struct build *build, const struct draft_section *section, const char *key,
            struct policy_rule *rule)
{
    static const struct value_word modes[] = {
        {"plaintext", POLICY_MODE_PLAINTEXT, false},
        {"deny", POLICY_MODE_DENY, false},
        {NULL, 0, false},
    };
    const struct draft_setting *setting =
        section != NULL ? draft_get(section, key) : NULL;
    int mode = POLICY_MODE_DENY;

    if (setting == NULL) {
        build_problem(build, section != NULL ? section->line : 0,
                      "%s is missing from [shim]: want plaintext or deny", key);
        return;
    }
    value_choose(build, setting, modes, &mode);
    rule->mode = (enum policy_mode)mode;
}

void
section_shim(struct build *build, const struct draft *draft)
{
    const struct draft_section *section = draft_next(draft, NULL, KEYS_SHIM);
    struct policy *policy = build->policy;

    policy->handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS;
    policy->connect_wait_ms = CONNECT_WAIT_MS;
    policy->expiry_warning_ms = EXPIRY_WARNING_MS;
    policy->recheck = true;
    policy->log_level = POLICY_LEVEL_INFO;
    policy->log_rate = LOG_RATE;
    policy->default_inbound = (struct policy_rule){
        .name = "default", .direction = POLICY_INBOUND, .verify = POLICY_VERIFY_CHAIN};
    policy->default_outbound =
        (struct policy_rule){.name = "default", .direction = POLICY_OUTBOUND};
    if (section != NULL) {
        set_log(build, section);
        set_log_rate(build, draft_get(section, "log_rate"));
        set_metrics(build, section);
        set_durations(build, section);
        set_open_sessions(build, section);
    }
    set_default(build, section, "default_inbound", &policy->default_inbound);
    set_default(build, section, "default_outbound", &policy->default_outbound);
}
