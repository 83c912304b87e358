#include "tools/ctl/ca_options.h"

#include "tools/ctl/ca_key.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BIT(command) (1u << (command))
#define ALL (BIT(CA_COMMANDS) - 1)
#define MAX_DAYS 36500
#define DAY_S (24 * 60 * 60)

static const struct {
    const char *name;
    const char *operand; /* in the synopsis; NULL = takes none */
    const char *what;
} commands[CA_COMMANDS] = {
    [CA_INIT] = {"init", NULL, "make a new CA"},
    [CA_ISSUE] = {"issue", "NAME", "make a key and a certificate, or renew them"},
    [CA_REVOKE] = {"revoke", "[NAME]", "revoke a certificate"},
    [CA_CRL] = {"crl", NULL, "write the revocation list"},
    [CA_LIST] = {"list", NULL, "list what was issued"},
};

static const struct option_row {
    const char *name;
    const char *argument; /* NULL = takes none */
    const char *what;
    unsigned commands;
} rows[] = {
    {"dir", "DIR", "directory of the CA (default: ./" CA_DEFAULT_DIR ")", ALL},
    {"name", "CN", "the CA's name (default: " CA_DEFAULT_NAME ")", BIT(CA_INIT)},
    {"key", "KIND", CA_KEY_KINDS " (default: " CA_DEFAULT_KEY ")",
     BIT(CA_INIT) | BIT(CA_ISSUE)},
    {"dns", "NAME", "alternative name; without any, NAME itself", BIT(CA_ISSUE)},
    {"ip", "ADDRESS", "alternative name, IPv4 or IPv6", BIT(CA_ISSUE)},
    {"uri", "URI", "alternative name, such as spiffe://corp/ns/shop/sa/web",
     BIT(CA_ISSUE)},
    {"cn", "CN", "common name (default: NAME)", BIT(CA_ISSUE)},
    {"ou", "OU", "organisational unit", BIT(CA_ISSUE)},
    {"server", NULL, "for servers only (default: servers and clients)", BIT(CA_ISSUE)},
    {"client", NULL, "for clients only", BIT(CA_ISSUE)},
    {"serial", "HEX", "revoke this certificate only", BIT(CA_REVOKE)},
    {"days", "N", "validity: CA 3650, certificate 365, revocation list 30 days",
     BIT(CA_INIT) | BIT(CA_ISSUE) | BIT(CA_CRL)},
    {"out", "PATH", "issue: directory of NAME.pem and NAME.key; crl: the file to write",
     BIT(CA_ISSUE) | BIT(CA_CRL)},
    {"help", NULL, "show this text", ALL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
print_commands(FILE *out)
{
    fprintf(out, "usage: mtlsctl ca COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < CA_COMMANDS; i++) {
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
    }
    fprintf(out, "\nmtlsctl ca COMMAND --help lists a command's options.\n");
}

static void
print_usage(FILE *out, enum ca_command command)
{
    const char *operand = commands[command].operand;

    fprintf(out, "usage: mtlsctl ca %s%s%s [OPTION...]\n", commands[command].name,
            operand != NULL ? " " : "", operand != NULL ? operand : "");
}

static void
print_help(enum ca_command command)
{
    print_usage(stdout, command);
    printf("%s\n\n", commands[command].what);
    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].commands & BIT(command)) != 0) {
            printf("  --%-6s %-8s %s\n", rows[i].name,
                   rows[i].argument != NULL ? rows[i].argument : "", rows[i].what);
        }
    }
}

static int
add_san(struct ca_options *options, enum ca_san_kind kind, const char *text)
{
    struct ca_san *san = &options->san[options->san_count];

    if (options->san_count == CA_MAX_NAMES) {
        return ca_error(-EINVAL, "more than %d alternative names", CA_MAX_NAMES);
    }
    san->kind = kind;
    san->text = text;
    options->san_count++;
    return 0;
}

static int
set_days(struct ca_options *options, const char *text)
{
    char *end;
    long days = strtol(text, &end, 10);

    if (end == text || *end != '\0' || days < 1 || days > MAX_DAYS) {
        return ca_error(-EINVAL, "--days %s: must be a number from 1 to %d", text,
                        MAX_DAYS);
    }
    options->days = (int)days;
    return 0;
}

/* Takes one option, by its name; 1 for --help. */
static int
take(struct ca_options *options, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **where;
    } texts[] = {
        {"dir", &options->dir}, {"name", &options->name}, {"key", &options->key},
        {"cn", &options->cn},   {"ou", &options->ou},     {"serial", &options->serial},
        {"out", &options->out},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].where = value;
            return 0;
        }
    }
    if (strcmp(name, "dns") == 0) {
        return add_san(options, CA_SAN_DNS, value);
    }
    if (strcmp(name, "ip") == 0) {
        return add_san(options, CA_SAN_IP, value);
    }
    if (strcmp(name, "uri") == 0) {
        return add_san(options, CA_SAN_URI, value);
    }
    if (strcmp(name, "days") == 0) {
        return set_days(options, value);
    }
    if (strcmp(name, "server") == 0) {
        options->server = true;
        return 0;
    }
    if (strcmp(name, "client") == 0) {
        options->client = true;
        return 0;
    }
    print_help(options->command);
    return 1;
}

int64_t
ca_options_end(int days, int fallback)
{
    return (int64_t)time(NULL) + (int64_t)(days != 0 ? days : fallback) * DAY_S;
}

/* What getopt cannot know. */
static int
check(struct ca_options *options)
{
    const char *name = commands[options->command].name;

    if (!ca_key_known(options->key)) {
        return ca_error(-EINVAL, "--key %s: must be %s", options->key, CA_KEY_KINDS);
    }
    if (options->command == CA_ISSUE && options->operand == NULL) {
        ca_error(-EINVAL, "issue: which NAME?");
        print_usage(stderr, options->command);
        return -EINVAL;
    }
    if (options->operand != NULL && commands[options->command].operand == NULL) {
        return ca_error(-EINVAL, "%s: takes no argument '%s'", name, options->operand);
    }
    if (options->command == CA_REVOKE &&
        (options->operand == NULL) == (options->serial == NULL)) {
        return ca_error(-EINVAL, "revoke: give either NAME or --serial HEX");
    }
    for (size_t i = 0; i < options->san_count; i++) {
        int rc = ca_san_check(&options->san[i]);

        if (rc != 0) {
            return rc;
        }
    }
    if (!options->server && !options->client) {
        options->server = true;
        options->client = true;
    }
    return 0;
}

static int
parse_command(int argc, char **argv, struct ca_options *options)
{
    struct option table[ROWS + 1];
    size_t used = 0;
    int index;
    int c;

    memset(table, 0, sizeof(table));
    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].commands & BIT(options->command)) != 0) {
            table[used].name = rows[i].name;
            table[used].has_arg =
                rows[i].argument != NULL ? required_argument : no_argument;
            table[used++].val = 'x';
        }
    }
    optind = 0; /* a fresh start: main has used getopt already */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":h", table, &index)) != -1) {
        int rc;

        if (c == 'h') {
            print_help(options->command);
            return 1;
        }
        if (c != 'x') {
            ca_error(-EINVAL, "%s: %s: %s", argv[0], argv[optind - 1],
                     c == ':' ? "needs a value" : "unknown option");
            print_usage(stderr, options->command);
            return -EINVAL;
        }
        rc = take(options, table[index].name, optarg);
        if (rc != 0) {
            return rc;
        }
    }
    if (argc - optind > 1) {
        return ca_error(-EINVAL, "%s: one argument too many: '%s'", argv[0],
                        argv[optind + 1]);
    }
    options->operand = argv[optind];
    return check(options);
}

int
ca_options_parse(int argc, char **argv, struct ca_options *options)
{
    memset(options, 0, sizeof(*options));
    options->dir = CA_DEFAULT_DIR;
    options->name = CA_DEFAULT_NAME;
    options->key = CA_DEFAULT_KEY;
    if (argc < 2) {
        print_commands(stderr);
        return -EINVAL;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_commands(stdout);
        return 1;
    }
    for (size_t i = 0; i < CA_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            options->command = (enum ca_command)i;
            return parse_command(argc - 1, argv + 1, options);
        }
    }
    ca_error(-EINVAL, "unknown command '%s'", argv[1]);
    print_commands(stderr);
    return -EINVAL;
}
