#include "tools/ctl/ca_sub.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_output.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
make_request(const struct ca_authority *authority, const struct ca_options *options,
             struct ca_request *request)
{
    const char *name = options->given_name ? options->name : options->operand;

    if (authority->path_len == 0) {
        return ca_error(-EPERM,
                        "%s: this CA's path length is 0, so there can be no CA below it; "
                        "one that is made with --path-length 1 can have some",
                        options->dir);
    }
    if (authority->path_len > 0 && options->path_len >= authority->path_len) {
        return ca_error(-EINVAL,
                        "--path-length %d: must be below that of %s, which is %d",
                        options->path_len, options->dir, authority->path_len);
    }
    *request = (struct ca_request){
        .cn = name,
        .permitted = options->permitted,
        .excluded = options->excluded,
        .not_after = ca_options_end(options->days, CA_DEFAULT_SUB_DAYS),
        .is_ca = true,
        .path_len = options->path_len,
    };
    return ca_cert_text_check("--name", name);
}

/* The new CA's files: chain.pem and the index are there before ca.key, as ca_store_open()
 * looks for that one. */
static int
write_all(const struct ca_store *store, const struct ca_authority *above,
          struct ca_key *key, const struct ca_made *made)
{
    struct ca_index index = {0};
    struct ca_output chain = {.cert = ""};
    struct ca_output own;
    int rc = ca_index_save(store, &index);

    if (rc == 0) {
        ca_store_path(store, "chain.pem", chain.cert);
        rc = ca_output_write(&chain, above, NULL, made);
    }
    if (rc == 0) {
        ca_store_path(store, "ca.key", own.key);
        ca_store_path(store, "ca.pem", own.cert);
        rc = ca_output_write(&own, NULL, key, made);
    }
    return rc;
}

static int
sub_in(const struct ca_store *above, const struct ca_store *store,
       struct ca_authority *authority, const struct ca_options *options,
       const struct ca_request *request, WC_RNG *rng)
{
    struct ca_made made = {.not_after = 0};
    struct ca_key key = {.type = 0};
    char until[CA_TIME_TEXT];
    int rc = ca_key_make(options->key, rng, &key);

    if (rc == 0) {
        rc = ca_cert_issue(authority, request, &key, rng, &made);
    }
    if (rc == 0) {
        rc = ca_output_record(above, &made, options->operand);
    }
    if (rc == 0) {
        rc = write_all(store, authority, &key, &made);
    }
    if (rc == 0) {
        printf("%s: new CA \"%s\" below %s, serial %s, valid until %s%s\n", store->dir,
               request->cn, above->dir, made.serial_text,
               ca_index_time(made.not_after, until),
               made.not_after < request->not_after ? " (the CA's own end)" : "");
        printf("to issue from it: mtlsctl ca issue NAME --dir %s\n", store->dir);
    }
    ca_key_done(&key);
    return rc;
}

static int
sub_below(const struct ca_store *above, const struct ca_options *options, WC_RNG *rng)
{
    struct ca_authority authority;
    struct ca_request request = {.not_after = 0};
    struct ca_output output;
    struct ca_store store;
    char *dir = NULL;
    int rc = ca_output_find(above, options, &output); /* checks the NAME */

    if (rc == 0) {
        rc = ca_cert_load(above, &authority);
        if (rc == 0) {
            rc = make_request(&authority, options, &request);
        }
        if (rc == 0 && asprintf(&dir, "%s/%s", above->dir, options->operand) < 0) {
            dir = NULL;
            rc = ca_error(-ENOMEM, "%s", strerror(ENOMEM));
        }
        if (rc == 0) {
            rc = ca_store_create(&store, options->out != NULL ? options->out : dir);
        }
        if (rc == 0) {
            rc = sub_in(above, &store, &authority, options, &request, rng);
            ca_store_close(&store);
        }
        ca_cert_done(&authority);
    }
    free(dir);
    return rc;
}

int
ca_sub(const struct ca_options *options, WC_RNG *rng)
{
    struct ca_store above;
    int rc = ca_store_open(&above, options->dir);

    if (rc == 0) {
        rc = sub_below(&above, options, rng);
        ca_store_close(&above);
    }
    return rc;
}
