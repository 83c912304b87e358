/*
 * A client's sessions that may be resumed: few, in memory that a forked child does not
 * get, so that no ticket is used by two processes (RFC 8446 appendix C.4). Each is used
 * once.
 */
#ifndef SHIM_SESSION_RESUME_CACHE_H
#define SHIM_SESSION_RESUME_CACHE_H

#include <stdbool.h>

#include "shim/session/chain.h"
#include "shim/session/ticket_wolfssl.h"

#define RESUME_CACHE_COUNT 256
#define RESUME_CACHE_SAME_COUNT 64 /* of them for the same purpose */
#define RESUME_CACHE_KEY_LEN 32

/* What is kept of a session. */
struct resume_entry {
    struct ticket_session session;
    struct chain *chain;     /* of the server; a reference */
    int64_t authenticated_s; /* CLOCK_BOOTTIME of the last full handshake */
};

/*
 * Keeps a session; without a ticket it waits for one.
 *
 *   key    in  what it may be used for
 *   entry  in  copied; the chain's reference is taken over, whatever comes of it
 *
 * Returns  its number for resume_cache_fill(); 0 = it was not kept.
 * Safe     threads; allocates. Not for signal handlers.
 */
uint64_t resume_cache_put(const uint8_t key[RESUME_CACHE_KEY_LEN],
                          const struct resume_entry *entry);

/*
 * The first ticket of a session has come; later ones are left.
 *
 *   number  in  of resume_cache_put(), by whatever process; may be gone by now
 *   body    in  of a NewSessionTicket of TLS 1.3 (RFC 8446 section 4.6.1), from the peer
 *
 * Safe     async-signal-safe: does not wait, allocates nothing, leaves errno alone.
 */
void resume_cache_fill(uint64_t number, const uint8_t *body, size_t len);

/*
 * Takes the youngest session for a purpose out.
 *
 *   entry  out  the caller gives chain back and wipes the rest
 *
 * Returns  whether there was one with a ticket.
 */
bool resume_cache_take(const uint8_t key[RESUME_CACHE_KEY_LEN],
                       struct resume_entry *entry);

#endif
