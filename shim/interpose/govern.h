/*
 * What the policy says of a socket.
 */
#ifndef SHIM_INTERPOSE_GOVERN_H
#define SHIM_INTERPOSE_GOVERN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/policy.h"
#include "shim/session/session.h"

/*
 * Finds the rule for a TCP connection, and tells the audit log when that is deny,
 * plaintext or observe.
 *
 *   fd      in  the socket
 *   local   in  NULL = unknown
 *   name    in/out  the name dialled, SESSION_NAME_LEN bytes, empty = none; another one
 *                   that the address goes by when that is what a rule is about, so that
 *                   no connection is left in plaintext because of the last name that the
 *                   program happened to look up.  NULL for inbound
 *
 * Returns  the ruling, for ruling_done(); its rule: what govern_leaves_plaintext() does
 * not leave alone and govern_wants_session() does not want is refused; NULL: no TCP
 * socket, or the shim is off.
 */
struct ruling govern_connection(int fd, enum policy_direction direction,
                                const union session_address *local,
                                const union session_address *remote, char *name);

/* The same for an outbound one that another process has made; tells nobody. */
struct ruling govern_foreign(const union session_address *remote);

/* Whether the connection stays as it is. */
bool govern_leaves_plaintext(const struct policy_rule *rule);

/* Whether it is to get a session, with mode mtls or permissive; else it is refused. */
bool govern_wants_session(const struct policy_rule *rule);

/* Copies a socket address of IPv4 or IPv6. Returns false for any other. */
bool govern_address(const struct sockaddr *address, socklen_t len,
                    union session_address *copy);

/* Whether fd is a TCP socket: one that a rule may be about once it is connected. */
bool govern_may(int fd);

/* Whether data may go out with a SYN: not where TLS might have to come first. */
bool govern_allows_fastopen(int fd);

/* The rule of this name, for a session that began elsewhere; else the default. */
struct ruling govern_rule_named(const char *name, bool is_server);

/* The rule for a session that is open already. */
const struct policy_rule *govern_again(const struct generation *generation,
                                       const struct handle *handle);

#endif
