/*
 * Open connections are judged again: when there is a new generation, and when a
 * certificate or a revocation list passes its end.  Who would no longer be let in is cut.
 *
 * The service thread does it, a slice at a time.
 */
#ifndef SHIM_SESSION_RECHECK_H
#define SHIM_SESSION_RECHECK_H

#include "shim/session/session.h"

/* Finds the rule of an open session in a generation. */
struct recheck_rules {
    const struct policy_rule *(*find)(const struct generation *generation,
                                      const struct handle *handle);
};
extern struct recheck_rules recheck_rules;

/* Every open connection is to be judged again. */
void recheck_all(void);

/* A handshake begins by handle->ruling. */
void recheck_begin(struct handle *handle);

/* A session is open and was judged by handle->ruling: notes that, or has it judged anew
 * when that is not the newest, or all were to be judged anew since the handshake began.
 * The session's lock is held. */
void recheck_note(struct handle *handle);

/* A session has come that this process knows nothing of: it is to be judged. */
void recheck_adopted(void);

/* Whether some are to be judged now: cheap. */
bool recheck_is_due(void);

/* Judges some. Returns whether that was all of them. Service thread, or there is none. */
bool recheck_run(void);

/* The peer's certificates are kept where another process finds them. Session's lock. */
void recheck_keep_chain(struct handle *handle);

#endif
