/*
 * The keys that tickets are sealed with: random, of a process and all that it forks,
 * replaced after their time. They never leave the memory of these processes.
 */
#ifndef SHIM_SESSION_TICKET_KEY_H
#define SHIM_SESSION_TICKET_KEY_H

#include <stdint.h>

#define TICKET_KEY_NAME_LEN 16

/*
 * How long a session may be resumed after its full handshake, in seconds; and how long a
 * key seals. It opens for as long again, so that no ticket outlives its key.
 */
#define TICKET_KEY_PERIOD_S 7200

struct ticket_key {
    uint8_t name[TICKET_KEY_NAME_LEN]; /* never all zero */
    uint8_t bytes[32];                 /* the caller wipes them */
};

/* Makes the shared memory, before the first fork. Returns 0 or -errno; 0 when called
 * again. */
int ticket_key_init(void);

/*
 * The key to seal with.
 *
 *   now_s  in   CLOCK_BOOTTIME
 *
 * Returns  0; -errno without memory or randomness.
 * Safe     threads and processes; allocates nothing.
 */
int ticket_key_current(int64_t now_s, struct ticket_key *key);

/* The key of this name, if it may still open tickets. Returns 0; -ENOKEY. */
int ticket_key_find(const uint8_t name[TICKET_KEY_NAME_LEN], int64_t now_s,
                    struct ticket_key *key);

#endif
