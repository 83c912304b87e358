#include "tools/ctl/ca_sign.h"

#include "config/pem.h"
#include "shim/session/peer_text.h"
#include "tools/ctl/ca_cert.h"
#include "tools/ctl/ca_issue.h"
#include "tools/ctl/ca_output.h"
#include "tools/ctl/ca_store.h"
#include "tools/ctl/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#define RSA_BITS_MIN 2048

/* What the file holds. */
struct asked {
    struct pem_block pem;
    struct ca_read parts;
    struct ca_san san[CA_MAX_NAMES]; /* what --take-names takes; for free() */
    size_t san_count;
    char key[48]; /* "RSA, 2048 bits" */
};

/* ---- the request ------------------------------------------------------------------- */

static int
find_pem(const char *path, struct asked *asked)
{
    char *text;
    size_t len;
    const char *at;
    int rc = ca_store_read_path(path, &text, &len);

    if (rc != 0) {
        return rc;
    }
    at = text;
    while ((rc = pem_next(&at, &asked->pem)) > 0) {
        if (strcmp(asked->pem.label, "CERTIFICATE REQUEST") == 0 ||
            strcmp(asked->pem.label, "NEW CERTIFICATE REQUEST") == 0) {
            break;
        }
        pem_done(&asked->pem);
    }
    free(text);
    if (rc <= 0 || asked->pem.der == NULL ||
        !ca_read_request((struct der_span){asked->pem.der, asked->pem.len},
                         &asked->parts)) {
        return ca_error(-EINVAL,
                        "%s: holds no certificate request in PEM, as openssl req -new "
                        "makes it",
                        path);
    }
    return 0;
}

/* Who asks must have the key (RFC 2986, section 3), and one that is worth something. */
static int
check_key(const char *path, struct asked *asked)
{
    DecodedCert *decoded = malloc(sizeof(*decoded));
    const char *kind;
    unsigned bits;
    int rc;

    if (decoded == NULL) {
        return ca_error(-ENOMEM, "%s", strerror(ENOMEM));
    }
    wc_InitDecodedCert(decoded, asked->pem.der, (word32)asked->pem.len, NULL);
    rc = wc_ParseCert(decoded, CERTREQ_TYPE, VERIFY, NULL);
    kind = describe_key(asked->parts.spki, &bits);
    wc_FreeDecodedCert(decoded);
    free(decoded);
    if (rc != 0) {
        return ca_error(-EINVAL, "%s: is not signed with the key that it is for: %s",
                        path, wc_GetErrorString(rc));
    }
    if (kind == NULL) {
        return ca_error(-EINVAL, "%s: its key is of a kind that the shim does not know",
                        path);
    }
    if (strcmp(kind, "RSA") == 0 && bits < RSA_BITS_MIN) {
        return ca_error(-EINVAL, "%s: an RSA key of %u bits is too short; want %d", path,
                        bits, RSA_BITS_MIN);
    }
    snprintf(asked->key, sizeof(asked->key), "%s, %u bits", kind, bits);
    return 0;
}

static int
read_names(struct asked *asked)
{
    struct ca_extension extension;
    struct der_item item;
    struct der_span list;
    int rc = 0;

    if (!ca_read_find(asked->parts.extensions, CA_EXT_SAN, &extension) ||
        !der_expect(&extension.value, CA_DER_SEQUENCE, &item)) {
        return 0;
    }
    list = item.value;
    while (rc == 0 && der_next(&list, &item)) {
        if (asked->san_count == CA_MAX_NAMES) {
            return ca_error(-EINVAL, "more than %d alternative names", CA_MAX_NAMES);
        }
        rc = ca_san_read(&item, &asked->san[asked->san_count]);
        asked->san_count += asked->san[asked->san_count].text != NULL;
    }
    return rc;
}

static void
asked_done(struct asked *asked)
{
    for (size_t i = 0; i < asked->san_count; i++) {
        free((void *)(uintptr_t)asked->san[i].text);
    }
    pem_done(&asked->pem);
}

/* ---- what it asks for, and what it gets -------------------------------------------- */

static const char *
purpose_words(bool server, bool client)
{
    return server && client ? "server, client"
           : server         ? "server"
           : client         ? "client"
                            : "none";
}

static void
asked_purpose(const struct asked *asked, bool *server, bool *client)
{
    static const uint8_t prefix[] = {0x2b, 6, 1, 5, 5, 7, 3};
    struct ca_extension extension;
    struct der_item item;
    struct der_span list;

    *server = *client = false;
    if (!ca_read_find(asked->parts.extensions, CA_EXT_PURPOSE, &extension) ||
        !der_expect(&extension.value, CA_DER_SEQUENCE, &item)) {
        return;
    }
    list = item.value;
    while (der_expect(&list, CA_DER_OID, &item)) {
        if (item.value.len == sizeof(prefix) + 1 &&
            memcmp(item.value.at, prefix, sizeof(prefix)) == 0) {
            *server |= item.value.at[sizeof(prefix)] == 1;
            *client |= item.value.at[sizeof(prefix)] == 2;
        }
    }
}

static void
print_name(const char *what, struct der_span whole)
{
    char text[512];
    struct der_item item;

    if (der_next(&whole, &item)) {
        peer_text_name(item.value, text, sizeof(text));
        printf("  %-9s %s\n", what, text[0] != '\0' ? text : "none");
    }
}

static void
print_extensions(struct der_span list)
{
    char text[2048] = "";
    struct ca_extension extension;
    struct der_item item;

    if (ca_read_find(list, CA_EXT_SAN, &extension) &&
        der_expect(&extension.value, CA_DER_SEQUENCE, &item)) {
        peer_text_san(item.value, text, sizeof(text));
    }
    printf("  %-9s %s\n", "names", text[0] != '\0' ? text : "none");
}

static void
show(const struct asked *asked, const struct ca_request *request,
     const struct ca_template *template)
{
    char until[CA_TIME_TEXT];
    bool server;
    bool client;

    asked_purpose(asked, &server, &client);
    printf("the request asks for\n");
    print_name("subject", asked->parts.subject);
    print_extensions(asked->parts.extensions);
    printf("  %-9s %s\n  %-9s %s\n", "usage", purpose_words(server, client), "key",
           asked->key);
    printf("the certificate has\n");
    print_name("subject", template->subject);
    print_extensions(template->extensions);
    printf("  %-9s %s\n  %-9s %s\n", "usage",
           purpose_words(request->server, request->client), "until",
           ca_index_time(request->not_after, until));
}

/* ---- signing ----------------------------------------------------------------------- */

static int
make_request(const struct ca_options *options, struct asked *asked,
             struct ca_request *request)
{
    int rc = ca_issue_request(options, request);

    if (rc == 0 && options->take_names) {
        rc = read_names(asked);
        for (size_t i = 0; rc == 0 && i < asked->san_count; i++) {
            if (request->san_count == CA_MAX_NAMES) {
                return ca_error(-EINVAL, "more than %d alternative names", CA_MAX_NAMES);
            }
            request->san[request->san_count++] = asked->san[i];
        }
        if (rc == 0 && request->san_count == 0) {
            return ca_error(-EINVAL, "--take-names: the request asks for no names");
        }
    }
    if (options->take_usage) {
        asked_purpose(asked, &request->server, &request->client);
        if (rc == 0 && !request->server && !request->client) {
            return ca_error(-EINVAL, "--take-usage: the request asks for neither server "
                                     "nor client");
        }
    }
    if (options->take_subject) {
        request->subject = asked->parts.subject;
    }
    return rc;
}

static int
sign_with(const struct ca_store *store, struct ca_authority *authority,
          const struct ca_options *options, struct asked *asked, WC_RNG *rng)
{
    struct ca_template template = {.not_after = 0};
    struct ca_request request;
    struct ca_output output;
    struct ca_made made = {.not_after = 0};
    int rc = ca_output_find(store, options, &output);

    if (rc == 0) {
        rc = ca_output_is_free(output.cert, options);
    }
    if (rc == 0) {
        rc = make_request(options, asked, &request);
    }
    if (rc == 0) {
        rc = ca_template_make(&request, asked->parts.spki, &template);
    }
    if (rc != 0) {
        return rc;
    }
    show(asked, &request, &template);
    if (options->dry_run) {
        return 0;
    }
    rc = ca_cert_make(authority, &template, rng, &made);
    if (rc == 0) {
        rc = ca_output_record(store, &made, options->operand);
    }
    if (rc == 0) {
        rc = ca_output_write(&output, authority, NULL, &made);
    }
    if (rc == 0) {
        ca_output_tell(output.cert, &made, request.not_after);
    }
    return rc;
}

int
ca_sign(const struct ca_options *options, WC_RNG *rng)
{
    struct asked asked = {.san_count = 0};
    struct ca_authority authority;
    struct ca_store store;
    int rc = find_pem(options->csr, &asked);

    if (rc == 0) {
        rc = check_key(options->csr, &asked);
    }
    if (rc == 0) {
        rc = ca_store_open(&store, options->dir);
    }
    if (rc == 0) {
        rc = ca_cert_load(&store, &authority);
        if (rc == 0) {
            rc = sign_with(&store, &authority, options, &asked, rng);
        }
        ca_cert_done(&authority);
        ca_store_close(&store);
    }
    asked_done(&asked);
    return rc;
}
