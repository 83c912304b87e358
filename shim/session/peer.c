#include "shim/session/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "config/certs.h"
#include "shim/session/peer_list.h"
#include "shim/session/peer_name.h"
#include "shim/session/peer_svid.h"
#include "shim/session/peer_text.h"

/* What is looked at of a certificate; points into its DER. */
struct leaf {
    struct peer_parts parts;
    char serial[2 * EXTERNAL_SERIAL_SIZE + 1]; /* wolfSSL refuses longer ones */
    bool is_well_formed;
    bool has_usage, may_sign;             /* keyUsage */
    bool is_svid;                         /* SPIFFE: peer_svid.h */
    bool has_purpose, may_serve, may_ask; /* extKeyUsage */
};

static void
parse(const uint8_t *der, size_t der_len, struct leaf *leaf)
{
    DecodedCert cert;
    memset(leaf, 0, sizeof(*leaf));
    if (der == NULL || der_len == 0 || der_len > UINT32_MAX) {
        return;
    }
    bool has_parts = peer_der_certificate((struct der_span){der, der_len}, &leaf->parts);
    peer_text_number(leaf->parts.serial, leaf->serial, sizeof(leaf->serial));
    wc_InitDecodedCert(&cert, der, (word32)der_len, NULL);
    leaf->is_well_formed =
        wc_ParseCert(&cert, CERT_TYPE, NO_VERIFY, NULL) == 0 && has_parts;
    leaf->has_usage = cert.extKeyUsageSet;
    leaf->may_sign = (cert.extKeyUsage & KEYUSE_DIGITAL_SIG) != 0;
    leaf->is_svid = peer_svid_has_id(leaf->parts.san) && !cert.isCA &&
                    (cert.extKeyUsage & (KEYUSE_KEY_CERT_SIGN | KEYUSE_CRL_SIGN)) == 0;
    leaf->has_purpose = cert.extExtKeyUsageSet;
    leaf->may_serve =
        (cert.extExtKeyUsage & (EXTKEYUSE_SERVER_AUTH | EXTKEYUSE_ANY)) != 0;
    leaf->may_ask = (cert.extExtKeyUsage & (EXTKEYUSE_CLIENT_AUTH | EXTKEYUSE_ANY)) != 0;
    wc_FreeDecodedCert(&cert);
}

/* Writes the SHA-256 of bytes in hex; an empty text when there is none. */
static void
put_sha256(struct der_span bytes, char text[2 * WC_SHA256_DIGEST_SIZE + 1])
{
    uint8_t hash[WC_SHA256_DIGEST_SIZE];
    text[0] = '\0';
    if (bytes.at != NULL && bytes.len > 0 && bytes.len <= UINT32_MAX &&
        wc_Sha256Hash(bytes.at, (word32)bytes.len, hash) == 0) {
        peer_text_hex((struct der_span){hash, sizeof(hash)}, text, 2 * sizeof(hash) + 1);
    }
}

/* Returns 0 when there is none. */
static int64_t
end_of(struct der_span validity)
{
    struct der_item from;
    struct der_item to;
    int64_t end;
    return der_next(&validity, &from) && der_next(&validity, &to) &&
                   certs_read_time(to.whole.at, to.whole.len, &end) == 0
               ? end
               : 0;
}

static void
describe(const uint8_t *der, size_t der_len, const struct leaf *leaf, struct peer *peer)
{
    memset(peer, 0, sizeof(*peer));
    peer_text_name(leaf->parts.subject, peer->subject, sizeof(peer->subject));
    peer_text_name(leaf->parts.issuer, peer->issuer, sizeof(peer->issuer));
    peer_text_san(leaf->parts.san, peer->san, sizeof(peer->san));
    snprintf(peer->serial, sizeof(peer->serial), "%.41s", leaf->serial);
    put_sha256((struct der_span){der, der_len}, peer->sha256);
    peer->not_after_s = end_of(leaf->parts.validity);
}

void
peer_describe(const uint8_t *der, size_t der_len, struct peer *peer)
{
    struct leaf leaf;
    parse(der, der_len, &leaf);
    describe(der, der_len, &leaf, peer);
}

/* RFC 5280 sections 4.2.1.3 and 4.2.1.12: what is absent forbids nothing. Every suite
 * that we offer has the peer sign. */
static int
judge_usage(const struct leaf *leaf, const struct policy_rule *rule,
            struct failure *failure)
{
    bool we_ask = rule->direction == POLICY_OUTBOUND;
    if (leaf->has_purpose && !(we_ask ? leaf->may_serve : leaf->may_ask)) {
        failure_set(failure, REASON_WRONG_USAGE,
                    "the extended key usage of the peer's certificate does not allow %s",
                    we_ask ? "server authentication" : "client authentication");
        return -EPROTO;
    }
    if (leaf->has_usage && !leaf->may_sign) {
        failure_set(failure, REASON_WRONG_USAGE,
                    "the key usage of the peer's certificate does not allow signatures");
        return -EPROTO;
    }
    return 0;
}

static int
judge_name(const struct leaf *leaf, const char *name, const struct peer *peer,
           struct failure *failure)
{
    if (name == NULL) {
        failure_set(failure, REASON_NAME_MISMATCH,
                    "there is no name to compare the peer's certificate with");
    } else if (peer_name_matches(leaf->parts.san, name)) {
        return 0;
    } else if (peer->san[0] == '\0') {
        failure_set(failure, REASON_NAME_MISMATCH,
                    "the peer's certificate (%.40s) has no subject alternative name, "
                    "so it is not for %.60s",
                    peer->subject, name);
    } else {
        failure_set(failure, REASON_NAME_MISMATCH,
                    "the peer's certificate is for %.72s, not for %.48s", peer->san,
                    name);
    }
    return -EPROTO;
}

static int
judge_lists(const struct leaf *leaf, const struct policy_rule *rule,
            const struct peer *peer, struct failure *failure)
{
    char spki[2 * WC_SHA256_DIGEST_SIZE + 1];
    const struct peer_list_names names = {
        .subject = leaf->parts.subject,
        .issuer = leaf->parts.issuer,
        .san = leaf->parts.san,
        .serial = leaf->serial,
        .sha256 = peer->sha256,
        .spki = spki,
        .is_svid = leaf->is_svid,
    };
    const char *who = peer->subject[0] != '\0' ? peer->subject : peer->san;
    put_sha256(leaf->parts.spki, spki);
    const struct policy_peer *entry =
        peer_list_find(rule->deny, rule->deny_count, &names, true);
    if (entry != NULL) {
        failure_set(failure, REASON_DENIED_BY_DENY, "deny = %s:%.70s names %.60s",
                    policy_peer_kind_name(entry->kind), entry->text, who);
        return -EACCES;
    }
    /* Outbound, "identity" looks at nothing but allow: without one nobody is meant. */
    bool is_open = rule->allow_count == 0 && (rule->direction == POLICY_INBOUND ||
                                              rule->verify != POLICY_VERIFY_IDENTITY);
    if (!is_open &&
        peer_list_find(rule->allow, rule->allow_count, &names, false) == NULL) {
        failure_set(failure, REASON_DENIED_BY_ALLOW,
                    "no entry of allow names %.50s (%.72s)%s", who,
                    peer->san[0] != '\0' ? peer->san : "no alternative names",
                    !leaf->is_svid && strstr(peer->san, "spiffe:") != NULL
                        ? "; its SPIFFE ID does not count, since it is no X.509-SVID: a "
                          "CA's certificate, several URIs or a malformed one"
                        : "");
        return -EACCES;
    }
    return 0;
}

int
peer_judge(const uint8_t *der, size_t der_len, const struct policy_rule *rule,
           const char *name, struct peer *peer, struct failure *failure)
{
    struct leaf leaf;
    parse(der, der_len, &leaf);
    describe(der, der_len, &leaf, peer);
    if (!leaf.is_well_formed) {
        failure_set(failure, REASON_BAD_CERTIFICATE,
                    "the peer's certificate is malformed");
        return -EPROTO;
    }
    int result = judge_usage(&leaf, rule, failure);
    if (result == 0 && rule->direction == POLICY_OUTBOUND &&
        rule->verify == POLICY_VERIFY_NAME) {
        result = judge_name(&leaf, name, peer, failure);
    }
    if (result == 0) {
        result = judge_lists(&leaf, rule, peer, failure);
    }
    return result;
}
