#include "config/strength.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    OID = 0x06,
    SEQUENCE = 0x30,
    VERSION = 0xa0, /* [0] of TBSCertificate, and the hash of RSASSA-PSS-params */
    RSA_BITS_MIN = 2048,
};

/* An object identifier, and the words for it where it is not taken; NULL: it is. */
struct known {
    const char *oid;
    size_t len;
    const char *weak;
};

#define KNOWN(oid, weak)                                                                 \
    {                                                                                    \
        (oid), sizeof(oid) - 1, (weak)                                                   \
    }

static const struct known curves[] = {
    KNOWN("\x2a\x86\x48\xce\x3d\x03\x01\x07", NULL), /* P-256 */
    KNOWN("\x2b\x81\x04\x00\x22", NULL),             /* P-384 */
    KNOWN("\x2b\x81\x04\x00\x23", NULL),             /* P-521 */
    KNOWN("\x2b\x81\x04\x00\x21", "a key on P-224"),
    KNOWN("\x2a\x86\x48\xce\x3d\x03\x01\x01", "a key on P-192"),
    {NULL, 0, "a key on a curve that is not taken"},
};

static const struct known signatures[] = {
    KNOWN("\x2a\x86\x48\xce\x3d\x04\x03\x02", NULL), /* ecdsa-with-SHA256 */
    KNOWN("\x2a\x86\x48\xce\x3d\x04\x03\x03", NULL),
    KNOWN("\x2a\x86\x48\xce\x3d\x04\x03\x04", NULL),
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", NULL), /* sha256WithRSAEncryption */
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", NULL),
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", NULL),
    KNOWN("\x2b\x65\x70", NULL), /* Ed25519 */
    KNOWN("\x2b\x65\x71", NULL), /* Ed448 */
    KNOWN("\x2a\x86\x48\xce\x3d\x04\x01", "a signature with SHA-1"),
    KNOWN("\x2a\x86\x48\xce\x3d\x04\x03\x01", "a signature with SHA-224"),
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "a signature with SHA-224"),
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "a signature with SHA-1"),
    KNOWN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "a signature with MD5"),
    {NULL, 0, "a signature of a kind that is not taken"},
};

static const struct known hashes[] = {
    KNOWN("\x60\x86\x48\x01\x65\x03\x04\x02\x01", NULL), /* SHA-256, 384, 512 */
    KNOWN("\x60\x86\x48\x01\x65\x03\x04\x02\x02", NULL),
    KNOWN("\x60\x86\x48\x01\x65\x03\x04\x02\x03", NULL),
    {NULL, 0, "a PSS signature with a weak hash"},
};

static int
look_up(const struct known *list, struct der_span oid, char words[STRENGTH_WORDS_LEN])
{
    while (list->oid != NULL && !der_is(oid, list->oid, list->len)) {
        list++;
    }
    if (list->weak == NULL) {
        return 0;
    }
    snprintf(words, STRENGTH_WORDS_LEN, "%s", list->weak);
    return -EINVAL;
}

static int
malformed(char words[STRENGTH_WORDS_LEN])
{
    snprintf(words, STRENGTH_WORDS_LEN, "a key or signature that is malformed");
    return -EINVAL;
}

/* AlgorithmIdentifier: RFC 5280 section 4.1.1.2. */
static bool
read_algorithm(struct der_span *list, struct der_span *oid, struct der_span *parameters)
{
    struct der_item outer;
    struct der_item item;
    if (!der_expect(list, SEQUENCE, &outer) || !der_expect(&outer.value, OID, &item)) {
        return false;
    }
    *oid = item.value;
    *parameters = outer.value;
    return true;
}

/* Goes to the issuer's algorithm, or on to the key. */
static bool
find(struct der_span certificate, bool key, struct der_span *list)
{
    struct der_item item;
    if (!der_expect(&certificate, SEQUENCE, &item) ||
        !der_expect(&item.value, SEQUENCE, &item)) {
        return false;
    }
    *list = item.value;
    (void)der_expect(list, VERSION, &item);
    bool found = der_expect(list, INTEGER, &item);
    for (int i = 0; key && i < 4; i++) { /* algorithm, issuer, validity, subject */
        found = found && der_expect(list, SEQUENCE, &item);
    }
    if (found && key) {
        found = der_expect(list, SEQUENCE, &item);
        *list = item.value;
    }
    return found;
}

static size_t
bits_of(struct der_span number)
{
    while (number.len > 0 && number.at[0] == 0) {
        number.at++;
        number.len--;
    }
    size_t bits = number.len * 8;
    for (unsigned top = number.len > 0 ? number.at[0] : 0x80; (top & 0x80) == 0;
         top <<= 1) {
        bits--;
    }
    return bits;
}

static int
check_rsa(struct der_span key, char words[STRENGTH_WORDS_LEN])
{
    struct der_item item;
    if (!der_expect(&key, BIT_STRING, &item) || item.value.len == 0) {
        return malformed(words);
    }
    key = (struct der_span){item.value.at + 1, item.value.len - 1};
    if (!der_expect(&key, SEQUENCE, &item) || !der_expect(&item.value, INTEGER, &item)) {
        return malformed(words);
    }
    size_t bits = bits_of(item.value);
    if (bits >= RSA_BITS_MIN) {
        return 0;
    }
    snprintf(words, STRENGTH_WORDS_LEN, "an RSA key of %zu bits", bits);
    return -EINVAL;
}

int
strength_key(struct der_span certificate, char words[STRENGTH_WORDS_LEN])
{
    static const struct known kinds[] = {
        KNOWN("\x2b\x65\x70", NULL), /* Ed25519 */
        KNOWN("\x2b\x65\x71", NULL), /* Ed448 */
        {NULL, 0, "a key of a kind that is not taken"},
    };
    static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01";
    static const char ec[] = "\x2a\x86\x48\xce\x3d\x02\x01";
    struct der_span list;
    struct der_span oid;
    struct der_span parameters;
    struct der_item item;
    if (!find(certificate, true, &list) || !read_algorithm(&list, &oid, &parameters)) {
        return malformed(words);
    }
    /* rsaEncryption, id-RSASSA-PSS */
    if (oid.len == sizeof(rsa) && memcmp(oid.at, rsa, sizeof(rsa) - 1) == 0 &&
        (oid.at[8] == 0x01 || oid.at[8] == 0x0a)) {
        return check_rsa(list, words);
    }
    if (der_is(oid, ec, sizeof(ec) - 1)) {
        return der_expect(&parameters, OID, &item) ? look_up(curves, item.value, words)
                                                   : malformed(words);
    }
    return look_up(kinds, oid, words);
}

/* RFC 4055 section 3.1: the hash is SHA-1 where it is not named. */
static int
check_pss(struct der_span parameters, char words[STRENGTH_WORDS_LEN])
{
    struct der_item item;
    struct der_span oid = {(const uint8_t *)"", 0};
    struct der_span rest;
    if (der_expect(&parameters, SEQUENCE, &item) &&
        der_expect(&item.value, VERSION, &item) &&
        !read_algorithm(&item.value, &oid, &rest)) {
        return malformed(words);
    }
    return look_up(hashes, oid, words);
}

int
strength_signature(struct der_span certificate, char words[STRENGTH_WORDS_LEN])
{
    static const char pss[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    struct der_span list;
    struct der_span oid;
    struct der_span parameters;
    if (!find(certificate, false, &list) || !read_algorithm(&list, &oid, &parameters)) {
        return malformed(words);
    }
    return der_is(oid, pss, sizeof(pss) - 1) ? check_pss(parameters, words)
                                             : look_up(signatures, oid, words);
}
