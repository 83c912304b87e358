/*
 * From the certificates that a peer shows to one that we trust: RFC 5280 section 6.
 *
 * wolfSSL keeps each intermediate CA that some peer has shown, for all connections and
 * for ever, and would then verify others with it: peers that do not send it, or that send
 * another certificate of the same CA with other constraints. So its handshake is not told
 * whom we trust, and vouches for nobody; here it verifies one signature after the other
 * along a path of our choice, with nothing else in reach.
 */
#ifndef SHIM_SESSION_PATH_H
#define SHIM_SESSION_PATH_H

#include "config/material.h"
#include "shim/session/chain.h"
#include "shim/session/reason.h"

/* The certificates of trust, which never change, and what they have vouched for. */
struct path_anchors;

/*
 * Takes trust anchors apart.
 *
 *   trust  in  PEM, as material.h has it
 *   from   in  the file or folder that it was read from, for failures; may be NULL
 *
 * Returns  to be freed by path_anchors_free(); NULL: out of memory, or none there.
 */
struct path_anchors *path_anchors_new(const struct material_blob *trust,
                                      const char *from);
void path_anchors_free(struct path_anchors *anchors); /* NULL does nothing */

/*
 * Looks for a path from an anchor to the peer's certificate and verifies it: signatures,
 * dates, who is a CA, path lengths, name constraints, critical extensions; that each
 * certificate below the anchor is strong enough (strength.h); and that a CA which is for
 * certain purposes only is for this one.
 *
 *   chain      in   as the peer has sent it: in any order behind the first, and what is
 *                   on no path does not matter
 *   is_server  in   we are the server: the peer is to be a client
 *   path       out  the one that was found; its last one is the anchor itself where the
 *                   peer has sent that, too
 *   failure    out  reason and words; untouched when there is a path. Of several paths
 *                   that lead nowhere, the first one's.
 *
 * A chain that was found in order is not verified again (path_memo.h) until a date
 * passes.
 *
 * Returns  0; -EPROTO.
 * Safe     threads; allocates.
 */
int path_check(struct path_anchors *anchors, const struct chain *chain, bool is_server,
               struct chain_path *path, struct failure *failure);

/* The same for a chain that was verified when it was shown, whose dates are looked at
 * elsewhere: of all certificates on the path they do not matter. */
int path_check_but_dates(struct path_anchors *anchors, const struct chain *chain,
                         bool is_server, struct chain_path *path,
                         struct failure *failure);

#endif
