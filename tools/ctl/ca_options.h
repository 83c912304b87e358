/* The command line of `mtlsctl ca`: one table gives parsing and help. */
#ifndef TOOLS_CTL_CA_OPTIONS_H
#define TOOLS_CTL_CA_OPTIONS_H

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_san.h"

#include <stdbool.h>
#include <stdint.h>

enum ca_command { CA_INIT, CA_ISSUE, CA_REVOKE, CA_CRL, CA_LIST, CA_COMMANDS };

struct ca_options {
    enum ca_command command;
    const char *operand; /* NAME; NULL = none given */
    const char *dir;
    const char *out; /* NULL = the default */
    const char *name;
    const char *key;
    const char *cn;
    const char *ou;
    const char *serial;
    struct ca_san san[CA_MAX_NAMES];
    size_t san_count;
    int days; /* 0 = the default */
    bool server;
    bool client;
};

/*
 * Takes the command line apart, argv[0] being "ca".
 *
 * Returns  0 to go on; 1 when help was asked for and printed; -EINVAL on wrong use,
 *          reported.
 */
int ca_options_parse(int argc, char **argv, struct ca_options *options)
    __attribute__((warn_unused_result));

/* The moment that many days from now; fallback counts when days is 0. */
int64_t ca_options_end(int days, int fallback);

#endif
