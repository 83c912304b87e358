/*
 * The peer's first message, out of the one record or the several that it comes in.
 */
#ifndef SHIM_SESSION_HELLO_H
#define SHIM_SESSION_HELLO_H

#include <stdbool.h>

#include "config/der.h"

#define HELLO_RECORD_MAX (5 + (1 << 14)) /* header and body */

struct hello {
    bool is_seen;   /* nothing more is wanted */
    uint8_t *bytes; /* what has come of it; NULL = it was whole in its first record */
    size_t len;
};

/*
 * Takes one more record, until is_seen. What is no hello is not looked at any further: it
 * is seen as it is.
 *
 *   record  in   header and body of at least a byte
 *   whole   out  once is_seen: all records so far as one; points to record or into hello
 *
 * Returns  1 is_seen; 0 more is to come; -EMSGSIZE, it does not fit into one record;
 *          -ENOMEM.
 * Source   RFC 8446 section 5.1: messages may be split over records. wolfSSL reads none
 *          whose first four bytes are.
 */
int hello_add(struct hello *hello, struct der_span record, struct der_span *whole);

void hello_done(struct hello *hello);

#endif
