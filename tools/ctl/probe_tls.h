/* The handshakes of a probe: as the shim would do it, and one that judges nothing. */
#ifndef TOOLS_CTL_PROBE_TLS_H
#define TOOLS_CTL_PROBE_TLS_H

#include "shim/session/generation.h"
#include "shim/session/reason.h"
#include "tools/ctl/probe_watch.h"
#include "tools/ctl/probe_wire.h"

/* Whether the server took our certificate.  In TLS 1.3 it says no only after the
 * handshake, and yes not at all: by a ticket, by data, or by ending in good order. */
enum probe_answer {
    PROBE_NOT_ASKED, /* it asked for none */
    PROBE_NOT_SHOWN, /* it asked, and we have shown none */
    PROBE_NO_ANSWER, /* it has said nothing in time */
    PROBE_ACCEPTED,
    PROBE_REFUSED,
};

struct probe_result {
    int error; /* 0: the handshake was completed, else -errno as the shim's */
    struct failure failure;
    enum probe_answer answer;
};

/* How long to wait for what a server says after the handshake. */
#define PROBE_ANSWER_MS 1000

/*
 * Does the shim's own handshake for a ruling, and waits for the server's word on our
 * certificate.
 *
 *   wire    in/out  connected
 *   ruling  in      a rule with an identity; the reference stays the caller's
 *   name    in      the name dialled; NULL = an address was
 *   watch   out
 *   result  out
 */
void probe_tls_shim(struct probe_wire *wire, const struct ruling *ruling,
                    const char *name, struct probe_watch *watch,
                    struct probe_result *result);

/* Does a handshake that shows no certificate and takes whatever comes. */
void probe_tls_look(struct probe_wire *wire, const char *name, struct probe_watch *watch,
                    struct probe_result *result);

#endif
