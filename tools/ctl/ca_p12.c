#include "tools/ctl/ca_p12.h"

#include "config/certs.h"
#include "config/secret.h"
#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_output.h"
#include "tools/ctl/ca_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/pkcs12.h>
#include <wolfssl/wolfcrypt/types.h>

/* Against guessing. Those of the MAC have room; for PBES2 wolfSSL writes 16 bits. */
#define ITERATIONS 32000
#define MAC_ITERATIONS 100000
#define CHAIN_MAX 10

/* The certificates, the key's own first; the list is what wolfSSL takes. */
struct chain {
    WC_DerCertList at[CHAIN_MAX];
    int count;
};

static void
report(void *context, const struct policy_problem *problem)
{
    (void)context;
    ca_error(0, "%s", problem->text);
}

static int
collect(void *context, const struct certs_one *cert)
{
    struct chain *chain = context;
    WC_DerCertList *entry = &chain->at[chain->count];

    if (cert->error != 0 || chain->count == CHAIN_MAX) {
        return -EINVAL;
    }
    entry->buffer = malloc(cert->der_len);
    if (entry->buffer == NULL) {
        return -ENOMEM;
    }
    memcpy(entry->buffer, cert->der, cert->der_len);
    entry->bufferSz = (word32)cert->der_len;
    if (chain->count++ > 0) {
        entry[-1].next = entry;
    }
    return 0;
}

static int
read_chain(const char *path, struct policy_report *problems, struct chain *chain)
{
    const struct problem_place place = {problems, "", 0, path};
    struct file file;
    int rc = file_read(path, &file);

    if (rc != 0) {
        return problem_in(&place, "%s", file_error(rc));
    }
    rc = certs_each(&place, &file, collect, chain);
    file_done(&file);
    return rc > 0 ? 0 : problem_in(&place, "holds no certificates that can be used");
}

static void
chain_done(struct chain *chain)
{
    for (int i = 0; i < chain->count; i++) {
        free(chain->at[i].buffer);
    }
}

static int
write_p12(const char *path, const struct chain *chain, uint8_t *key, int key_len,
          struct file *passphrase)
{
    const WC_DerCertList *own = &chain->at[0];
    char nothing[] = "";
    char *text = passphrase->data != NULL ? (char *)passphrase->data : nothing;
    WC_PKCS12 *p12 =
        wc_PKCS12_create(text, (word32)strlen(text), NULL, key, (word32)key_len,
                         own->buffer, own->bufferSz, own->next, PBE_AES256_CBC,
                         PBE_AES256_CBC, ITERATIONS, MAC_ITERATIONS, 0, NULL);
    byte *der = NULL;
    int unused = 0; /* what it allocates is as long as it returns */
    int len = p12 != NULL ? wc_i2d_PKCS12(p12, &der, &unused) : 0;
    int rc;

    if (len <= 0) {
        rc = ca_error(-EIO, "%s: wolfSSL does not make it", path);
    } else {
        const struct ca_file file = {path, 0600, (const char *)der, (size_t)len};

        rc = ca_store_replace(&file, 1);
    }
    XFREE(der, NULL, DYNAMIC_TYPE_PKCS);
    wc_PKCS12_free(p12);
    return rc;
}

/* Reads the key as PEM and hands it on as DER. */
static int
read_key(const char *path, struct policy_report *problems, uint8_t der[CA_KEY_DER_MAX])
{
    const struct problem_place place = {problems, "", 0, path};
    struct file file;
    struct ca_key key = {.type = 0};
    int rc = secret_read(&place, &file);

    if (rc != 0) {
        return rc;
    }
    rc = ca_key_parse((const char *)file.data, file.len, &key);
    file_done(&file);
    rc = rc == 0 ? ca_key_traditional(&key, der)
                 : problem_in(&place, "is not an unencrypted private key in PEM");
    ca_key_done(&key);
    return rc;
}

static int export(const struct ca_output *output, const char *path,
                  const char *passphrase_file)
{
    struct policy_report problems = {report, NULL, 0};
    const struct problem_place place = {&problems, "", 0, passphrase_file};
    uint8_t der[CA_KEY_DER_MAX];
    struct chain chain = {.count = 0};
    struct file passphrase = {.data = NULL};
    int rc = read_chain(output->cert, &problems, &chain);

    if (rc == 0) {
        rc = secret_read_line(&place, &passphrase);
    }
    if (rc == 0) {
        rc = read_key(output->key, &problems, der);
    }
    if (rc > 0) {
        rc = write_p12(path, &chain, der, rc, &passphrase);
    }
    explicit_bzero(der, sizeof(der));
    file_done(&passphrase);
    chain_done(&chain);
    return rc;
}

int
ca_p12(const struct ca_options *options)
{
    struct ca_options place = *options;
    struct ca_output output;
    struct ca_store store;
    char path[PATH_MAX];
    int rc = ca_store_open(&store, options->dir);

    if (rc != 0) {
        return rc;
    }
    place.out = options->in; /* --out is the file that is written here */
    rc = ca_output_find(&store, &place, &output);
    if (rc == 0) {
        snprintf(path, sizeof(path), "%s/%s.p12", store.dir, options->operand);
        rc = ca_output_is_free(options->out != NULL ? options->out : path, options);
    }
    if (rc == 0) {
        const char *to = options->out != NULL ? options->out : path;

        rc = export(&output, to, options->passphrase_file);
        if (rc == 0) {
            printf("%s: key, certificate and chain, AES-256\n", to);
        }
    }
    ca_store_close(&store);
    return rc;
}
