/* Saying in words why a connection falls under a rule. */
#include "config/condition.h"

#include <inttypes.h>
#include <string.h>

/* ---- one condition ----------------------------------------------------------------- */

static const char *const condition_names[CONDITION_COUNT] = {
    [CONDITION_SERVICE] = "service", [CONDITION_PROGRAM] = "program",
    [CONDITION_USER] = "user",       [CONDITION_REMOTE] = "remote",
    [CONDITION_LOCAL] = "local",
};

static const char *
or_unknown(const char *text)
{
    return text != NULL ? text : "unknown";
}

static void
print_end(FILE *out, const struct address_end *end)
{
    char text[ADDRESS_TEXT_LEN];

    if (end->kind == ADDRESS_ANY && end->port < 0 && end->name == NULL) {
        fprintf(out, "unknown");
    } else if (end->name == NULL) {
        fprintf(out, "%s", address_end_text(end, text));
    } else if (end->port >= 0) {
        fprintf(out, "%s:%d (%s)", end->name, end->port, address_end_text(end, text));
    } else {
        fprintf(out, "%s (%s)", end->name, address_end_text(end, text));
    }
}

static void
print_addresses(FILE *out, const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i > 0 ? ", " : "", addresses[i].text);
    }
}

/* "remote 10.0.0.1:80 is not in 10.0.0.0/8:5432, [::1]:5432" */
static void
print_mismatch(FILE *out, const struct conditions *conditions, enum condition_kind kind,
               const struct condition_facts *facts)
{
    fprintf(out, "%s ", condition_names[kind]);
    switch (kind) {
    case CONDITION_SERVICE:
        fprintf(out, "%s is not %s",
                facts->query->service != NULL ? facts->query->service : "(unset)",
                conditions->service);
        break;
    case CONDITION_PROGRAM:
        fprintf(out, "%s is not %s", or_unknown(facts->query->program),
                conditions->program);
        break;
    case CONDITION_USER:
        fprintf(out, "%s is not %s",
                conditions->user_is_number ? facts->uid : or_unknown(facts->query->user),
                conditions->user);
        break;
    case CONDITION_REMOTE:
        print_end(out, &facts->remote);
        fprintf(out, " is not in ");
        print_addresses(out, conditions->remote, conditions->remote_count);
        break;
    default:
        print_end(out, &facts->local);
        fprintf(out, " is not in ");
        print_addresses(out, conditions->local, conditions->local_count);
        break;
    }
}

/* ---- rules ------------------------------------------------------------------------- */

static const char *
direction_name(enum policy_direction direction)
{
    return direction == POLICY_OUTBOUND ? "outbound" : "inbound";
}

/* Prints a rule's line; returns whether it matches. */
static bool
print_rule(FILE *out, const struct policy *policy, const struct policy_rule *rule,
           const struct condition_facts *facts, const struct policy_rule *winner)
{
    int failed = 0;

    fprintf(out, "%s:%d: [%s %s]: ", policy->path, rule->line,
            direction_name(rule->direction), rule->name);
    for (int i = 0; i < CONDITION_COUNT; i++) {
        enum condition_kind kind = (enum condition_kind)i;

        if (!condition_holds(rule->conditions, kind, facts)) {
            fprintf(out, "%s", failed++ == 0 ? "no match: " : "; ");
            print_mismatch(out, rule->conditions, kind, facts);
        }
    }
    if (failed == 0) {
        fprintf(out, "%s",
                winner == NULL ? "matches" : "would match, but an earlier rule does");
    }
    fprintf(out, "\n");
    return failed == 0;
}

static void
print_peers(FILE *out, const char *key, const struct policy_peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s:%s", i == 0 ? key : ", ", policy_peer_kind_name(peers[i].kind),
                peers[i].text);
    }
    if (count > 0) {
        fprintf(out, "\n");
    }
}

static void
print_verify(FILE *out, const struct policy_rule *rule,
             const struct condition_facts *facts)
{
    const char *name = rule->peer_name != NULL ? rule->peer_name : facts->remote.name;
    char text[ADDRESS_TEXT_LEN];
    struct address_end end = facts->remote;

    end.port = -1;
    switch (rule->verify) {
    case POLICY_VERIFY_NAME:
        fprintf(out, "  verify      the certificate's name is %s\n",
                name != NULL ? name : address_end_text(&end, text));
        break;
    case POLICY_VERIFY_IDENTITY:
        fprintf(out, "  verify      identity: the allow list alone decides\n");
        break;
    case POLICY_VERIFY_CHAIN:
        fprintf(out, "  verify      chain: what trust vouches for%s\n",
                rule->allow_count > 0 ? ", if allow has it" : "");
        break;
    }
}

/* What becomes of the connection. */
static void
print_winner(FILE *out, const struct policy_rule *rule,
             const struct condition_facts *facts)
{
    if (rule->line == 0) {
        fprintf(out, "=> no rule matches: default_%s = %s\n",
                direction_name(rule->direction), policy_mode_name(rule->mode));
        return;
    }
    fprintf(out, "=> [%s %s], line %d: mode = %s\n", direction_name(rule->direction),
            rule->name, rule->line, policy_mode_name(rule->mode));
    if (rule->mode == POLICY_MODE_DENY || rule->mode == POLICY_MODE_PLAINTEXT) {
        return;
    }
    if (rule->identity != NULL) {
        fprintf(out, "  identity    %s, %s\n", rule->identity->name,
                rule->identity->pkcs12 != NULL ? rule->identity->pkcs12
                                               : rule->identity->certificate);
        fprintf(out, "  trust       %s\n", rule->identity->trust);
        if (rule->identity->crl != NULL) {
            fprintf(out, "  crl         %s, when out of date: %s\n", rule->identity->crl,
                    rule->identity->expired_crl_is_insecurely_used ? "warn" : "refuse");
        }
        fprintf(out, "  TLS         %s\n",
                rule->identity->min_version == 0x0304   ? "1.3"
                : rule->identity->max_version == 0x0303 ? "1.2"
                                                        : "1.2 or 1.3");
    }
    print_verify(out, rule, facts);
    print_peers(out, "  allow       ", rule->allow, rule->allow_count);
    print_peers(out, "  deny        ", rule->deny, rule->deny_count);
    if (rule->mode == POLICY_MODE_PERMISSIVE) {
        fprintf(out,
                "  plaintext   is let in; where the program speaks first, after %" PRId64
                " ms\n",
                rule->permissive_wait_ms);
    } else if (rule->mode == POLICY_MODE_OBSERVE) {
        fprintf(out, "  plaintext   all of it: nothing of the above is done yet\n");
    }
    fprintf(out, "  truncation  %s\n", rule->truncation_is_eof ? "eof" : "error");
}

static void
print_query(FILE *out, const struct condition_facts *facts)
{
    const struct policy_query *query = facts->query;

    fprintf(out, "%s connection, remote ", direction_name(query->direction));
    print_end(out, &facts->remote);
    fprintf(out, ", local ");
    print_end(out, &facts->local);
    fprintf(out, "\nservice %s, program %s, user %s (uid %s)\n",
            query->service != NULL ? query->service : "(unset)",
            or_unknown(query->program), or_unknown(query->user), facts->uid);
}

const struct policy_rule *
policy_explain(const struct policy *policy, const struct policy_query *query, FILE *out)
{
    const struct policy_rule *winner = NULL;
    struct condition_facts facts;

    condition_facts(query, &facts);
    print_query(out, &facts);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        if (rule->direction == query->direction &&
            print_rule(out, policy, rule, &facts, winner) && winner == NULL) {
            winner = rule;
        }
    }
    if (winner == NULL) {
        winner = query->direction == POLICY_OUTBOUND ? &policy->default_outbound
                                                     : &policy->default_inbound;
    }
    print_winner(out, winner, &facts);
    return winner;
}
