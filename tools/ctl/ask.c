#include "tools/ctl/ask.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
ask_user(const char *given, struct asked *asked)
{
    bool is_number = given == NULL || given[strspn(given, "0123456789")] == '\0';
    uid_t uid = given == NULL ? geteuid() : (uid_t)strtoul(given, NULL, 10);
    const struct passwd *entry = is_number ? getpwuid(uid) : getpwnam(given);

    /* A user of another machine has a name and no number here, or the other way round. */
    snprintf(asked->uid, sizeof(asked->uid), "unknown");
    if (is_number || entry != NULL) {
        snprintf(asked->uid, sizeof(asked->uid), "%u",
                 (unsigned)(entry != NULL ? entry->pw_uid : uid));
    }
    if (!is_number || entry != NULL) {
        snprintf(asked->user, sizeof(asked->user), "%s",
                 entry != NULL ? entry->pw_name : given);
        asked->query.user = asked->user;
    }
    asked->query.uid = asked->uid;
}

static bool
ask_target(const struct ask_options *options, struct asked *asked,
           struct ask_problem *problem)
{
    bool outbound = options->outbound != NULL;
    const char *text = outbound ? options->outbound : options->inbound;
    struct endpoint address;

    problem->what = text;
    if (!endpoint_parse(text, &asked->target) || endpoint_port(&asked->target) == 0) {
        problem->why = outbound ? "want HOST:PORT" : "want ADDRESS:PORT";
        return false;
    }
    if (!outbound && asked->target.name[0] != '\0') {
        problem->why = "want ADDRESS:PORT, not a name";
        return false;
    }
    if (options->address != NULL) {
        if (!endpoint_parse(options->address, &address) || address.name[0] != '\0' ||
            endpoint_port(&address) != 0) {
            *problem = (struct ask_problem){options->address, "want an address"};
            return false;
        }
        endpoint_resolve(&asked->target, &address);
    }
    return true;
}

static bool
ask_from(const struct ask_options *options, struct asked *asked,
         struct ask_problem *problem)
{
    if (options->from != NULL &&
        (!endpoint_parse(options->from, &asked->from) || asked->from.name[0] != '\0')) {
        *problem = (struct ask_problem){options->from, "want ADDRESS or ADDRESS:PORT"};
        return false;
    }
    return true;
}

bool
ask(const struct ask_options *options, struct asked *asked, struct ask_problem *problem)
{
    struct policy_query *query = &asked->query;
    const struct sockaddr *from = options->from != NULL ? &asked->from.socket.any : NULL;

    memset(asked, 0, sizeof(*asked));
    if (!ask_target(options, asked, problem) || !ask_from(options, asked, problem)) {
        return false;
    }
    query->service = options->service;
    /* The kernel follows links before it runs a program. */
    if (options->program != NULL) {
        query->program = realpath(options->program, asked->program) != NULL
                             ? asked->program
                             : options->program;
    }
    ask_user(options->user, asked);
    query->direction = options->outbound != NULL ? POLICY_OUTBOUND : POLICY_INBOUND;
    if (query->direction == POLICY_OUTBOUND) {
        query->remote = &asked->target.socket.any;
        query->local = from;
        query->dialled_name = asked->target.name[0] != '\0' ? asked->target.name : NULL;
    } else {
        query->local = &asked->target.socket.any;
        query->remote = from;
    }
    return true;
}
