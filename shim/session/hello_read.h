/*
 * What the two hellos of a handshake hold, and the form that TLS has for messages (RFC
 * 8446 section 3): numbers, and vectors behind their length. All of it is what a stranger
 * has sent: nothing is read past its end.
 */
#ifndef SHIM_SESSION_HELLO_READ_H
#define SHIM_SESSION_HELLO_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/der.h"

/* Of a ClientHello, numbers of the registry, two bytes each, as they are on the wire. */
struct hello_client {
    struct der_span versions, suites, groups, signatures; /* empty: no such extension */
    uint16_t legacy_version;
};

/* Of a ServerHello. */
struct hello_server {
    uint16_t version; /* that was chosen, wherever it stands: RFC 8446 section 4.1.3 */
    uint16_t suite;
    uint16_t group; /* 0: no key_share */
};

/* Take a number of so many bytes, a vector behind a length of so many bytes, or bytes
 * that do not matter off the front. False: they are not there; rest may have lost some.
 */
bool hello_read_number(struct der_span *rest, size_t len, size_t *number);
bool hello_read_vector(struct der_span *rest, size_t length_len, struct der_span *vector);
bool hello_read_skip(struct der_span *rest, size_t len);

/* The body of a handshake message that is alone in a record. False: it is no such one. */
bool hello_read_record(struct der_span record, uint8_t type, struct der_span *body);

/* The body of a ClientHello. False: cut short before its extensions; those that can be
 * read are. */
bool hello_read_client(struct der_span body, struct hello_client *client);

/* The same of a ServerHello, which has a version at least when this returns true: suite
 * is 0 where the rest is missing. */
bool hello_read_server(struct der_span body, struct hello_server *server);

#endif
