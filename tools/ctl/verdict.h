/*
 * Whether certificates would be let in by a rule, without a connection: by what decides
 * in the shim.
 */
#ifndef TOOLS_CTL_VERDICT_H
#define TOOLS_CTL_VERDICT_H

#include "config/policy.h"
#include "shim/session/peer.h"
#include "tools/ctl/json.h"
#include "tools/ctl/shown.h"

#define VERDICT_FAILURES_MAX 3

struct verdict {
    const struct policy_rule *rule;
    struct peer peer;
    struct failure failures[VERDICT_FAILURES_MAX]; /* all there are; the shim would tell
                                                    * the first */
    int failure_count;                             /* 0: let in */
    const struct policy_peer *allowed_by;          /* the entry of allow; NULL = none */
    char name[256]; /* that the certificate had to be for; "" = none */
};

/*
 * Judges certificates as a handshake under this rule would.
 *
 *   policy   in   whose rule it is; names the file in problems with trust and crl
 *   rule     in   with an identity
 *   query    in   the connection that the rule was found for
 *   shown    in   what the peer shows
 *   verdict  out
 *
 * Returns  0; -EINVAL when trust or crl cannot be read, reported on stderr.
 */
int verdict_make(const struct policy *policy, const struct policy_rule *rule,
                 const struct policy_query *query, const struct shown *shown,
                 struct verdict *verdict);

/* Prints who the peer is, and the verdict. */
void verdict_print_peer(FILE *out, const struct verdict *verdict);
void verdict_print(FILE *out, const struct verdict *verdict);

/* Adds the verdict as an object to a list. */
void verdict_json(struct json *json, const struct verdict *verdict);

#endif
