#include "tools/ctl/ca_options.h"

#include "tools/ctl/ca_key.h"
#include "tools/ctl/options.h"

#include <errno.h>
#include <stddef.h>
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

enum kind { TEXT, SWITCH, TAKEN }; /* TAKEN: what take() is for */

#define AT(field) offsetof(struct ca_options, field)

static const struct option_row {
    const char *name;
    const char *value; /* NULL = takes none */
    enum kind kind;
    size_t at; /* where in struct ca_options it goes */
    unsigned commands;
    const char *what;
} rows[] = {
    {"dir", "DIR", TEXT, AT(dir), ALL,
     "directory of the CA (default: ./" CA_DEFAULT_DIR ")"},
    {"name", "CN", TEXT, AT(name), BIT(CA_INIT) | BIT(CA_SUB),
     "the CA's name (default: " CA_DEFAULT_NAME ";\nsub: NAME)"},
    {"path-length", "N", TAKEN, 0, BIT(CA_INIT) | BIT(CA_SUB),
     "how many CAs may be below it (default: 0)"},
    {"permit", "KIND:WHAT", TAKEN, 0, BIT(CA_SUB),
     "issue only for dns:DOMAIN, ip:ADDRESS/BITS or\nuri:HOST of this kind"},
    {"exclude", "KIND:WHAT", TAKEN, 0, BIT(CA_SUB),
     "never issue for this dns:, ip: or uri:"},
    {"csr", "FILE", TEXT, AT(csr), BIT(CA_SIGN), "the request, PEM"},
    {"take-names", NULL, SWITCH, AT(take_names), BIT(CA_SIGN),
     "take the alternative names that it asks for"},
    {"take-usage", NULL, SWITCH, AT(take_usage), BIT(CA_SIGN),
     "take the usage that it asks for: server, client"},
    {"take-subject", NULL, SWITCH, AT(take_subject), BIT(CA_SIGN),
     "take its subject instead of --cn and --ou"},
    {"dry-run", NULL, SWITCH, AT(dry_run), BIT(CA_SIGN),
     "show what it asks for and would get, and stop"},
    {"keep-key", NULL, SWITCH, AT(keep_key), BIT(CA_RENEW),
     "keep the key (default: a new one of the same kind)"},
    {"key", "KIND", TEXT, AT(key),
     BIT(CA_INIT) | BIT(CA_SUB) | BIT(CA_ISSUE) | BIT(CA_RENEW),
     CA_KEY_KINDS "\n(default: " CA_DEFAULT_KEY "; renew: as it was)"},
    {"dns", "NAME", TAKEN, 0, LEAF, "alternative name; without any, NAME itself"},
    {"ip", "ADDRESS", TAKEN, 0, LEAF, "alternative name, IPv4 or IPv6"},
    {"uri", "URI", TAKEN, 0, LEAF,
     "alternative name, such as\nspiffe://corp/ns/shop/sa/web"},
    {"cn", "CN", TEXT, AT(cn), LEAF, "common name (default: NAME)"},
    {"ou", "OU", TEXT, AT(ou), LEAF, "organisational unit"},
    {"server", NULL, SWITCH, AT(server), LEAF,
     "for servers only (default: servers and clients)"},
    {"client", NULL, SWITCH, AT(client), LEAF, "for clients only"},
    {"passphrase-file", "FILE", TEXT, AT(passphrase_file), BIT(CA_P12),
     "what to encrypt it with is its first line"},
    {"in", "DIR", TEXT, AT(in), BIT(CA_P12),
     "directory of NAME.pem and NAME.key\n(default: the CA's)"},
    {"serial", "HEX", TEXT, AT(serial), BIT(CA_REVOKE), "revoke this certificate only"},
    {"days", "N", TAKEN, 0,
     BIT(CA_INIT) | BIT(CA_SUB) | LEAF | BIT(CA_RENEW) | BIT(CA_CRL),
     "validity: CA 3650, CA below it 1825, certificate\n365, renewed as before, "
     "revocation list 30 days"},
    {"out", "PATH", TEXT, AT(out),
     LEAF | BIT(CA_SUB) | BIT(CA_RENEW) | BIT(CA_P12) | BIT(CA_CRL),
     "issue, sign, renew: directory of NAME.pem and\nNAME.key; sub: its directory; crl, "
     "p12: the file"},
    {"force", NULL, SWITCH, AT(force), BIT(CA_SIGN) | BIT(CA_P12),
     "replace a file that is there"},
    {"all", NULL, SWITCH, AT(all), BIT(CA_CRL),
     "write the lists of the CAs below it, too"},
    {"json", NULL, SWITCH, AT(json), BIT(CA_LIST), "as JSON"},
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

static int
take(void *context, const char *name, const char *value)
{
    struct ca_options *options = context;

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
    return ca_san_add_subtree(strcmp(name, "permit") == 0 ? &options->permitted
                                                          : &options->excluded,
                              name, value);
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
    int rc;

    if (!ca_key_known(options->key)) {
        return ca_error(-EINVAL, "--key %s: must be %s", options->key, CA_KEY_KINDS);
    }
    rc = check_needed(options);
    if (rc != 0) {
        return rc;
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

/* The rows of a command, as options_read() wants them. Returns how many there are. */
static size_t
select_rows(struct ca_options *options, struct options_row selected[ROWS])
{
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++) {
        const struct option_row *row = &rows[i];
        void *where = (char *)options + row->at;

        if ((row->commands & BIT(options->command)) != 0) {
            selected[count++] = (struct options_row){
                .name = row->name,
                .value = row->value,
                .text = row->kind == TEXT ? where : NULL,
                .on = row->kind == SWITCH ? where : NULL,
                .help = row->what,
            };
        }
    }
    return count;
}

static int
parse_command(int argc, char **argv, struct ca_options *options)
{
    const char *operand = commands[options->command].operand;
    struct options_row selected[ROWS];
    char name[32];
    char usage[80];
    char about[80];
    const struct options_page page = {
        .command = name,
        .usage = usage,
        .about = about,
        .notes =
            "Exit status: 0; 1 when it cannot be done; 2 for a wrong command line.\n",
        .operand = operand,
        .operands = operand == NULL     ? OPTIONS_NONE
                    : operand[0] == '[' ? OPTIONS_OPTIONAL
                                        : OPTIONS_ONE,
        .take = take,
        .context = options,
    };
    int status;

    snprintf(name, sizeof(name), "ca %s", commands[options->command].name);
    snprintf(usage, sizeof(usage), "usage: mtlsctl %s%s%s [OPTION...]\n", name,
             operand != NULL ? " " : "", operand != NULL ? operand : "");
    snprintf(about, sizeof(about), "%s\n", commands[options->command].what);
    optind = 0; /* a fresh start: main has used getopt already */
    status = options_read(&page, selected, select_rows(options, selected), argc, argv);
    if (status >= 0) {
        return status == EXIT_SUCCESS ? 1 : -EINVAL;
    }
    options->operand = argv[optind];
    options->given_name = options->name != NULL;
    options->given_key = options->key != NULL;
    options->name = options->given_name ? options->name : CA_DEFAULT_NAME;
    options->key = options->given_key ? options->key : CA_DEFAULT_KEY;
    return check(options);
}

int
ca_options_parse(int argc, char **argv, struct ca_options *options)
{
    memset(options, 0, sizeof(*options));
    options->dir = CA_DEFAULT_DIR;
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
