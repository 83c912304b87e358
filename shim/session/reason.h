/*
 * Why a connection failed: a closed list of codes (audit field "reason") with words
 * beside it ("detail").
 */
#ifndef SHIM_SESSION_REASON_H
#define SHIM_SESSION_REASON_H

/* X(symbol, code in the log, default words) */
#define REASON_LIST(X)                                                                   \
    X(NONE, "none", "")                                                                  \
    X(NO_CERTIFICATE, "no_certificate", "the peer sent no certificate")                  \
    X(UNKNOWN_CA, "unknown_ca", "no trust anchor vouches for the peer's certificate")    \
    X(EXPIRED, "expired", "the peer's certificate has expired")                          \
    X(NOT_YET_VALID, "not_yet_valid", "the peer's certificate is not valid yet")         \
    X(REVOKED, "revoked", "the CA has revoked a certificate that the peer showed")       \
    X(REVOCATION_UNKNOWN, "revocation_unknown",                                          \
      "there is no revocation list of the CA that issued the peer's certificate")        \
    X(CRL_EXPIRED, "crl_expired",                                                        \
      "the revocation list of the CA that issued the peer's certificate is out of "      \
      "date")                                                                            \
    X(OCSP_FAILED, "ocsp_failed",                                                        \
      "no OCSP responder has vouched for a certificate that the peer showed")            \
    X(BAD_STAPLE, "bad_staple", "the server did not staple a good OCSP answer")          \
    X(BAD_CERTIFICATE, "bad_certificate",                                                \
      "the peer's certificate is malformed or its "                                      \
      "signature is wrong")                                                              \
    X(WEAK_CERTIFICATE, "weak_certificate",                                              \
      "a key or a signature of the peer's certificates is too weak")                     \
    X(NAME_MISMATCH, "name_mismatch",                                                    \
      "the peer's certificate is not for the name dialled")                              \
    X(WRONG_USAGE, "wrong_usage",                                                        \
      "the peer's certificate may not be used for this role")                            \
    X(DENIED_BY_DENY, "denied_by_deny", "an entry of deny names the peer")               \
    X(DENIED_BY_ALLOW, "denied_by_allow", "no entry of allow names the peer")            \
    X(DENIED_BY_RULE, "denied_by_rule", "the rule's mode is deny")                       \
    X(VERSION_MISMATCH, "version_mismatch", "no TLS version in common")                  \
    X(CIPHER_MISMATCH, "cipher_mismatch",                                                \
      "no cipher suite, group or signature scheme in "                                   \
      "common")                                                                          \
    X(NOT_TLS, "not_tls", "the peer does not speak TLS")                                 \
    X(PEER_ALERT, "peer_alert", "the peer refused the handshake")                        \
    X(PEER_CLOSED, "peer_closed", "the peer closed the connection during the handshake") \
    X(PEER_RESET, "peer_reset", "the peer reset the connection")                         \
    X(TIMEOUT, "handshake_timeout", "the handshake did not finish in time")              \
    X(PROTOCOL, "protocol_error", "the peer broke the TLS protocol")                     \
    X(LOCAL_CLOSE, "local_close",                                                        \
      "the program closed the connection during the handshake")                          \
    X(TRUNCATED, "truncated", "the stream ended without close_notify")                   \
    X(SHIM_ERROR, "internal_error", "the shim could not go on")

enum reason {
#define X(symbol, code, words) REASON_##symbol,
    REASON_LIST(X)
#undef X
        REASON_COUNT
};

struct failure {
    enum reason reason;
    char detail[320];
};

const char *reason_code(enum reason reason);  /* "unknown_ca" */
const char *reason_words(enum reason reason); /* the default words */

/* Sets reason and, printf-like, detail (format NULL: the default words). */
void failure_set(struct failure *failure, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
