/*
 * A program that brings its own TLS to a connection that we encrypt: that works, and
 * costs everything twice.
 */
#ifndef SHIM_SESSION_TWICE_H
#define SHIM_SESSION_TWICE_H

#include "shim/session/session.h"

/*
 * Looks at the first bytes that the program writes, and tells the audit log when they
 * begin a TLS handshake: once for each rule.
 *
 * Safe  threads; async-signal-safe; allocates nothing, leaves errno alone.
 */
void twice_check(const struct session *session, const struct iovec *iov, int count);

#endif
