#include "shim/session/judge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <time.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/error-crypt.h>

#include "shim/session/context.h"
#include "shim/session/path_words.h"
#include "shim/session/peer_der.h"
#include "shim/session/revocation.h"

/* The name that the peer's certificate must carry; NULL when the rule asks for none. */
static const char *
reference_name(const struct session *session, const struct policy_rule *rule,
               char literal[INET6_ADDRSTRLEN])
{
    if (session->is_server || rule->verify != POLICY_VERIFY_NAME) {
        return NULL;
    }
    if (rule->peer_name != NULL) {
        return rule->peer_name;
    }
    if (session->dialled_name[0] != '\0') {
        return session->dialled_name;
    }
    const union session_address *remote = &session->remote;
    const void *bytes = remote->any.sa_family == AF_INET6
                            ? (const void *)&remote->in6.sin6_addr
                            : (const void *)&remote->in.sin_addr;
    int family = remote->any.sa_family;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&remote->in6.sin6_addr)) {
        family = AF_INET;
        bytes = &remote->in6.sin6_addr.s6_addr[12];
    }
    return inet_ntop(family, bytes, literal, INET6_ADDRSTRLEN);
}

static int
judge_revocation(const struct ruling *ruling, const struct chain *chain,
                 struct failure *failure)
{
    const struct policy_identity *identity = ruling->rule->identity;
    const struct material *material = context_material(ruling_context(ruling));
    int result = 0;
    for (int i = 0; result == 0 && identity->crl != NULL && i < chain_path_count(chain);
         i++) {
        result = revocation_check(identity, &material->crl, chain_at(chain, i), failure);
    }
    return result;
}

int
judge_vouched(const struct session *session, const struct ruling *ruling,
              const struct chain *chain, struct peer *peer, struct failure *failure)
{
    const struct policy_rule *rule = ruling->rule;
    char literal[INET6_ADDRSTRLEN];
    struct der_span leaf = chain_at(chain, 0);
    int result = judge_revocation(ruling, chain, failure);
    if (result < 0) {
        peer_describe(leaf.at, leaf.len, peer);
        return result;
    }
    return peer_judge(leaf.at, leaf.len, rule, reference_name(session, rule, literal),
                      peer, failure);
}

static int
put_in_order(struct chain **chain, const struct chain_path *path, struct failure *failure)
{
    struct chain *ordered = chain_order(*chain, path);
    if (ordered == NULL) {
        failure_set(failure, REASON_SHIM_ERROR, "no memory");
        return -EPROTO;
    }
    chain_unref(*chain);
    *chain = ordered;
    return 0;
}

int
judge_chain(const struct session *session, const struct ruling *ruling,
            struct chain **chain, struct chain_path *path, struct peer *peer,
            struct failure *failure)
{
    struct der_span leaf = chain_at(*chain, 0);
    int result = path_check(context_anchors(ruling_context(ruling)), *chain,
                            session->is_server, path, failure);
    if (result < 0) {
        peer_describe(leaf.at, leaf.len, peer);
        return result;
    }
    result = put_in_order(chain, path, failure);
    return result == 0 ? judge_vouched(session, ruling, *chain, peer, failure) : result;
}

int
judge_trust(const struct session *session, const struct ruling *ruling,
            struct chain **chain, struct failure *failure)
{
    struct chain_path path;
    int result = path_check_but_dates(context_anchors(ruling_context(ruling)), *chain,
                                      session->is_server, &path, failure);
    return result == 0 ? put_in_order(chain, &path, failure) : result;
}

static int
judge_date(const struct chain *chain, int i, int64_t now, struct failure *failure)
{
    const struct path_place place = {.certificate = chain_at(chain, i), .is_own = i == 0};
    int64_t from_s;
    int64_t to_s;
    if (!peer_der_validity(place.certificate, &from_s, &to_s)) {
        failure_set(failure, REASON_BAD_CERTIFICATE, NULL);
        return -EPROTO;
    }
    if (now < from_s || now > to_s) {
        path_words_explain(&place, now < from_s ? ASN_BEFORE_DATE_E : ASN_AFTER_DATE_E,
                           failure);
        return -EPROTO;
    }
    return 0;
}

int
judge_dates(const struct chain *chain, int64_t now, struct failure *failure)
{
    int result = 0;
    for (int i = 0; result == 0 && i < chain_path_count(chain); i++) {
        result = judge_date(chain, i, now, failure);
    }
    return result;
}
