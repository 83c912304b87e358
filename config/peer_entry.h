/*
 * Entries of allow and deny: a kind, a colon, and what a certificate must have.
 */
#ifndef CONFIG_PEER_ENTRY_H
#define CONFIG_PEER_ENTRY_H

#include "config/draft.h"

/*
 * Reads one entry and normalises its text as its kind says; see struct policy_peer.
 *
 *   key   in   "allow" or "deny", for problems
 *   peer  out  untouched on failure
 *
 * Returns  whether it was read; else a problem was reported.
 */
bool peer_entry_parse(struct build *build, const char *key, const struct draft_item *item,
                      struct policy_peer *peer);

#endif
