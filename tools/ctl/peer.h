/*
 * Whether a certificate would be let in by a rule, without a connection.
 */
#ifndef TOOLS_CTL_PEER_H
#define TOOLS_CTL_PEER_H

#include "config/policy.h"

/*
 * Judges a peer's certificate as a handshake under this rule would, and prints what
 * decides.
 *
 *   query  in  the connection that the rule was found for
 *   file   in  the certificate, PEM or DER; intermediate ones may follow it
 *
 * Returns  an exit status: 0 let in, or nobody asks for a certificate; 1 refused; 2 when
 *          the file cannot be read; 78 when the rule's trust or revocation lists cannot.
 */
int peer_explain(const struct policy *policy, const struct policy_rule *rule,
                 const struct policy_query *query, const char *file);

#endif
