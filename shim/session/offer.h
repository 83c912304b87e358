/*
 * What an end of a handshake offers, in words for the log: for when nothing was in
 * common.
 */
#ifndef SHIM_SESSION_OFFER_H
#define SHIM_SESSION_OFFER_H

#include <stddef.h>
#include <stdint.h>

#include "config/der.h"
#include "config/policy.h"
#include "shim/session/reason.h"

#define OFFER_LEN                                                                        \
    144 /* sizes of the texts; what does not fit is counted: "and 12 more" */

/*
 * Tells of a client, by its first record.
 *
 *   record, len  in   a TLS record; anything else gives an empty text
 *   reason       in   REASON_VERSION_MISMATCH: the versions alone; else suites, groups
 * and signatures text         out  "TLS 1.1, 1.2", "suites 0xc014 0xc00a; groups X25519;
 * ..."
 *
 * Source   RFC 8446 section 4.1.2.
 */
void offer_of_peer(const uint8_t *record, size_t len, enum reason reason,
                   char text[OFFER_LEN]);

/*
 * Looks whether a client's first record has a version and a group that we take. wolfSSL
 * would ask for a group of ours, whatever the client has said.
 *
 * Returns  REASON_NONE, also for what is no ClientHello; REASON_VERSION_MISMATCH;
 *          REASON_CIPHER_MISMATCH.
 */
enum reason offer_check_client(const uint8_t *record, size_t len,
                               const struct policy_identity *identity);

/* The version that a server's first record is of; 0 for what is no ServerHello. */
unsigned offer_version_of_server(struct der_span record);

/* Looks whether a server's first record has a version that we have offered; if not, text
 * is what it has. Returns REASON_NONE; REASON_VERSION_MISMATCH. */
enum reason offer_check_server(const uint8_t *record, size_t len,
                               const struct policy_identity *identity,
                               char text[OFFER_LEN]);

/* The same of ourselves: what the policy has this identity take. */
void offer_of_identity(const struct policy_identity *identity, enum reason reason,
                       char text[OFFER_LEN]);

#endif
