/* Certificates: the CA's own and those that it issues. */
#ifndef TOOLS_CTL_CA_CERT_H
#define TOOLS_CTL_CA_CERT_H

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_san.h"

#define CA_CERT_PEM_MAX 32768
#define CA_CERT_DER_MAX 20480
#define CA_CERT_TEXT_MAX 63 /* longest CN and OU: wolfSSL keeps 64 bytes of each */
#define CA_CERT_KEY_ID 20

struct ca_authority {
    struct ca_key key;
    uint8_t der[CA_CERT_DER_MAX];
    int der_len;
    const uint8_t *subject; /* what its Name holds, inside der */
    size_t subject_len;
    uint8_t key_id[CA_CERT_KEY_ID];
    int64_t not_after;
};

struct ca_request {
    const char *cn;
    const char *ou; /* NULL = none */
    struct ca_san san[CA_MAX_NAMES];
    size_t san_count;
    int64_t not_after;
    bool server;
    bool client;
};

/* A certificate as it leaves the maker. */
struct ca_made {
    char pem[CA_CERT_PEM_MAX];
    int pem_len;
    uint8_t serial[CA_SERIAL_LEN];
    char serial_text[CA_SERIAL_TEXT];
    int64_t not_after;
};

/* Whether a text can be a CN or OU; reports why not. */
int ca_cert_text_check(const char *option, const char *text)
    __attribute__((warn_unused_result));

/*
 * Makes the certificate of a new CA, signed with its own key.
 *
 * Returns  0 or -E..., reported.
 */
int ca_cert_root(struct ca_key *key, const char *name, int64_t not_after, WC_RNG *rng,
                 struct ca_made *made) __attribute__((warn_unused_result));

/*
 * Makes a leaf certificate; its end is not later than the CA's.
 *
 *   authority  in   loaded
 *   request    in   checked
 *   key        in   the leaf's
 *   made       out
 *
 * Returns  0; -EIO when wolfSSL refuses, also when the result does not verify against
 *          the CA's certificate (a key that is not the certificate's); all reported.
 */
int ca_cert_leaf(struct ca_authority *authority, const struct ca_request *request,
                 struct ca_key *key, WC_RNG *rng, struct ca_made *made)
    __attribute__((warn_unused_result));

/* Loads ca.pem and ca.key; 0 or -E..., reported. */
int ca_cert_load(const struct ca_store *store, struct ca_authority *authority)
    __attribute__((warn_unused_result));

/* Wipes the CA's key. */
void ca_cert_done(struct ca_authority *authority);

#endif
