/*
 * mode = permissive: whether an accepted connection is TLS or plaintext.
 *
 * This is the only place where anything that a program wrote to a governed connection
 * goes out unprotected.
 */
#ifndef SHIM_SESSION_PERMISSIVE_H
#define SHIM_SESSION_PERMISSIVE_H

#include "shim/session/session.h"

enum permissive_word {
    PERMISSIVE_SILENCE,   /* nothing has come yet */
    PERMISSIVE_TLS,       /* the first byte is that of a TLS handshake */
    PERMISSIVE_PLAINTEXT, /* it is another one */
    PERMISSIVE_END,       /* the peer has ended or reset without a word */
};

/* Why a connection is left in plaintext, in the log's words. */
#define PERMISSIVE_SAID_PLAINTEXT "first byte: the peer does not begin with TLS"
#define PERMISSIVE_SAID_NOTHING "the peer has ended without a word"

/*
 * What the peer has said first; nothing is taken from the socket, its error neither.
 *
 * Safe  async-signal-safe; leaves errno alone.
 */
enum permissive_word permissive_listen(int fd);

/*
 * Whether something was read from or written to the socket before, so that TLS can no
 * longer begin.
 */
bool permissive_is_late(int fd);

/* One line in the audit log: the connection is left in plaintext. */
void permissive_log(const struct policy_rule *rule, const union session_address *local,
                    const union session_address *remote, const char *words);

/*
 * Decides a session that is undecided, if that can be done by now, and sends in plaintext
 * what the program wrote if that is the decision.  Under session->lock.
 *
 *   events  out  what to poll the fd for when -EAGAIN
 *
 * Returns  0 it is TLS, or in plaintext for good (SESSION_PLAINTEXT); -EAGAIN neither
 * yet; other -errno: failed (sticky).
 */
int permissive_drive(struct handle *handle, int fd, short *events);

/* Somebody waits for the decision: from now on permissive_wait counts. */
void permissive_want(struct handle *handle);

/*
 * The program closes its last fd of an undecided session.
 *
 *   last  in  no other process has it open
 *
 * Returns  whether something is still to be done for it.
 */
bool permissive_close(struct handle *handle, int fd, bool last);

/* As their namesakes of session.h, for SESSION_PLAINTEXT. */
ssize_t permissive_read(int fd, const struct iovec *iov, int count, int flags);
ssize_t permissive_write(const struct session *session, int fd, const struct iovec *iov,
                         int count, int flags);
bool permissive_is_ready(int fd, short events);
size_t permissive_available(int fd);

#endif
