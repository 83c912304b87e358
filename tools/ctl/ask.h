/* From the command line to the question that a policy is asked: which connection? */
#ifndef TOOLS_CTL_ASK_H
#define TOOLS_CTL_ASK_H

#include "config/policy.h"
#include "tools/ctl/endpoint.h"

#include <limits.h>

/* What was said; NULL where nothing was. */
struct ask_options {
    const char *outbound;
    const char *inbound;
    const char *address;
    const char *from;
    const char *service;
    const char *program;
    const char *user;
};

/* Their rows for options_read(). */
#define ASK_ROWS_TARGET(ask)                                                             \
    {"outbound",      0,    "HOST:PORT",                                                 \
     &(ask).outbound, NULL, "a connection to this name or address"},                     \
        {"inbound",      0,    "ADDR:PORT",                                              \
         &(ask).inbound, NULL, "a connection that is accepted at this address"},         \
        {"address",      0,    "ADDR",                                                   \
         &(ask).address, NULL, "what the name of --outbound resolves to"},               \
    {                                                                                    \
        "from", 0, "ADDR[:PORT]", &(ask).from, NULL, "the end that connects"             \
    }
#define ASK_ROWS_PROGRAM(ask)                                                            \
    {"service", 0, "NAME", &(ask).service, NULL, "MTLS_SHIM_SERVICE of the program"},    \
        {"program", 0, "PATH", &(ask).program, NULL, "the program's file"},              \
    {                                                                                    \
        "user", 0, "USER", &(ask).user, NULL,                                            \
            "its user, name or number (default: yours)"                                  \
    }

/* What a query points to. */
struct asked {
    struct policy_query query;
    struct endpoint target;
    struct endpoint from;
    char program[PATH_MAX];
    char user[64];
    char uid[24];
};

/* An option that makes no sense. */
struct ask_problem {
    const char *what;
    const char *why;
};

/*
 * Turns options into a query; one of outbound and inbound is set.
 *
 *   options  in   must outlive asked
 *   asked    out
 *   problem  out
 *
 * Returns  whether they make sense.
 */
bool ask(const struct ask_options *options, struct asked *asked,
         struct ask_problem *problem);

#endif
