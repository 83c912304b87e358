/* Finding the rule of a connection. */
#include "config/condition.h"
#include "config/glob.h"

#include <string.h>

static bool
rule_matches(const struct policy_rule *rule, const struct condition_facts *facts)
{
    for (int kind = 0; kind < CONDITION_COUNT; kind++) {
        if (!condition_holds(rule->conditions, (enum condition_kind)kind, facts)) {
            return false;
        }
    }
    return true;
}

const struct policy_rule *
policy_match(const struct policy *policy, const struct policy_query *query)
{
    struct condition_facts facts;

    condition_facts(query, &facts);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        if (rule->direction == query->direction && rule_matches(rule, &facts)) {
            return rule;
        }
    }
    return query->direction == POLICY_OUTBOUND ? &policy->default_outbound
                                               : &policy->default_inbound;
}

/* Whether it holds for every program, user and service. */
static bool
is_for_everybody(const struct conditions *conditions)
{
    return conditions->service == NULL && conditions->program == NULL &&
           conditions->user == NULL && conditions->local_count == 0;
}

const struct policy_rule *
policy_match_any(const struct policy *policy, const struct sockaddr *remote)
{
    const struct policy_query query = {.direction = POLICY_OUTBOUND, .remote = remote};
    struct condition_facts facts;

    condition_facts(&query, &facts);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool plaintext =
            rule->mode == POLICY_MODE_PLAINTEXT || rule->mode == POLICY_MODE_OBSERVE;

        facts.remote.any_name = !plaintext;
        if (rule->direction == POLICY_OUTBOUND &&
            (!plaintext || is_for_everybody(rule->conditions)) &&
            condition_holds(rule->conditions, CONDITION_REMOTE, &facts)) {
            return rule;
        }
    }
    return &policy->default_outbound;
}

const struct policy_rule *
policy_rule_named(const struct policy *policy, enum policy_direction direction,
                  const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        if (rule->direction == direction && strcmp(rule->name, name) == 0) {
            return rule;
        }
    }
    return NULL;
}

bool
policy_mentions(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct conditions *conditions = policy->rules[i].conditions;

        for (size_t j = 0; j < conditions->remote_count; j++) {
            const struct address *remote = &conditions->remote[j];

            if (remote->kind == ADDRESS_NAME && glob_host(remote->name, name)) {
                return true;
            }
        }
    }
    return false;
}

bool
policy_direction_is_plaintext(const struct policy *policy,
                              enum policy_direction direction)
{
    const struct policy_rule *last = direction == POLICY_OUTBOUND
                                         ? &policy->default_outbound
                                         : &policy->default_inbound;

    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].direction == direction &&
            policy->rules[i].mode != POLICY_MODE_PLAINTEXT) {
            return false;
        }
    }
    return last->mode == POLICY_MODE_PLAINTEXT;
}
