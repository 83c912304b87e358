#include "tools/ctl/ca_renew.h"

#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_output.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/asn_public.h>

/* What is to be renewed. */
struct old {
    uint8_t der[CA_CERT_DER_MAX];
    struct ca_read parts;
    int64_t lasts_s; /* how long it was valid */
};

/* ---- the certificate that is there ------------------------------------------------- */

static int
read_old(const char *path, struct old *old)
{
    char *text;
    size_t len;
    int rc = ca_store_read_path(path, &text, &len);

    if (rc != 0) {
        return rc;
    }
    /* The first one, should those of CAs follow. */
    rc = wc_CertPemToDer((const byte *)text, (int)len, old->der, sizeof(old->der),
                         CERT_TYPE);
    free(text);
    if (rc <= 0 ||
        !ca_read_certificate((struct der_span){old->der, (size_t)rc}, &old->parts)) {
        return ca_error(-EINVAL, "%s: holds no certificate in PEM", path);
    }
    return rc;
}

/* The line of the index; NULL when there is none. */
static const struct ca_entry *
find_entry(const struct ca_index *index, struct der_span serial)
{
    char text[2 * 64 + 1] = "";

    for (size_t i = 0; i < serial.len && i < 64; i++) {
        snprintf(text + 2 * i, 3, "%02x", serial.at[i]);
    }
    for (size_t i = 0; i < index->count; i++) {
        if (strcmp(index->entries[i].serial, text) == 0) {
            return &index->entries[i];
        }
    }
    return NULL;
}

static int
check_entry(const struct ca_store *store, const char *path, const struct old *old)
{
    struct ca_index index;
    const struct ca_entry *entry;
    int rc = ca_index_load(store, &index);

    if (rc != 0) {
        return rc;
    }
    entry = find_entry(&index, old->parts.serial);
    if (entry == NULL) {
        rc = ca_error(-ENOENT, "%s: was not issued by %s (see mtlsctl ca list)", path,
                      store->dir);
    } else if (entry->revoked_at != 0) {
        rc = ca_error(-EPERM,
                      "%s: was revoked, and is not renewed; mtlsctl ca issue makes a new "
                      "one",
                      path);
    }
    ca_index_done(&index);
    return rc;
}

static int
load_old(const struct ca_store *store, const struct ca_authority *authority,
         const char *path, struct old *old)
{
    struct ca_times times;
    int len = read_old(path, old);

    if (len < 0) {
        return len;
    }
    if (!ca_cert_is_ours(authority, (struct der_span){old->der, (size_t)len}) ||
        !ca_read_times(&old->parts, &times)) {
        return ca_error(-EPERM,
                        "%s: was not signed by the CA in %s; is it another --dir?", path,
                        store->dir);
    }
    old->lasts_s = times.not_after - times.not_before;
    return check_entry(store, path, old);
}

/* ---- renewing ---------------------------------------------------------------------- */

static int
load_key(const char *path, struct ca_key *key)
{
    char *text;
    size_t len;
    int rc;

    if (access(path, F_OK) != 0) {
        return ca_error(-ENOENT,
                        "%s: is not there, so its owner has it: renew with --keep-key, "
                        "or have a new request signed with mtlsctl ca sign",
                        path);
    }
    rc = ca_store_read_path(path, &text, &len);
    if (rc != 0) {
        return rc;
    }
    rc = ca_key_parse(text, len, key);
    explicit_bzero(text, len);
    free(text);
    return rc == 0 ? 0
                   : ca_error(rc, "%s: is not an unencrypted private key in PEM", path);
}

/* A new key, of the kind that the old one is unless another is asked for. */
static int
make_key(const struct ca_options *options, const char *path, WC_RNG *rng,
         struct ca_key *key)
{
    struct ca_key old = {.type = 0};
    const char *kind = options->key;
    int rc = 0;

    if (!options->given_key) {
        rc = load_key(path, &old);
        kind = rc == 0 ? ca_key_kind(&old) : NULL;
        ca_key_done(&old);
    }
    return rc == 0 ? ca_key_make(kind, rng, key) : rc;
}

/* What a renewal works on. */
struct renewal {
    const struct ca_store *store;
    const struct ca_options *options;
    struct ca_authority *authority;
    struct ca_output output;
    char sub[PATH_MAX]; /* the directory of the CA that is renewed; "" for a leaf */
    bool keep_key;
    struct ca_key key; /* the new one */
    struct old old;
    struct ca_made made;
};

/* A CA below this one keeps its key: certificates and lists that it signed go by it. */
static int
find(struct renewal *renewal)
{
    struct ca_output *output = &renewal->output;
    int rc = ca_output_find(renewal->store, renewal->options, output);

    renewal->keep_key = renewal->options->keep_key;
    if (rc == 0 && access(output->cert, F_OK) != 0) {
        char path[PATH_MAX];

        snprintf(renewal->sub, sizeof(renewal->sub), "%.*s",
                 (int)(strlen(output->cert) - strlen(".pem")), output->cert);
        if (snprintf(path, sizeof(path), "%s/ca.pem", renewal->sub) < (int)sizeof(path) &&
            access(path, F_OK) == 0) {
            memcpy(output->cert, path, sizeof(path));
            renewal->keep_key = true;
        } else {
            renewal->sub[0] = '\0';
        }
    }
    return rc;
}

static int
make(struct renewal *renewal, int64_t end, WC_RNG *rng)
{
    uint8_t spki[CA_KEY_SPKI_MAX];
    struct ca_template template = {.not_after = 0};
    struct der_span public_key = renewal->old.parts.spki;
    int rc = 0;

    if (!renewal->keep_key) {
        rc = make_key(renewal->options, renewal->output.key, rng, &renewal->key);
        if (rc == 0) {
            rc = ca_key_spki(&renewal->key, spki);
        }
        public_key = (struct der_span){spki, rc > 0 ? (size_t)rc : 0};
    }
    if (rc >= 0) {
        rc = ca_template_copy(&renewal->old.parts, public_key, end, &template);
    }
    return rc == 0 ? ca_cert_make(renewal->authority, &template, rng, &renewal->made)
                   : rc;
}

static int
write_sub(struct renewal *renewal)
{
    struct ca_output chain = {.cert = ""};
    struct ca_store sub;
    int rc = ca_store_open(&sub, renewal->sub);

    if (rc != 0) {
        return rc;
    }
    ca_store_path(&sub, "chain.pem", chain.cert);
    rc = ca_output_write(&chain, renewal->authority, NULL, &renewal->made);
    if (rc == 0) {
        rc = ca_output_write(&renewal->output, NULL, NULL, &renewal->made);
    }
    ca_store_close(&sub);
    return rc;
}

static int
renew(struct renewal *renewal, WC_RNG *rng)
{
    const struct ca_options *options = renewal->options;
    int64_t end;
    int rc = find(renewal);

    if (rc == 0) {
        rc = load_old(renewal->store, renewal->authority, renewal->output.cert,
                      &renewal->old);
    }
    if (rc != 0) {
        return rc;
    }
    end = options->days != 0 ? ca_options_end(options->days, 0)
                             : (int64_t)time(NULL) + renewal->old.lasts_s - CA_BACKDATE_S;
    rc = make(renewal, end, rng);
    if (rc == 0) {
        rc = ca_output_record(renewal->store, &renewal->made, options->operand);
    }
    if (rc == 0) {
        rc = renewal->sub[0] != '\0'
                 ? write_sub(renewal)
                 : ca_output_write(&renewal->output, renewal->authority,
                                   renewal->keep_key ? NULL : &renewal->key,
                                   &renewal->made);
    }
    if (rc == 0) {
        ca_output_tell(renewal->output.cert, &renewal->made, end);
    }
    return rc;
}

int
ca_renew(const struct ca_options *options, WC_RNG *rng)
{
    struct ca_authority authority;
    struct ca_store store;
    struct renewal renewal = {
        .store = &store, .options = options, .authority = &authority};
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    rc = ca_cert_load(&store, &authority);
    if (rc == 0) {
        rc = renew(&renewal, rng);
    }
    ca_key_done(&renewal.key);
    ca_cert_done(&authority);
    ca_store_close(&store);
    return rc;
}
