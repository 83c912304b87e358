#include "tools/ctl/ca.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_crl.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_options.h"
#include "tools/ctl/ca_store.h"
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wolfssl/ssl.h>

#define DAY_S (24 * 60 * 60)

int
ca_error(int rc, const char *format, ...)
{
    va_list args;

    fputs("mtlsctl: ca: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return rc;
}

static int64_t
days_from_now(int days, int fallback)
{
    return (int64_t)time(NULL) + (int64_t)(days != 0 ? days : fallback) * DAY_S;
}

/* Writes a key and its certificate together. */
static int
write_pair(struct ca_key *key, const struct ca_made *made, const char *key_path,
           const char *cert_path)
{
    char pem[CA_KEY_PEM_MAX];
    int len = ca_key_pem(key, pem);
    int rc = len;

    if (len > 0) {
        const struct ca_file files[] = {
            {key_path, 0600, pem, (size_t)len},
            {cert_path, 0644, made->pem, (size_t)made->pem_len},
        };

        rc = ca_store_replace(files, 2);
    }
    explicit_bzero(pem, sizeof(pem));
    return rc;
}

/* ---- init ------------------------------------------------------------------------- */

static int
init_in(const struct ca_store *store, const struct ca_options *options, WC_RNG *rng)
{
    struct ca_index index = {0};
    struct ca_key key;
    struct ca_made made;
    char key_path[PATH_MAX];
    char cert_path[PATH_MAX];
    char until[CA_TIME_TEXT];
    int rc = ca_key_make(options->key, rng, &key);

    if (rc == 0) {
        rc = ca_cert_root(&key, options->name,
                          days_from_now(options->days, CA_DEFAULT_CA_DAYS), rng, &made);
    }
    /* The index first: a CA is there when ca.key is, and then it is complete. */
    if (rc == 0) {
        rc = ca_index_save(store, &index);
    }
    if (rc == 0) {
        ca_store_path(store, "ca.key", key_path);
        ca_store_path(store, "ca.pem", cert_path);
        rc = write_pair(&key, &made, key_path, cert_path);
    }
    if (rc == 0) {
        printf("%s: new CA \"%s\", valid until %s\n", cert_path, options->name,
               ca_index_time(made.not_after, until));
    }
    ca_key_done(&key);
    return rc;
}

static int
run_init(const struct ca_options *options, WC_RNG *rng)
{
    struct ca_store store;
    int rc = ca_cert_text_check("--name", options->name);

    if (rc == 0) {
        rc = ca_store_create(&store, options->dir);
    }
    if (rc == 0) {
        rc = init_in(&store, options, rng);
        ca_store_close(&store);
    }
    return rc;
}

/* ---- issue ------------------------------------------------------------------------ */

/* From the options to what the certificate will say; everything is checked here. */
static int
make_request(const struct ca_options *options, struct ca_request *request)
{
    int rc;

    memset(request, 0, sizeof(*request));
    if (!ca_index_name_valid(options->operand)) {
        return ca_error(-EINVAL,
                        "'%s' cannot be a NAME: letters, digits and . _ - @ + only, not "
                        "beginning with . or -, and not \"ca\"",
                        options->operand);
    }
    request->cn = options->cn != NULL ? options->cn : options->operand;
    request->ou = options->ou;
    request->server = options->server;
    request->client = options->client;
    request->not_after = days_from_now(options->days, CA_DEFAULT_DAYS);
    memcpy(request->san, options->san, sizeof(request->san));
    request->san_count = options->san_count;
    rc = ca_cert_text_check("--cn", request->cn);
    if (rc == 0 && request->ou != NULL) {
        rc = ca_cert_text_check("--ou", request->ou);
    }
    if (rc == 0 && request->san_count == 0) {
        request->san[0] = (struct ca_san){CA_SAN_DNS, options->operand};
        request->san_count = 1;
        rc = ca_san_check(&request->san[0]);
    }
    return rc;
}

/* The index knows of a certificate before it exists: whatever exists can be revoked. */
static int
record(const struct ca_store *store, const struct ca_made *made, const char *name)
{
    struct ca_index index;
    struct ca_entry entry;
    int rc = ca_index_load(store, &index);

    if (rc != 0) {
        return rc;
    }
    memset(&entry, 0, sizeof(entry));
    memcpy(entry.serial, made->serial_text, sizeof(entry.serial));
    memccpy(entry.name, name, '\0', sizeof(entry.name));
    entry.not_after = made->not_after;
    rc = ca_index_add(&index, &entry);
    if (rc == 0) {
        rc = ca_index_save(store, &index);
    }
    ca_index_done(&index);
    return rc;
}

static int
issue_with(const struct ca_store *store, struct ca_authority *authority,
           const struct ca_options *options, WC_RNG *rng)
{
    const char *out = options->out != NULL ? options->out : store->dir;
    struct ca_request request;
    struct ca_made made;
    struct ca_key key;
    char key_path[PATH_MAX];
    char cert_path[PATH_MAX];
    char until[CA_TIME_TEXT];
    int rc = make_request(options, &request);

    if (rc != 0) {
        return rc;
    }
    if (strlen(out) + strlen(options->operand) + 16 > PATH_MAX) {
        return ca_error(-ENAMETOOLONG, "--out: path too long");
    }
    rc = ca_key_make(options->key, rng, &key);
    if (rc == 0) {
        rc = ca_cert_leaf(authority, &request, &key, rng, &made);
    }
    if (rc == 0) {
        rc = record(store, &made, options->operand);
    }
    if (rc == 0) {
        snprintf(key_path, sizeof(key_path), "%s/%s.key", out, options->operand);
        snprintf(cert_path, sizeof(cert_path), "%s/%s.pem", out, options->operand);
        rc = write_pair(&key, &made, key_path, cert_path);
    }
    if (rc == 0) {
        printf("%s: serial %s, valid until %s%s\n", cert_path, made.serial_text,
               ca_index_time(made.not_after, until),
               made.not_after < request.not_after ? " (the CA's own end)" : "");
    }
    ca_key_done(&key);
    return rc;
}

static int
run_issue(const struct ca_options *options, WC_RNG *rng)
{
    struct ca_authority authority;
    struct ca_store store;
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_cert_load(&store, &authority);
    if (rc == 0) {
        rc = issue_with(&store, &authority, options, rng);
    }
    ca_cert_done(&authority);
    ca_store_close(&store);
    return rc;
}

/* ---- revoke ----------------------------------------------------------------------- */

/* Serials are written with colons and in capitals elsewhere. */
static int
normalise_serial(const char *text, char serial[CA_SERIAL_TEXT])
{
    size_t used = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ':') {
            continue;
        }
        if (strchr("0123456789abcdefABCDEF", *c) == NULL || used == CA_SERIAL_TEXT - 1) {
            return ca_error(-EINVAL, "--serial %s: is not a serial number in hex", text);
        }
        serial[used++] = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
    }
    serial[used] = '\0';
    return 0;
}

/* Marks all that the options name; the number of those that were good until now. */
static int
mark_revoked(struct ca_index *index, const struct ca_options *options, const char *serial)
{
    int known = 0;
    int marked = 0;

    for (size_t i = 0; i < index->count; i++) {
        struct ca_entry *entry = &index->entries[i];

        if (options->operand != NULL ? strcmp(entry->name, options->operand) != 0
                                     : strcmp(entry->serial, serial) != 0) {
            continue;
        }
        known++;
        if (entry->revoked_at == 0) {
            entry->revoked_at = (int64_t)time(NULL);
            marked++;
            printf("revoked %s, serial %s\n", entry->name, entry->serial);
        }
    }
    if (known == 0) {
        return ca_error(-ENOENT, "revoke: this CA issued no '%s' (see mtlsctl ca list)",
                        options->operand != NULL ? options->operand : options->serial);
    }
    return marked;
}

static int
run_revoke(const struct ca_options *options)
{
    char serial[CA_SERIAL_TEXT] = "";
    struct ca_index index;
    struct ca_store store;
    int rc = 0;

    if (options->serial != NULL) {
        rc = normalise_serial(options->serial, serial);
    }
    if (rc == 0) {
        rc = ca_store_open(&store, options->dir);
    }
    if (rc != 0) {
        return rc;
    }
    rc = ca_index_load(&store, &index);
    if (rc == 0) {
        rc = mark_revoked(&index, options, serial);
        if (rc == 0) {
            printf("already revoked\n");
        } else if (rc > 0) {
            rc = ca_index_save(&store, &index);
            if (rc == 0) {
                printf("to let others know: mtlsctl ca crl --dir %s\n", options->dir);
            }
        }
        ca_index_done(&index);
    }
    ca_store_close(&store);
    return rc;
}

/* ---- crl, list -------------------------------------------------------------------- */

static int
write_crl(const struct ca_store *store, struct ca_authority *authority,
          const struct ca_options *options, WC_RNG *rng)
{
    struct ca_index index;
    char path[PATH_MAX];
    char until[CA_TIME_TEXT];
    char *pem = NULL;
    int64_t next = days_from_now(options->days, CA_DEFAULT_CRL_DAYS);
    int rc = ca_index_load(store, &index);

    if (rc != 0) {
        return rc;
    }
    /* The number is used up even when writing fails: no two lists may share one. */
    index.crl_number++;
    rc = ca_index_save(store, &index);
    if (rc == 0) {
        rc = ca_crl_make(authority, &index, next, rng, &pem);
    }
    if (rc > 0) {
        const char *out =
            options->out != NULL ? options->out : ca_store_path(store, "ca.crl", path);
        struct ca_file file = {out, 0644, pem, (size_t)rc};

        rc = ca_store_replace(&file, 1);
        if (rc == 0) {
            printf("%s: revocation list, due again before %s\n", out,
                   ca_index_time(next, until));
        }
    }
    free(pem);
    ca_index_done(&index);
    return rc;
}

static int
run_crl(const struct ca_options *options, WC_RNG *rng)
{
    struct ca_authority authority;
    struct ca_store store;
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_cert_load(&store, &authority);
    if (rc == 0) {
        rc = write_crl(&store, &authority, options, rng);
    }
    ca_cert_done(&authority);
    ca_store_close(&store);
    return rc;
}

static int
run_list(const struct ca_options *options)
{
    char until[CA_TIME_TEXT];
    struct ca_index index;
    struct ca_store store;
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_index_load(&store, &index);
    for (size_t i = 0; rc == 0 && i < index.count; i++) {
        const struct ca_entry *entry = &index.entries[i];
        const char *state = entry->revoked_at != 0          ? "revoked"
                            : entry->not_after < time(NULL) ? "expired"
                                                            : "valid";

        printf("%-7s %s %s %s\n", state, entry->serial,
               ca_index_time(entry->not_after, until), entry->name);
    }
    ca_index_done(&index);
    ca_store_close(&store);
    return rc;
}

/* ----------------------------------------------------------------------------------- */

static int
run(const struct ca_options *options)
{
    WC_RNG rng;
    int rc;

    switch (options->command) {
    case CA_REVOKE:
        return run_revoke(options);
    case CA_LIST:
        return run_list(options);
    default:
        break;
    }
    rc = wc_InitRng(&rng);
    if (rc != 0) {
        return ca_error(-EIO, "the random number generator does not start (%d)", rc);
    }
    switch (options->command) {
    case CA_INIT:
        rc = run_init(options, &rng);
        break;
    case CA_ISSUE:
        rc = run_issue(options, &rng);
        break;
    default:
        rc = run_crl(options, &rng);
        break;
    }
    wc_FreeRng(&rng);
    return rc;
}

int
ctl_ca(int argc, char **argv)
{
    struct ca_options options;
    int rc = ca_options_parse(argc, argv, &options);

    if (rc != 0) {
        return rc > 0 ? EXIT_SUCCESS : CTL_EXIT_USAGE;
    }
    wolfSSL_Init();
    rc = run(&options);
    wolfSSL_Cleanup();
    if (fflush(stdout) != 0 && rc == 0) {
        rc = ca_error(-errno, "standard output: %s", strerror(errno));
    }
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
