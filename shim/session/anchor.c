#include "shim/session/anchor.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn.h>

#include "shim/session/peer_der.h"

/* Returns the certificate taken apart, for drop(); NULL also when verify fails. */
static DecodedCert *
decode(struct der_span der, int verify, WOLFSSL_CERT_MANAGER *anchors)
{
    DecodedCert *cert = malloc(sizeof(*cert));
    if (cert == NULL) {
        return NULL;
    }
    wc_InitDecodedCert(cert, der.at, (word32)der.len, NULL);
    if (wc_ParseCert(cert, CERT_TYPE, verify, anchors) != 0) {
        wc_FreeDecodedCert(cert);
        free(cert);
        return NULL;
    }
    return cert;
}

static void
drop(DecodedCert *cert)
{
    if (cert != NULL) {
        wc_FreeDecodedCert(cert);
        free(cert);
    }
}

static bool
is_anchored(struct der_span certificate, WOLFSSL_CERT_MANAGER *anchors)
{
    DecodedCert *cert = decode(certificate, VERIFY_SKIP_DATE, anchors);
    bool anchored = cert != NULL;
    drop(cert);
    return anchored;
}

static bool
may_sign(const DecodedCert *issuer)
{
    return issuer->isCA &&
           (!issuer->extKeyUsageSet || (issuer->extKeyUsage & KEYUSE_KEY_CERT_SIGN) != 0);
}

static bool
has_signed(const DecodedCert *issuer, const DecodedCert *cert)
{
    SignatureCtx context;
    InitSignatureCtx(&context, NULL, INVALID_DEVID);
    bool signed_it =
        ConfirmSignature(
            &context, cert->source + cert->certBegin, cert->sigIndex - cert->certBegin,
            issuer->publicKey, issuer->pubKeySize, issuer->keyOID, cert->signature,
            cert->sigLength, cert->signatureOID,
            cert->sigParamsLength > 0 ? cert->source + cert->sigParamsIndex : NULL,
            cert->sigParamsLength, NULL) == 0;
    FreeSignatureCtx(&context);
    return signed_it;
}

static bool
is_issued_by(struct der_span certificate, struct der_span by)
{
    struct peer_parts parts;
    struct peer_parts issuer_parts;
    if (!peer_der_certificate(certificate, &parts) ||
        !peer_der_certificate(by, &issuer_parts) ||
        !der_is(parts.issuer, issuer_parts.subject.at, issuer_parts.subject.len)) {
        return false;
    }
    DecodedCert *cert = decode(certificate, NO_VERIFY, NULL);
    DecodedCert *issuer = decode(by, NO_VERIFY, NULL);
    bool issued =
        cert != NULL && issuer != NULL && may_sign(issuer) && has_signed(issuer, cert);
    drop(cert);
    drop(issuer);
    return issued;
}

/* Marks who has issued a certificate that is reached. Returns whether any is new. */
static bool
reach_issuers(const struct chain *chain, int i, bool *reached)
{
    bool any = false;
    for (int by = 1; by < chain_count(chain); by++) {
        if (!reached[by] && is_issued_by(chain_at(chain, i), chain_at(chain, by))) {
            reached[by] = any = true;
        }
    }
    return any;
}

bool
anchor_vouches(WOLFSSL_CERT_MANAGER *anchors, const struct chain *chain)
{
    bool reached[CHAIN_COUNT_MAX] = {true}; /* the leaf */
    bool asked[CHAIN_COUNT_MAX] = {false};
    for (int i = 0; i < chain_count(chain);) {
        if (!reached[i] || asked[i]) {
            i++;
            continue;
        }
        if (is_anchored(chain_at(chain, i), anchors)) {
            return true;
        }
        asked[i] = true;
        i = reach_issuers(chain, i, reached) ? 0 : i + 1;
    }
    return false;
}
