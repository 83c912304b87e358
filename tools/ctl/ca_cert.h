/* Certificates: the CA's own and those that it issues. */
#ifndef TOOLS_CTL_CA_CERT_H
#define TOOLS_CTL_CA_CERT_H

#include "tools/ctl/ca.h"
#include "tools/ctl/ca_index.h"
#include "tools/ctl/ca_key.h"
#include "tools/ctl/ca_template.h"

#define CA_CERT_PEM_MAX 32768
#define CA_CERT_DER_MAX 20480
#define CA_CERT_TEXT_MAX 63 /* longest CN and OU; RFC 5280 allows 64 */
#define CA_CERT_KEY_ID 20

struct ca_authority {
    struct ca_key key;
    uint8_t der[CA_CERT_DER_MAX];
    int der_len;
    const uint8_t *subject; /* what its Name holds, inside der */
    size_t subject_len;
    uint8_t key_id[CA_CERT_KEY_ID];
    int64_t not_after;
    int path_len; /* how many CAs may be below it; -1 = no limit */
    char *chain;  /* PEM: itself and what is above it but the root; "" for a root */
    size_t chain_len;
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
 * Makes the certificate of a new root, signed with its own key.
 *
 * Returns  0 or -E..., reported.
 */
int ca_cert_root(struct ca_key *key, const struct ca_template *template, WC_RNG *rng,
                 struct ca_made *made) __attribute__((warn_unused_result));

/*
 * Makes a certificate; its end is not later than the CA's.
 *
 *   authority  in   loaded
 *   template   in   what it says
 *   made       out
 *
 * Returns  0; -EIO when wolfSSL refuses, also when the result does not verify against
 *          the CA's certificate (its name constraints, a key that is not the
 *          certificate's); all reported.
 */
int ca_cert_make(struct ca_authority *authority, const struct ca_template *template,
                 WC_RNG *rng, struct ca_made *made) __attribute__((warn_unused_result));

/*
 * Makes a certificate of a key of ours; with authority NULL that of a new root.
 *
 * Returns  0 or -E..., reported.
 */
int ca_cert_issue(struct ca_authority *authority, const struct ca_request *request,
                  struct ca_key *key, WC_RNG *rng, struct ca_made *made)
    __attribute__((warn_unused_result));

/* Whether the CA has signed a certificate; one that has expired is still its own. */
bool ca_cert_is_ours(const struct ca_authority *authority, struct der_span der);

/* Loads ca.pem, ca.key and chain.pem; 0 or -E..., reported. */
int ca_cert_load(const struct ca_store *store, struct ca_authority *authority)
    __attribute__((warn_unused_result));

/* Wipes the CA's key. */
void ca_cert_done(struct ca_authority *authority);

#endif
