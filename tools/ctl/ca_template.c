#include "tools/ctl/ca_template.h"

#include <errno.h>
#include <string.h>

#define USAGE_DIGITAL_SIGNATURE 0x80 /* KeyUsage, RFC 5280, section 4.2.1.3 */
#define USAGE_CERT_SIGN 0x04
#define USAGE_CRL_SIGN 0x02

/* ---- the subject ------------------------------------------------------------------- */

static void
put_attribute(struct ca_der *der, uint8_t id, const char *text)
{
    const char oid[] = {0x55, 0x04, (char)id};
    size_t since = ca_der_len(der);

    ca_der_element(der, CA_DER_UTF8, text, strlen(text));
    ca_der_oid(der, oid, sizeof(oid));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    ca_der_wrap(der, CA_DER_SET, since);
}

static void
put_name(struct ca_der *der, const char *cn, const char *ou)
{
    enum { COMMON_NAME = 3, ORGANISATIONAL_UNIT = 11 }; /* below 2.5.4 */
    size_t since = ca_der_len(der);

    put_attribute(der, COMMON_NAME, cn);
    if (ou != NULL) {
        put_attribute(der, ORGANISATIONAL_UNIT, ou);
    }
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
}

/* ---- extensions -------------------------------------------------------------------- */

/* Makes an Extension of what was written since: its value. */
static void
wrap_extension(struct ca_der *der, enum ca_extension_id id, bool critical, size_t since)
{
    const char oid[] = {0x55, 0x1d, (char)id};
    static const uint8_t yes = 0xff;

    ca_der_wrap(der, CA_DER_OCTETS, since);
    if (critical) {
        ca_der_element(der, CA_DER_BOOLEAN, &yes, 1);
    }
    ca_der_oid(der, oid, sizeof(oid));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
}

/* RFC 5280 has it critical in a CA's certificate; a leaf's may be. */
static void
put_basic_constraints(struct ca_der *der, const struct ca_request *request)
{
    static const uint8_t yes = 0xff;
    size_t since = ca_der_len(der);

    if (request->is_ca) {
        uint8_t path_len = (uint8_t)request->path_len;

        ca_der_integer(der, &path_len, 1);
        ca_der_element(der, CA_DER_BOOLEAN, &yes, 1);
    }
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    wrap_extension(der, CA_EXT_BASIC_CONSTRAINTS, true, since);
}

static void
put_key_usage(struct ca_der *der, bool is_ca)
{
    /* The first octet: how many bits at the end are not used. */
    static const uint8_t leaf[] = {7, USAGE_DIGITAL_SIGNATURE};
    static const uint8_t ca[] = {1, USAGE_CERT_SIGN | USAGE_CRL_SIGN};
    size_t since = ca_der_len(der);

    ca_der_element(der, CA_DER_BITS, is_ca ? ca : leaf, sizeof(leaf));
    wrap_extension(der, CA_EXT_KEY_USAGE, true, since);
}

static void
put_purpose(struct ca_der *der, bool server, bool client)
{
    static const char kp_server[] = {0x2b, 6, 1, 5, 5, 7, 3, 1}; /* 1.3.6.1.5.5.7.3.1 */
    static const char kp_client[] = {0x2b, 6, 1, 5, 5, 7, 3, 2};
    size_t since = ca_der_len(der);

    if (client) {
        ca_der_oid(der, kp_client, sizeof(kp_client));
    }
    if (server) {
        ca_der_oid(der, kp_server, sizeof(kp_server));
    }
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    wrap_extension(der, CA_EXT_PURPOSE, false, since);
}

/* RFC 5280, section 4.2.1.10; critical, as it demands. */
static void
put_name_constraints(struct ca_der *der, const struct ca_request *request)
{
    size_t since = ca_der_len(der);
    size_t list = since;

    if (request->excluded.count > 0) {
        ca_san_put_subtrees(der, &request->excluded);
        ca_der_wrap(der, CA_DER_CONTEXT_1, list);
    }
    list = ca_der_len(der);
    if (request->permitted.count > 0) {
        ca_san_put_subtrees(der, &request->permitted);
        ca_der_wrap(der, CA_DER_CONTEXT_0, list);
    }
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    wrap_extension(der, CA_EXT_NAME_CONSTRAINTS, true, since);
}

/* The last one first. */
static void
put_extensions(struct ca_der *der, const struct ca_request *request)
{
    size_t since = ca_der_len(der);

    if (request->permitted.count + request->excluded.count > 0) {
        put_name_constraints(der, request);
        since = ca_der_len(der);
    }
    if (request->san_count > 0) {
        ca_san_put(der, request->san, request->san_count);
        wrap_extension(der, CA_EXT_SAN, false, since);
    }
    if (request->server || request->client) {
        put_purpose(der, request->server, request->client);
    }
    put_key_usage(der, request->is_ca);
    put_basic_constraints(der, request);
}

/* ---- templates --------------------------------------------------------------------- */

static struct der_span
written(const struct ca_der *der, size_t since)
{
    return (struct der_span){der->base + der->start, ca_der_len(der) - since};
}

int
ca_template_make(const struct ca_request *request, struct der_span spki,
                 struct ca_template *template)
{
    struct ca_der der;
    size_t since;

    ca_der_init(&der, template->buffer, sizeof(template->buffer));
    put_extensions(&der, request);
    template->extensions = written(&der, 0);
    template->subject = request->subject;
    if (request->subject.len == 0) {
        since = ca_der_len(&der);
        put_name(&der, request->cn, request->ou);
        template->subject = written(&der, since);
    }
    template->spki = spki;
    template->not_after = request->not_after;
    if (der.overflow) {
        return ca_error(-E2BIG, "too many alternative names for one certificate");
    }
    return 0;
}

int
ca_template_copy(const struct ca_read *parts, struct der_span spki, int64_t not_after,
                 struct ca_template *template)
{
    struct der_span list = parts->extensions;
    struct ca_extension extension;
    size_t len = 0;

    /* The key identifiers follow from the keys, which may be others now. */
    while (ca_read_extension(&list, &extension)) {
        if (ca_read_is(&extension, CA_EXT_SUBJECT_KEY_ID) ||
            ca_read_is(&extension, CA_EXT_AUTHORITY_KEY_ID)) {
            continue;
        }
        if (extension.whole.len > sizeof(template->buffer) - len) {
            return ca_error(-EINVAL, "the certificate's extensions are too long");
        }
        memcpy(template->buffer + len, extension.whole.at, extension.whole.len);
        len += extension.whole.len;
    }
    if (list.len != 0 || len == 0) {
        return ca_error(-EINVAL, "the certificate's extensions cannot be read");
    }
    template->extensions = (struct der_span){template->buffer, len};
    template->subject = parts->subject;
    template->spki = spki;
    template->not_after = not_after;
    return 0;
}
