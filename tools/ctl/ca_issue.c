#include "tools/ctl/ca_issue.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
                          ca_options_end(options->days, CA_DEFAULT_CA_DAYS), rng, &made);
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

int
ca_issue_init(const struct ca_options *options, WC_RNG *rng)
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
    request->not_after = ca_options_end(options->days, CA_DEFAULT_DAYS);
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

int
ca_issue(const struct ca_options *options, WC_RNG *rng)
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
