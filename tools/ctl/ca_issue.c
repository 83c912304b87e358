#include "tools/ctl/ca_issue.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_output.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- init ------------------------------------------------------------------------- */

static int
init_in(const struct ca_store *store, const struct ca_options *options, WC_RNG *rng)
{
    const struct ca_request request = {
        .cn = options->name,
        .not_after = ca_options_end(options->days, CA_DEFAULT_CA_DAYS),
        .is_ca = true,
        .path_len = options->path_len,
    };
    struct ca_index index = {0};
    struct ca_output output;
    struct ca_key key;
    struct ca_made made = {.not_after = 0};
    char until[CA_TIME_TEXT];
    int rc = ca_key_make(options->key, rng, &key);

    if (rc == 0) {
        rc = ca_cert_issue(NULL, &request, &key, rng, &made);
    }
    /* The index first: a CA is there when ca.key is, and then it is complete. */
    if (rc == 0) {
        rc = ca_index_save(store, &index);
    }
    if (rc == 0) {
        ca_store_path(store, "ca.key", output.key);
        ca_store_path(store, "ca.pem", output.cert);
        rc = ca_output_write(&output, NULL, &key, &made);
    }
    if (rc == 0) {
        printf("%s: new CA \"%s\", valid until %s\n", output.cert, options->name,
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

int
ca_issue_request(const struct ca_options *options, struct ca_request *request)
{
    int rc;

    memset(request, 0, sizeof(*request));
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
    if (rc == 0 && request->san_count == 0 && !options->take_names) {
        request->san[0] = (struct ca_san){CA_SAN_DNS, options->operand};
        request->san_count = 1;
        rc = ca_san_check(&request->san[0]);
    }
    return rc;
}

static int
issue_with(const struct ca_store *store, struct ca_authority *authority,
           const struct ca_options *options, WC_RNG *rng)
{
    struct ca_output output;
    struct ca_request request;
    struct ca_made made = {.not_after = 0};
    struct ca_key key;
    int rc = ca_output_find(store, options, &output);

    if (rc == 0) {
        rc = ca_issue_request(options, &request);
    }
    if (rc != 0) {
        return rc;
    }
    rc = ca_key_make(options->key, rng, &key);
    if (rc == 0) {
        rc = ca_cert_issue(authority, &request, &key, rng, &made);
    }
    if (rc == 0) {
        rc = ca_output_record(store, &made, options->operand);
    }
    if (rc == 0) {
        rc = ca_output_write(&output, authority, &key, &made);
    }
    if (rc == 0) {
        ca_output_tell(output.cert, &made, request.not_after);
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
