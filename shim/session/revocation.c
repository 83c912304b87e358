#include "shim/session/revocation.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "config/crl.h"
#include "shim/session/audit.h"
#include "shim/session/peer.h"
#include "shim/session/peer_der.h"
#include "shim/session/peer_text.h"

static void
warn_once(const char *issuer)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&warned)) {
        return;
    }
    struct failure words;
    failure_set(&words, REASON_CRL_EXPIRED,
                "the revocation list of %.60s is out of date, and used all the same",
                issuer);
    audit_warn(words.detail);
}

int
revocation_check(const struct policy_identity *identity, const struct material_blob *crl,
                 struct der_span certificate, struct failure *failure)
{
    struct peer_parts parts;
    char issuer[PEER_ISSUER_LEN];
    char serial[64];
    if (!peer_der_certificate(certificate, &parts)) {
        failure_set(failure, REASON_BAD_CERTIFICATE,
                    "a certificate of the peer is malformed");
        return -EPROTO;
    }
    peer_text_name(parts.issuer, issuer, sizeof(issuer));
    peer_text_number(parts.serial, serial, sizeof(serial));
    switch (crl_look_up(crl, parts.issuer, parts.serial, time(NULL))) {
    case CRL_GOOD:
        return 0;
    case CRL_REVOKED:
        failure_set(failure, REASON_REVOKED, "%.60s has revoked the certificate %.42s",
                    issuer, serial);
        return -EPROTO;
    case CRL_EXPIRED:
        if (identity->expired_crl_is_insecurely_used) {
            warn_once(issuer);
            return 0;
        }
        failure_set(failure, REASON_CRL_EXPIRED,
                    "the revocation list of %.60s is out of date", issuer);
        return -EPROTO;
    case CRL_UNKNOWN:
        break;
    }
    failure_set(failure, REASON_REVOCATION_UNKNOWN,
                "there is no revocation list of %.60s", issuer);
    return -EPROTO;
}
