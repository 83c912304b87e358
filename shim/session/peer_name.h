/*
 * Whether a certificate is for the name or the address that was dialled.
 */
#ifndef SHIM_SESSION_PEER_NAME_H
#define SHIM_SESSION_PEER_NAME_H

#include "shim/session/peer_der.h"

/*
 * Compares a reference name with the subject alternative names: an address (any form that
 * inet_aton() and inet_pton() know, v4-mapped ones as IPv4) with iPAddress only, a name
 * with dNSName only.
 *
 * Safe     allocates nothing, leaves errno alone.
 * Source   RFC 9525 section 6.
 */
bool peer_name_matches(struct der_span names, const char *name);

#endif
