#include "tools/ctl/ca_revoke.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_crl.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

int
ca_revoke(const struct ca_options *options)
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

/* ---- crl --------------------------------------------------------------------------- */

static int
write_crl(const struct ca_store *store, struct ca_authority *authority,
          const struct ca_options *options, WC_RNG *rng)
{
    struct ca_index index;
    char path[PATH_MAX];
    char until[CA_TIME_TEXT];
    char *pem = NULL;
    int64_t next = ca_options_end(options->days, CA_DEFAULT_CRL_DAYS);
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

static int crl_of(const char *dir, const struct ca_options *options, WC_RNG *rng);

/* The lists of CAs in directories that are called like what this one has issued. */
static int
crls_below(const struct ca_store *store, const struct ca_options *options, WC_RNG *rng)
{
    struct ca_index index;
    int rc = ca_index_load(store, &index);
    int first = rc;

    for (size_t i = 0; first == 0 && i < index.count; i++) {
        const struct ca_entry *entry = &index.entries[i];
        char dir[PATH_MAX];
        char key[PATH_MAX];
        bool is_seen = false;

        for (size_t before = 0; before < i; before++) {
            is_seen |= strcmp(index.entries[before].name, entry->name) == 0;
        }
        ca_store_path(store, entry->name, dir);
        if (!is_seen && snprintf(key, sizeof(key), "%s/ca.key", dir) < (int)sizeof(key) &&
            access(key, F_OK) == 0) {
            int result = crl_of(dir, options, rng);

            rc = rc == 0 ? result : rc;
        }
    }
    ca_index_done(&index);
    return rc;
}

/* One that fails does not keep the others from being written. */
static int
crl_of(const char *dir, const struct ca_options *options, WC_RNG *rng)
{
    struct ca_authority authority;
    struct ca_store store;
    int rc = ca_store_open(&store, dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_cert_load(&store, &authority);
    if (rc == 0) {
        rc = write_crl(&store, &authority, options, rng);
    }
    ca_cert_done(&authority);
    if (options->all) {
        int below = crls_below(&store, options, rng);

        rc = rc == 0 ? below : rc;
    }
    ca_store_close(&store);
    return rc;
}

int
ca_revoke_crl(const struct ca_options *options, WC_RNG *rng)
{
    return crl_of(options->dir, options, rng);
}
