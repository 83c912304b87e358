/*
 * Name constraints: what the CAs above a certificate may vouch for. wolfSSL compares a
 * certificate with those of its own issuer only; RFC 5280 has those of all CAs above it
 * count.
 */
#ifndef SHIM_SESSION_CONSTRAINTS_H
#define SHIM_SESSION_CONSTRAINTS_H

#include <stdbool.h>

#include "config/der.h"

/*
 * Whether a CA may vouch for a certificate, be it directly below or further down.
 *
 *   ca, certificate  in  DER
 *
 * Returns  false also where a constraint is of a form that is not known, or malformed.
 * Source   RFC 5280 section 4.2.1.10.
 */
bool constraints_allow(struct der_span ca, struct der_span certificate);

#endif
