/*
 * The conditions of a rule: on whose connections it applies to, and where they go.
 */
#ifndef CONFIG_CONDITION_H
#define CONFIG_CONDITION_H

#include "config/address.h"
#include "config/policy.h"

/* In the order in which explain tells of them. */
enum condition_kind {
    CONDITION_SERVICE,
    CONDITION_PROGRAM,
    CONDITION_USER,
    CONDITION_REMOTE,
    CONDITION_LOCAL,
    CONDITION_COUNT,
};

/* A rule's; NULL or no patterns: anything goes. */
struct conditions {
    const char *service;
    const char *program;
    const char *user;
    bool user_is_number;
    const struct address *remote;
    size_t remote_count;
    const struct address *local;
    size_t local_count;
};

#define CONDITION_UID_LEN 24

/* A query, made ready for comparing with many rules. */
struct condition_facts {
    const struct policy_query *query;
    struct address_end remote;
    struct address_end local;
    const char *uid;
    char uid_text[CONDITION_UID_LEN];
};

/* Makes a query ready.  Safe: async-signal-safe; facts must not be moved. */
void condition_facts(const struct policy_query *query, struct condition_facts *facts);

/* Whether one condition is met, or absent.  Safe: async-signal-safe. */
bool condition_holds(const struct conditions *conditions, enum condition_kind kind,
                     const struct condition_facts *facts);

#endif
