/*
 * A server's tickets: what a session can be resumed with, sealed, in the client's
 * keeping (RFC 5077, RFC 8446 section 4.6.1).
 */
#ifndef SHIM_SESSION_TICKET_H
#define SHIM_SESSION_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "shim/session/chain.h"
#include "shim/session/ticket_key.h"

#define TICKET_IV_LEN 16  /* as wolfSSL lays tickets out; 12 of them are used */
#define TICKET_MAC_LEN 32 /* likewise; 16 */
#define TICKET_BINDING_LEN 32
#define TICKET_TAIL_LEN 40 /* what is ours, behind wolfSSL's */

/* Where the parts of a ticket lie. */
struct ticket {
    uint8_t *name; /* TICKET_KEY_NAME_LEN bytes */
    uint8_t *iv;
    uint8_t *mac;
    uint8_t *text; /* sealed and opened in place */
    size_t len;    /* of text: without the tail when open, with it when sealed */
};

/* What a ticket says about its owner. */
struct ticket_owner {
    uint8_t chain_id[CHAIN_ID_LEN]; /* all zero: this ticket is of no use */
    int64_t authenticated_s;        /* CLOCK_BOOTTIME of the last full handshake */
};

/*
 * Seals a ticket.
 *
 *   binding  in      where it may be used: it opens with the same one only
 *   ticket   in/out  text has room for TICKET_TAIL_LEN bytes more
 *
 * Returns  0; -errno, nothing of text is to be sent.
 * Safe     threads and processes; allocates nothing.
 */
int ticket_seal(const uint8_t binding[TICKET_BINDING_LEN],
                const struct ticket_owner *owner, int64_t now_s, struct ticket *ticket);

/*
 * Opens a ticket that is not older than TICKET_KEY_PERIOD_S.
 *
 * Returns  0; -ENOKEY, -EBADMSG, -EKEYEXPIRED, -EINVAL: it is not good here and now.
 */
int ticket_open(const uint8_t binding[TICKET_BINDING_LEN], int64_t now_s,
                struct ticket *ticket, struct ticket_owner *owner);

#endif
