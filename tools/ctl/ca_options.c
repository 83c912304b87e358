#include "tools/ctl/ca_options.h"

#include "tools/ctl/ca_key.h"
#include "tools/ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BIT(command) (1u << (command))
#define ALL (BIT(CA_COMMANDS) - 1)
#define LEAF (BIT(CA_ISSUE) | BIT(CA_SIGN))
#define MAX_DAYS 36500
#define MAX_PATH_LEN 9 /* no chain may be longer than wolfSSL takes */
#define DAY_S (24 * 60 * 60)

static const struct {
    const char *name;
    const char *operand; /* in the synopsis; NULL = takes none */
    const char *what;
} commands[CA_COMMANDS] = {
    [CA_INIT] = {"init", NULL, "make a new CA"},
    [CA_SUB] = {"sub", "NAME", "make a CA below this one, in DIR/NAME"},
    [CA_ISSUE] = {"issue", "NAME", "make a key and a certificate, or make them anew"},
    [CA_SIGN] = {"sign", "NAME", "make the certificate for a request (CSR)"},
    [CA_RENEW] = {"renew", "NAME", "make a certificate anew that says the same"},
    [CA_P12] = {"p12", "NAME", "write key, certificate and chain as PKCS#12"},
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
    {"name", "CN", "the CA's name (default: " CA_DEFAULT_NAME "; sub: NAME)",
     BIT(CA_INIT) | BIT(CA_SUB)},
    {"path-length", "N", "how many CAs may be below it (default: 0)",
     BIT(CA_INIT) | BIT(CA_SUB)},
    {"permit", "KIND:WHAT",
     "issue only for dns:DOMAIN, ip:ADDRESS/BITS or uri:HOST of this kind", BIT(CA_SUB)},
    {"exclude", "KIND:WHAT", "never issue for this dns:, ip: or uri:", BIT(CA_SUB)},
    {"csr", "FILE", "the request, PEM", BIT(CA_SIGN)},
    {"take-names", NULL, "take the alternative names that it asks for", BIT(CA_SIGN)},
    {"take-usage", NULL, "take the usage that it asks for: server, client", BIT(CA_SIGN)},
    {"take-subject", NULL, "take its subject instead of --cn and --ou", BIT(CA_SIGN)},
    {"dry-run", NULL, "show what it asks for and would get, and stop", BIT(CA_SIGN)},
    {"keep-key", NULL, "keep the key (default: a new one of the same kind)",
     BIT(CA_RENEW)},
    {"key", "KIND", CA_KEY_KINDS " (default: " CA_DEFAULT_KEY "; renew: as it was)",
     BIT(CA_INIT) | BIT(CA_SUB) | BIT(CA_ISSUE) | BIT(CA_RENEW)},
    {"dns", "NAME", "alternative name; without any, NAME itself", LEAF},
    {"ip", "ADDRESS", "alternative name, IPv4 or IPv6", LEAF},
    {"uri", "URI", "alternative name, such as spiffe://corp/ns/shop/sa/web", LEAF},
    {"cn", "CN", "common name (default: NAME)", LEAF},
    {"ou", "OU", "organisational unit", LEAF},
    {"server", NULL, "for servers only (default: servers and clients)", LEAF},
    {"client", NULL, "for clients only", LEAF},
    {"passphrase-file", "FILE", "what to encrypt it with is its first line", BIT(CA_P12)},
    {"in", "DIR", "directory of NAME.pem and NAME.key (default: the CA's)", BIT(CA_P12)},
    {"serial", "HEX", "revoke this certificate only", BIT(CA_REVOKE)},
    {"days", "N",
     "validity: CA 3650, CA below it 1825, certificate 365, renewed as before, "
     "revocation list 30 days",
     BIT(CA_INIT) | BIT(CA_SUB) | LEAF | BIT(CA_RENEW) | BIT(CA_CRL)},
    {"out", "PATH",
     "issue, sign, renew: directory of NAME.pem and NAME.key; sub: its directory; crl, "
     "p12: the file",
     LEAF | BIT(CA_SUB) | BIT(CA_RENEW) | BIT(CA_P12) | BIT(CA_CRL)},
    {"force", NULL, "replace a file that is there", BIT(CA_SIGN) | BIT(CA_P12)},
    {"all", NULL, "write the lists of the CAs below it, too", BIT(CA_CRL)},
    {"json", NULL, "as JSON", BIT(CA_LIST)},
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
    int width = 0;

    print_usage(stdout, command);
    printf("%s\n\n", commands[command].what);
    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].commands & BIT(command)) != 0 && (int)strlen(rows[i].name) > width) {
            width = (int)strlen(rows[i].name);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].commands & BIT(command)) != 0) {
            printf("  --%-*s %-9s %s\n", width, rows[i].name,
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
set_number(int *where, const char *option, const char *text, long least, long most)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (end == text || *end != '\0' || number < least || number > most) {
        return ca_error(-EINVAL, "--%s %s: must be a number from %ld to %ld", option,
                        text, least, most);
    }
    *where = (int)number;
    return 0;
}

/* Options that are a text or a switch; false for another. */
static bool
take_simple(struct ca_options *options, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **where;
    } texts[] = {
        {"dir", &options->dir}, {"name", &options->name},
        {"key", &options->key}, {"cn", &options->cn},
        {"ou", &options->ou},   {"serial", &options->serial},
        {"out", &options->out}, {"in", &options->in},
        {"csr", &options->csr}, {"passphrase-file", &options->passphrase_file},
    };
    const struct {
        const char *name;
        bool *where;
    } switches[] = {
        {"server", &options->server},
        {"client", &options->client},
        {"keep-key", &options->keep_key},
        {"take-names", &options->take_names},
        {"take-usage", &options->take_usage},
        {"take-subject", &options->take_subject},
        {"dry-run", &options->dry_run},
        {"force", &options->force},
        {"all", &options->all},
        {"json", &options->json},
        {"name", &options->given_name},
        {"key", &options->given_key},
    };
    bool known = false;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].where = value;
            known = true;
        }
    }
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        if (strcmp(name, switches[i].name) == 0) {
            *switches[i].where = true;
            known = true;
        }
    }
    return known;
}

/* Takes one option, by its name; 1 for --help. */
static int
take(struct ca_options *options, const char *name, const char *value)
{
    if (take_simple(options, name, value)) {
        return 0;
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
        return set_number(&options->days, name, value, 1, MAX_DAYS);
    }
    if (strcmp(name, "path-length") == 0) {
        return set_number(&options->path_len, name, value, 0, MAX_PATH_LEN);
    }
    if (strcmp(name, "permit") == 0) {
        return ca_san_add_subtree(&options->permitted, name, value);
    }
    if (strcmp(name, "exclude") == 0) {
        return ca_san_add_subtree(&options->excluded, name, value);
    }
    print_help(options->command);
    return 1;
}

int64_t
ca_options_end(int days, int fallback)
{
    return (int64_t)time(NULL) + (int64_t)(days != 0 ? days : fallback) * DAY_S;
}

/* Options without which a command makes no sense, or with which. */
static int
check_needed(const struct ca_options *options)
{
    if (options->command == CA_SIGN && options->csr == NULL) {
        return ca_error(-EINVAL, "sign: which request? give --csr FILE");
    }
    if (options->command == CA_P12 && options->passphrase_file == NULL) {
        return ca_error(-EINVAL, "p12: what is it to be encrypted with? give "
                                 "--passphrase-file FILE");
    }
    if (options->keep_key && options->given_key) {
        return ca_error(-EINVAL, "renew: give either --keep-key or --key");
    }
    if (options->all && options->out != NULL) {
        return ca_error(-EINVAL, "crl: --all writes each list to its CA's directory; "
                                 "leave out --out");
    }
    if (options->take_usage && (options->server || options->client)) {
        return ca_error(-EINVAL, "sign: give either --take-usage or --server, --client");
    }
    if (options->take_subject && (options->cn != NULL || options->ou != NULL)) {
        return ca_error(-EINVAL, "sign: give either --take-subject or --cn, --ou");
    }
    return 0;
}

/* What getopt cannot know. */
static int
check(struct ca_options *options)
{
    const char *name = commands[options->command].name;
    int rc;

    if (!ca_key_known(options->key)) {
        return ca_error(-EINVAL, "--key %s: must be %s", options->key, CA_KEY_KINDS);
    }
    if (options->operand == NULL && commands[options->command].operand != NULL &&
        options->command != CA_REVOKE) {
        ca_error(-EINVAL, "%s: which NAME?", name);
        print_usage(stderr, options->command);
        return -EINVAL;
    }
    rc = check_needed(options);
    if (rc != 0) {
        return rc;
    }
    if (options->operand != NULL && commands[options->command].operand == NULL) {
        return ca_error(-EINVAL, "%s: takes no argument '%s'", name, options->operand);
    }
    if (options->command == CA_REVOKE &&
        (options->operand == NULL) == (options->serial == NULL)) {
        return ca_error(-EINVAL, "revoke: give either NAME or --serial HEX");
    }
    for (size_t i = 0; i < options->san_count; i++) {
        rc = ca_san_check(&options->san[i]);

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
    struct option table[ROWS + 2];
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
    table[used] = (struct option){"version", no_argument, NULL, 'V'};
    optind = 0; /* a fresh start: main has used getopt already */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":hV", table, &index)) != -1) {
        int rc;

        if (c == 'h') {
            print_help(options->command);
            return 1;
        }
        if (c == 'V') {
            options_print_version();
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
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        options_print_version();
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
