/* The command line of `mtlsctl ca`. */
#ifndef TOOLS_CTL_CA_OPTIONS_H
#define TOOLS_CTL_CA_OPTIONS_H

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_san.h"

#include <stdbool.h>
#include <stdint.h>

enum ca_command {
    CA_INIT,
    CA_SUB,
    CA_ISSUE,
    CA_SIGN,
    CA_RENEW,
    CA_P12,
    CA_REVOKE,
    CA_CRL,
    CA_LIST,
    CA_COMMANDS,
};

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
    const char *in;
    const char *csr;
    const char *passphrase_file;
    struct ca_san san[CA_MAX_NAMES];
    size_t san_count;
    int days; /* 0 = the default */
    int path_len;
    struct ca_subtrees permitted;
    struct ca_subtrees excluded;
    bool given_name; /* --name, --key: not the default */
    bool given_key;
    bool server;
    bool client;
    bool keep_key;
    bool take_names;
    bool take_usage;
    bool take_subject;
    bool dry_run;
    bool force;
    bool all;
    bool json;
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
