#include "config/condition.h"

#include <string.h>
#include <unistd.h>

/* Not snprintf(), which is not for signal handlers. */
static const char *
decimal(unsigned long number, char text[CONDITION_UID_LEN])
{
    char *at = text + CONDITION_UID_LEN - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return at;
}

void
condition_facts(const struct policy_query *query, struct condition_facts *facts)
{
    bool outbound = query->direction == POLICY_OUTBOUND;

    memset(facts, 0, sizeof(*facts));
    facts->query = query;
    address_end(query->remote, outbound ? query->dialled_name : NULL, &facts->remote);
    address_end(query->local, NULL, &facts->local);
    if (outbound) {
        address_end_is_remote(&facts->remote);
    }
    facts->uid = query->uid != NULL ? query->uid : decimal(geteuid(), facts->uid_text);
}

static bool
glob_holds(const char *pattern, const char *text)
{
    return pattern == NULL || (text != NULL && policy_glob(pattern, text));
}

static bool
user_holds(const struct conditions *conditions, const struct condition_facts *facts)
{
    const char *user = conditions->user_is_number ? facts->uid : facts->query->user;

    return conditions->user == NULL ||
           (user != NULL && strcmp(conditions->user, user) == 0);
}

static bool
addresses_hold(const struct address *addresses, size_t count,
               const struct address_end *end)
{
    for (size_t i = 0; i < count; i++) {
        if (address_matches(&addresses[i], end)) {
            return true;
        }
    }
    return count == 0;
}

bool
condition_holds(const struct conditions *conditions, enum condition_kind kind,
                const struct condition_facts *facts)
{
    switch (kind) {
    case CONDITION_SERVICE:
        return glob_holds(conditions->service, facts->query->service);
    case CONDITION_PROGRAM:
        return glob_holds(conditions->program, facts->query->program);
    case CONDITION_USER:
        return user_holds(conditions, facts);
    case CONDITION_REMOTE:
        return addresses_hold(conditions->remote, conditions->remote_count,
                              &facts->remote);
    case CONDITION_LOCAL:
        return addresses_hold(conditions->local, conditions->local_count, &facts->local);
    default:
        return false;
    }
}
