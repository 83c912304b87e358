/*
 * Nonces: the one thing that must never be used twice.
 */
#ifndef SHIM_RECORD_NONCE_H
#define SHIM_RECORD_NONCE_H

#include "shim/record/record.h"

#define RECORD_NONCE_LEN 12
#define RECORD_NONCE_EXPLICIT_LEN 8 /* of it, on the wire: TLS 1.2 with AES-GCM */

struct record_nonce {
    uint64_t seq; /* of the record; TLS 1.2 authenticates it */
    uint8_t bytes[RECORD_NONCE_LEN];
};

/* Tells whether part of the nonce travels with each record. */
bool record_nonce_is_explicit(const struct record *rec);

/*
 * Makes the nonce of the next record in one direction and steps its counter.
 *
 *   dir       in/out  keys of that direction; the caller holds dir->lock
 *   explicit  in      the part from the wire, for a record received with an explicit
 *                     nonce; else NULL: the counter
 *   nonce     out     untouched on failure
 *
 * Returns  0; -EKEYEXPIRED when the counter has come to its end, long before it wraps.
 * Safe     async-signal-safe, allocates nothing, leaves errno alone.
 * Source   RFC 8446 section 5.3; RFC 5288 section 3; RFC 7905 section 2.
 */
int record_nonce_next(const struct record *rec, struct record_dir *dir,
                      const uint8_t *explicit, struct record_nonce *nonce)
    __attribute__((warn_unused_result));

#endif
