/*
 * Why a certificate on the way to a trust anchor is refused: for who reads the log, and
 * has to do something about it.
 */
#ifndef SHIM_SESSION_PATH_WORDS_H
#define SHIM_SESSION_PATH_WORDS_H

#include "config/der.h"
#include "shim/session/chain.h"
#include "shim/session/reason.h"

struct path_place {
    struct der_span certificate;
    bool is_own;          /* the peer's own, not that of a CA which it shows */
    bool is_below_anchor; /* the CA that counts as its issuer is in trust, not shown */
};

/*
 * Says that a certificate is refused, and which.
 *
 *   words    in   what is wrong with it, and what to do
 *   failure  out  "the peer's certificate: ..." or "CN=sub,O=Test: ..."
 */
void path_words_refuse(const struct path_place *place, enum reason reason,
                       const char *words, struct failure *failure);

/* The same for an error of wolfSSL's: reason and words are made from it. */
void path_words_explain(const struct path_place *place, int error,
                        struct failure *failure);

/*
 * Says that no trust anchor vouches for a chain: which CA is missing.
 *
 *   trust  in  the file or folder of trust; NULL: not known
 */
void path_words_no_anchor(const struct chain *chain, const char *trust,
                          struct failure *failure);

#endif
