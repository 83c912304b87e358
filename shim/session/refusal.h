/*
 * What a refused handshake is called: by us in the log, and in the alert that the peer
 * gets.
 */
#ifndef SHIM_SESSION_REFUSAL_H
#define SHIM_SESSION_REFUSAL_H

#include <stdbool.h>

#include "shim/session/reason.h"

/* RFC 8446 section 6.2. */
enum refusal_alert {
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_CERTIFICATE_REVOKED = 44,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_ACCESS_DENIED = 49,
    ALERT_DECODE_ERROR = 50,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_BAD_CERTIFICATE_STATUS_RESPONSE = 113,
};

/* The alert that tells the peer of a failure. */
int refusal_alert(enum reason reason);

/* The name of an alert that the peer has sent, and what that means for us:
 * "access_denied (its policy does not let our certificate in)". */
const char *refusal_alert_words(int alert);

/* What an alert of the peer means. */
enum reason refusal_of_alert(int alert);

/* Whether an alert may come from there being nothing in common. */
bool refusal_is_mismatch(int alert);

/* What an error of wolfSSL means. */
enum reason refusal_of_error(int error);

#endif
