/*
 * From sections of the file to the policy: what their keys say is checked and filled in.
 */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include "config/draft.h"

/* Each of these reports every problem in its sections. */

/* Fills in what is process-wide, and the rules for what no rule matches. */
void section_shim(struct build *build, const struct draft *draft);

/* Fills in policy->identities. */
void section_identities(struct build *build, const struct draft *draft);

/* Fills in policy->rules; the identities must be there. */
void section_rules(struct build *build, const struct draft *draft);

#endif
