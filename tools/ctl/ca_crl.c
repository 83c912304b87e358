#include "tools/ctl/ca_crl.h"

#include "tools/ctl/ca_der.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

/*
 * By hand: wolfSSL before 5.9 makes no CRLs, and 5.9 signs none with Ed25519.
 * A CRL is framed like a certificate, so wc_SignCert_ex() signs it.
 */

#define TAG_KEY_ID 0x80

#define ENTRY_MAX 64      /* a revoked certificate in DER: 20 octets, a date, heads */
#define OVERHEAD_MAX 2048 /* names, dates, extensions and the signature */

static int
hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void
put_entry(struct ca_der *der, const struct ca_entry *entry)
{
    uint8_t serial[CA_SERIAL_TEXT / 2];
    size_t since = ca_der_len(der);
    size_t len = strlen(entry->serial) / 2;

    for (size_t i = 0; i < len; i++) {
        serial[i] = (uint8_t)(hex_digit(entry->serial[2 * i]) << 4 |
                              hex_digit(entry->serial[2 * i + 1]));
    }
    ca_der_moment(der, entry->revoked_at);
    ca_der_integer(der, serial, len);
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
}

/* crlNumber and authorityKeyIdentifier, both of which RFC 5280 demands. */
static void
put_extensions(struct ca_der *der, const struct ca_authority *authority, uint64_t number)
{
    static const uint8_t crl_number[] = {0x06, 0x03, 0x55, 0x1d, 0x14};
    static const uint8_t key_id[] = {0x06, 0x03, 0x55, 0x1d, 0x23};
    uint8_t octets[8];
    size_t all = ca_der_len(der);
    size_t since = all;

    for (size_t i = 0; i < sizeof(octets); i++) {
        octets[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    ca_der_integer(der, octets, sizeof(octets));
    ca_der_wrap(der, CA_DER_OCTETS, since);
    ca_der_raw(der, crl_number, sizeof(crl_number));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    since = ca_der_len(der);
    ca_der_element(der, TAG_KEY_ID, authority->key_id, sizeof(authority->key_id));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    ca_der_wrap(der, CA_DER_OCTETS, since);
    ca_der_raw(der, key_id, sizeof(key_id));
    ca_der_wrap(der, CA_DER_SEQUENCE, since);
    ca_der_wrap(der, CA_DER_SEQUENCE, all);
    ca_der_wrap(der, CA_DER_CONTEXT_0, all);
}

/* TBSCertList, last element first. */
static void
put_list(struct ca_der *der, const struct ca_authority *authority,
         const struct ca_index *index, int64_t next_update)
{
    static const uint8_t version_2 = 1;
    size_t since;

    put_extensions(der, authority, index->crl_number);
    since = ca_der_len(der);
    for (size_t i = index->count; i-- > 0;) {
        if (index->entries[i].revoked_at != 0) {
            put_entry(der, &index->entries[i]);
        }
    }
    /* An empty list is left out, not written empty. */
    if (ca_der_len(der) != since) {
        ca_der_wrap(der, CA_DER_SEQUENCE, since);
    }
    ca_der_moment(der, next_update);
    ca_der_moment(der, (int64_t)time(NULL) - CA_BACKDATE_S);
    ca_der_element(der, CA_DER_SEQUENCE, authority->subject, authority->subject_len);
    ca_der_algorithm(der, authority->key.signature);
    ca_der_integer(der, &version_2, 1);
    ca_der_wrap(der, CA_DER_SEQUENCE, 0);
}

static int
sign(struct ca_authority *authority, uint8_t *buffer, size_t len, size_t size,
     WC_RNG *rng, char **pem)
{
    char *text;
    int rc = wc_SignCert_ex((int)len, authority->key.signature, buffer, (word32)size,
                            authority->key.type, &authority->key.u, rng);

    if (rc > 0) {
        /* 4 characters for 3 octets, a newline each 64, the two border lines. */
        size_t room = (size_t)rc * 2 + 256;

        text = calloc(1, room);
        if (text == NULL) {
            return ca_error(-ENOMEM, "%s", strerror(ENOMEM));
        }
        rc = wc_DerToPem(buffer, (word32)rc, (byte *)text, (word32)room, CRL_TYPE);
        *pem = text;
    }
    if (rc <= 0) {
        free(*pem);
        *pem = NULL;
        return ca_error(-EIO, "signing the CRL: %s", wc_GetErrorString(rc));
    }
    return rc;
}

int
ca_crl_make(struct ca_authority *authority, const struct ca_index *index,
            int64_t next_update, WC_RNG *rng, char **pem)
{
    size_t size = OVERHEAD_MAX + authority->subject_len + index->count * ENTRY_MAX;
    uint8_t *buffer = malloc(size);
    struct ca_der der;
    int rc;

    *pem = NULL;
    if (buffer == NULL) {
        return ca_error(-ENOMEM, "%s", strerror(ENOMEM));
    }
    ca_der_init(&der, buffer, size);
    put_list(&der, authority, index, next_update);
    if (der.overflow) {
        rc = ca_error(-ERANGE, "the CRL: --days is too large");
    } else {
        memmove(buffer, buffer + der.start, ca_der_len(&der));
        rc = sign(authority, buffer, ca_der_len(&der), size, rng, pem);
    }
    free(buffer);
    return rc;
}
