#include "tools/ctl/describe.h"

#include "config/certs.h"
#include "shim/session/peer.h"
#include "shim/session/peer_der.h"
#include "shim/session/peer_text.h"
#include "tools/ctl/ca_der.h"
#include "tools/ctl/ca_read.h"

#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

#define DAY_S (24 * 60 * 60)

/* ---- names of algorithms ----------------------------------------------------------- */

struct oid_name {
    const char *oid;
    size_t len;
    const char *name;
    unsigned bits;
};

#define OID(bytes) (bytes), sizeof(bytes) - 1

static const struct oid_name curves[] = {
    {OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), "P-256", 256},
    {OID("\x2b\x81\x04\x00\x22"), "P-384", 384},
    {OID("\x2b\x81\x04\x00\x23"), "P-521", 521},
    {NULL, 0, NULL, 0},
};

static const struct oid_name keys[] = {
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), "RSA", 0},
    {OID("\x2a\x86\x48\xce\x3d\x02\x01"), "EC", 0},
    {OID("\x2b\x65\x70"), "Ed25519", 256},
    {NULL, 0, NULL, 0},
};

static const struct oid_name signatures[] = {
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), "ECDSA with SHA-256", 0},
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"), "ECDSA with SHA-384", 0},
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"), "ECDSA with SHA-512", 0},
    {OID("\x2a\x86\x48\xce\x3d\x04\x01"), "ECDSA with SHA-1", 0},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), "RSA with SHA-1", 0},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), "RSA with SHA-256", 0},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), "RSA with SHA-384", 0},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), "RSA with SHA-512", 0},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), "RSA-PSS", 0},
    {OID("\x2b\x65\x70"), "Ed25519", 0},
    {NULL, 0, NULL, 0},
};

static const struct oid_name *
find_oid(const struct oid_name *list, struct der_span oid)
{
    for (; list->name != NULL; list++) {
        if (der_is(oid, list->oid, list->len)) {
            return list;
        }
    }
    return NULL;
}

/* The bits of an RSA modulus: the first INTEGER of RSAPublicKey. */
static unsigned
modulus_bits(struct der_span bits)
{
    struct der_item outer;
    struct der_item item;
    struct der_span key = {bits.at + 1, bits.len - 1};
    unsigned count;

    if (bits.len < 2 || !der_expect(&key, CA_DER_SEQUENCE, &outer) ||
        !der_expect(&outer.value, CA_DER_INTEGER, &item)) {
        return 0;
    }
    while (item.value.len > 0 && item.value.at[0] == 0) {
        item.value.at++;
        item.value.len--;
    }
    count = (unsigned)item.value.len * 8;
    for (unsigned bit = 0x80; item.value.len > 0 && (item.value.at[0] & bit) == 0;
         bit >>= 1) {
        count--;
    }
    return count;
}

const char *
describe_key(struct der_span spki, unsigned *bits)
{
    const struct oid_name *kind;
    struct der_item item;
    struct der_item algorithm;
    struct der_item key;
    struct der_span list;

    *bits = 0;
    if (!der_expect(&spki, CA_DER_SEQUENCE, &item)) {
        return NULL;
    }
    list = item.value;
    if (!der_expect(&list, CA_DER_SEQUENCE, &algorithm) ||
        !der_expect(&list, CA_DER_BITS, &key) ||
        !der_expect(&algorithm.value, CA_DER_OID, &item)) {
        return NULL;
    }
    kind = find_oid(keys, item.value);
    if (kind != NULL && strcmp(kind->name, "EC") == 0) {
        kind = der_expect(&algorithm.value, CA_DER_OID, &item)
                   ? find_oid(curves, item.value)
                   : NULL;
    }
    if (kind == NULL) {
        return NULL;
    }
    *bits = kind->bits != 0 ? kind->bits : modulus_bits(key.value);
    return kind->name;
}

/* ---- a certificate ----------------------------------------------------------------- */

struct details {
    struct peer peer;
    char names[4096]; /* all of them, where struct peer keeps the first */
    char pin[2 * WC_SHA256_DIGEST_SIZE + 1];
    char key[32];
    const char *signature;
    struct ca_times times;
    bool has_times;
    int64_t days_left; /* negative: since when it has expired */
    bool is_ca;
};

static void
find_signature(struct der_span certificate, struct details *details)
{
    const struct oid_name *found;
    struct der_item algorithm;
    struct der_item item;
    struct der_item outer;

    details->signature = "unknown";
    if (der_expect(&certificate, CA_DER_SEQUENCE, &outer) &&
        der_expect(&outer.value, CA_DER_SEQUENCE, &item) &&
        der_expect(&outer.value, CA_DER_SEQUENCE, &algorithm) &&
        der_expect(&algorithm.value, CA_DER_OID, &item)) {
        found = find_oid(signatures, item.value);
        details->signature = found != NULL ? found->name : "unknown";
    }
}

static void
find_key(struct der_span spki, struct details *details)
{
    uint8_t hash[WC_SHA256_DIGEST_SIZE];
    unsigned bits;
    const char *kind = describe_key(spki, &bits);

    snprintf(details->key, sizeof(details->key), "%s", kind != NULL ? kind : "unknown");
    if (kind != NULL && strcmp(kind, "RSA") == 0) {
        snprintf(details->key, sizeof(details->key), "RSA, %u bits", bits);
    }
    if (wc_Sha256Hash(spki.at, (word32)spki.len, hash) == 0) {
        peer_text_hex((struct der_span){hash, sizeof(hash)}, details->pin,
                      sizeof(details->pin));
    }
}

/* Days are counted towards zero: 0 is less than a day, on either side. */
static void
find_times(const struct ca_read *parts, struct details *details)
{
    details->has_times = ca_read_times(parts, &details->times);
    details->days_left = (details->times.not_after - (int64_t)time(NULL)) / DAY_S;
}

static void
find_details(struct der_span certificate, struct details *details)
{
    struct ca_extension basic;
    struct peer_parts names;
    struct ca_read parts;

    memset(details, 0, sizeof(*details));
    peer_describe(certificate.at, certificate.len, &details->peer);
    find_signature(certificate, details);
    (void)peer_der_certificate(certificate, &names);
    peer_text_san(names.san, details->names, sizeof(details->names));
    if (ca_read_certificate(certificate, &parts)) {
        find_key(parts.spki, details);
        find_times(&parts, details);
        /* DEFAULT FALSE is left out in DER: who is no CA has an empty list here. */
        details->is_ca =
            ca_read_find(parts.extensions, CA_EXT_BASIC_CONSTRAINTS, &basic) &&
            basic.value.len > 2;
    }
}

static void
print_validity(FILE *out, const struct details *details)
{
    int64_t now = time(NULL);
    char from[CERTS_TIME_LEN];
    char until[CERTS_TIME_LEN];

    if (!details->has_times) {
        fprintf(out, "     valid      unreadable\n");
        return;
    }
    fprintf(out, "     valid      %s to %s, ",
            certs_time(details->times.not_before, from),
            certs_time(details->times.not_after, until));
    if (details->times.not_before > now) {
        fprintf(out, "not yet\n");
    } else if (details->times.not_after < now) {
        fprintf(out, "expired %lld days ago\n", (long long)-details->days_left);
    } else {
        fprintf(out, "%lld days left\n", (long long)details->days_left);
    }
}

void
describe_print(FILE *out, struct der_span certificate, int position)
{
    struct details details;

    find_details(certificate, &details);
    fprintf(out, "  %d. %s%s\n", position + 1,
            details.peer.subject[0] != '\0' ? details.peer.subject : "(no subject)",
            details.is_ca ? " (a CA)" : "");
    fprintf(out, "     issuer     %s\n", details.peer.issuer);
    fprintf(out, "     names      %s\n",
            details.names[0] != '\0' ? details.names : "none");
    print_validity(out, &details);
    fprintf(out, "     serial     %s\n", details.peer.serial);
    fprintf(out, "     key        %s\n", details.key);
    fprintf(out, "     signature  %s\n", details.signature);
    fprintf(out, "     sha256     %s\n", details.peer.sha256);
    fprintf(out, "     spki       %s\n", details.pin);
}

static void
add_time(struct json *json, const char *key, int64_t when)
{
    char text[32] = "";
    time_t seconds = (time_t)when;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    json_text(json, key, text);
}

void
describe_json(struct json *json, struct der_span certificate)
{
    struct details details;

    find_details(certificate, &details);
    json_open(json, NULL);
    json_text(json, "subject", details.peer.subject);
    json_text(json, "issuer", details.peer.issuer);
    json_text(json, "names", details.names);
    json_text(json, "serial", details.peer.serial);
    if (details.has_times) {
        add_time(json, "not_before", details.times.not_before);
        add_time(json, "not_after", details.times.not_after);
        json_number(json, "days_left", details.days_left);
    }
    json_bool(json, "ca", details.is_ca);
    json_text(json, "key", details.key);
    json_text(json, "signature", details.signature);
    json_text(json, "sha256", details.peer.sha256);
    json_text(json, "spki", details.pin);
    json_close(json);
}
