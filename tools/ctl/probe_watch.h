/*
 * What a server sends in its part of the handshake, read along: version, suite, group,
 * its certificates, and whether it asks for ours. It is told by nobody else: wolfSSL
 * keeps neither whom the server would accept nor what it has refused to verify.
 */
#ifndef TOOLS_CTL_PROBE_WATCH_H
#define TOOLS_CTL_PROBE_WATCH_H

#include "config/der.h"
#include "shim/record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_CERTS_MAX 10
#define PROBE_ISSUERS_MAX 32
#define PROBE_FLIGHT_MAX 131072 /* bytes of handshake messages that are read along */

struct probe_watch {
    uint16_t version; /* 0 until the ServerHello */
    uint16_t suite;
    uint16_t group;                             /* 0 = none */
    bool asked;                                 /* for a certificate of ours */
    struct der_span issuers[PROBE_ISSUERS_MAX]; /* Names of CAs that it would accept */
    size_t issuer_count;
    struct der_span certs[PROBE_CERTS_MAX]; /* within flight */
    size_t cert_count;

    /* private */
    uint8_t record[RECORD_CIPHERTEXT_MAX];
    size_t record_len;
    uint8_t flight[PROBE_FLIGHT_MAX];
    size_t flight_len;
    size_t flight_read;
    uint64_t seq;
    bool done; /* its Finished, or something that cannot be read */
};

/*
 * Reads on.
 *
 *   data    in  the next bytes from the server, as they come
 *   secret  in  what it sends under in TLS 1.3, 48 bytes; not needed before the
 * ServerHello is done
 *
 * A record is read when it is whole, so that whoever does the handshake must have had the
 * ones before.
 */
void probe_watch_feed(struct probe_watch *watch, const uint8_t *data, size_t len,
                      const uint8_t *secret);

#endif
