#include "shim/session/refusal.h"

#include <stddef.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

int
refusal_alert(enum reason reason)
{
    switch (reason) {
    case REASON_UNKNOWN_CA:
        return ALERT_UNKNOWN_CA;
    case REASON_EXPIRED:
    case REASON_NOT_YET_VALID: /* "or is not currently valid" */
        return ALERT_CERTIFICATE_EXPIRED;
    case REASON_REVOKED:
        return ALERT_CERTIFICATE_REVOKED;
    case REASON_REVOCATION_UNKNOWN:
    case REASON_CRL_EXPIRED:
    case REASON_OCSP_FAILED:
        return ALERT_CERTIFICATE_UNKNOWN;
    case REASON_BAD_STAPLE:
        return ALERT_BAD_CERTIFICATE_STATUS_RESPONSE;
    case REASON_WRONG_USAGE:
        return ALERT_UNSUPPORTED_CERTIFICATE;
    case REASON_DENIED_BY_DENY:
    case REASON_DENIED_BY_ALLOW:
    case REASON_DENIED_BY_RULE:
        return ALERT_ACCESS_DENIED;
    case REASON_VERSION_MISMATCH:
        return ALERT_PROTOCOL_VERSION;
    case REASON_NO_CERTIFICATE:
    case REASON_CIPHER_MISMATCH:
        return ALERT_HANDSHAKE_FAILURE;
    case REASON_NOT_TLS:
        return ALERT_UNEXPECTED_MESSAGE;
    case REASON_PROTOCOL:
        return ALERT_DECODE_ERROR;
    case REASON_SHIM_ERROR:
        return ALERT_INTERNAL_ERROR;
    default:
        return ALERT_BAD_CERTIFICATE;
    }
}

/* Where more than its name can be said: what it means for us, who are refused. */
#define OURS(name, words) name " (" words ")"

static const struct {
    int code;
    const char *words;
} alerts[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    {40, "handshake_failure"},
    {42, OURS("bad_certificate", "it does not accept our certificate: its log says why")},
    {43, OURS("unsupported_certificate", "our certificate is of no kind for this role")},
    {44, OURS("certificate_revoked", "our certificate is revoked: get another")},
    {45, OURS("certificate_expired",
              "our certificate is not valid now: renew it, or set the clocks")},
    {46, OURS("certificate_unknown", "it does not accept our certificate, or could not "
                                     "find out whether it is revoked")},
    {47, "illegal_parameter"},
    {48, OURS("unknown_ca", "it does not trust the CA that issued our certificate")},
    {49, OURS("access_denied", "its policy does not let our certificate in")},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {90, "user_canceled"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {112, OURS("unrecognized_name", "it does not serve the name that we dialled")},
    {113, OURS("bad_certificate_status_response", "the OCSP answer that we staple")},
    {116, OURS("certificate_required", "it wants a certificate, and we showed none")},
    {120, "no_application_protocol"},
};

const char *
refusal_alert_words(int alert)
{
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].code == alert) {
            return alerts[i].words;
        }
    }
    return "an alert unknown to us";
}

enum reason
refusal_of_alert(int alert)
{
    switch (alert) {
    case ALERT_PROTOCOL_VERSION:
        return REASON_VERSION_MISMATCH;
    default:
        return REASON_PEER_ALERT;
    }
}

bool
refusal_is_mismatch(int alert)
{
    enum { INSUFFICIENT_SECURITY = 71 };
    return alert == ALERT_HANDSHAKE_FAILURE || alert == ALERT_PROTOCOL_VERSION ||
           alert == INSUFFICIENT_SECURITY;
}

enum reason
refusal_of_error(int error)
{
    switch (error) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return REASON_UNKNOWN_CA;
    case ASN_AFTER_DATE_E:
        return REASON_EXPIRED;
    case ASN_BEFORE_DATE_E:
        return REASON_NOT_YET_VALID;
    case NO_PEER_CERT:
    case NO_CERT_ERROR:
    case NO_PEER_VERIFY:
        return REASON_NO_CERTIFICATE;
    case SIG_VERIFY_E: /* by the peer's key: it has another one than its certificate */
    case VERIFY_SIGN_ERROR:
        return REASON_BAD_CERTIFICATE;
    case KEYUSE_SIGNATURE_E:
    case KEYUSE_ENCIPHER_E:
    case EXTKEYUSE_AUTH_E:
        return REASON_WRONG_USAGE;
    case VERSION_ERROR:
        return REASON_VERSION_MISMATCH;
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case ECC_CURVE_ERROR:
    case INVALID_PARAMETER:
        return REASON_CIPHER_MISMATCH;
    case BAD_CERTIFICATE_STATUS_ERROR:
        return REASON_BAD_STAPLE;
    case UNKNOWN_RECORD_TYPE:
        return REASON_NOT_TLS;
    case MEMORY_E:
        return REASON_SHIM_ERROR;
    default:
        return (error <= ASN_PARSE_E && error >= ASN_NO_SIGNER_E) ? REASON_BAD_CERTIFICATE
                                                                  : REASON_PROTOCOL;
    }
}
