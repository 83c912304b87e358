/* A TCP connection with a deadline. */
#ifndef TOOLS_CTL_PROBE_WIRE_H
#define TOOLS_CTL_PROBE_WIRE_H

#include "shim/session/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct probe_wire {
    int fd; /* -1 = none */
    int64_t deadline_ms;
    union session_address local;
    union session_address remote;
    char error[256]; /* why it failed, in words */
};

/*
 * Resolves and connects, to one address after the other.
 *
 *   host  in  a name or an address; its port is in decimal
 *
 * Returns  0; -EHOSTUNREACH: it has no address; -ETIMEDOUT; -ECONNREFUSED and so on; wire
 *          says why.
 */
int probe_wire_dial(struct probe_wire *wire, const char *host, int port,
                    int64_t timeout_ms);
void probe_wire_close(struct probe_wire *wire);

/* Waits for POLLIN or POLLOUT.  Returns 0; -ETIMEDOUT at the deadline. */
int probe_wire_wait(const struct probe_wire *wire, short events);

/* Sends all.  Returns 0 or -errno. */
int probe_wire_send(const struct probe_wire *wire, const uint8_t *data, size_t len);

/* Receives what is there, waiting for the first byte.  Returns > 0; 0 at the end;
 * -errno. */
ssize_t probe_wire_receive(const struct probe_wire *wire, uint8_t *data, size_t len);

/* The remote address as text, with its port. */
#define PROBE_WIRE_TEXT 64
const char *probe_wire_text(const struct probe_wire *wire, char text[PROBE_WIRE_TEXT]);

#endif
