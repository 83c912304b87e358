#include "shim/session/ocsp.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/sha256.h>

#include "config/pem.h"
#include "shim/session/audit.h"
#include "shim/session/context.h"
#include "shim/session/ocsp_query.h"
#include "shim/session/peer_der.h"
#include "shim/session/peer_text.h"
#include "shim/session/session.h"

/* How long it counts that there was no answer: who does without one is not to be held up
 * by each connection, who needs one wants to try again. */
enum {
    SOFT_PATIENCE_MS = 60000,
    PATIENCE_MS = 5000,
    ANCHOR_S = 60,      /* trust may change */
    RETRY_S = 60,       /* for open connections, where there was no answer */
    WARNING_MS = 60000, /* between warnings of one kind */
    WARNINGS = 16,
};

struct ocsp_asker
ocsp_asker(const struct ruling *ruling)
{
    return (struct ocsp_asker){ruling->rule->identity,
                               context_material(ruling_context(ruling))};
}

/* ---- what is asked ----------------------------------------------------------------- */

/* Good is what the issuer says; but who the issuer is depends on trust, and whether
 * anybody could be asked on the responder: both belong to the identity. */
static bool
make_key(const struct ocsp_asker *asker, struct der_span certificate,
         struct ocsp_key *key)
{
    wc_Sha256 hash;
    const char *responder =
        asker->identity->ocsp_responder != NULL ? asker->identity->ocsp_responder : "";
    bool made = wc_InitSha256(&hash) == 0 &&
                wc_Sha256Update(&hash, (const byte *)asker->identity->name,
                                (word32)strlen(asker->identity->name) + 1) == 0 &&
                wc_Sha256Update(&hash, (const byte *)responder,
                                (word32)strlen(responder) + 1) == 0 &&
                wc_Sha256Update(&hash, certificate.at, (word32)certificate.len) == 0 &&
                wc_Sha256Final(&hash, key->bytes) == 0;
    wc_Sha256Free(&hash);
    return made;
}

static bool
is_same(struct der_span a, struct der_span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* What query->issuers point into, where that is not the chain. */
struct anchors {
    struct pem_block blocks[OCSP_ISSUER_COUNT_MAX];
    int count;
    bool is_one; /* the certificate itself is one */
};

static void
anchors_done(struct anchors *anchors)
{
    for (int i = 0; i < anchors->count; i++) {
        pem_done(&anchors->blocks[i]);
    }
}

static bool
has_name(struct der_span certificate, struct der_span name)
{
    struct peer_parts parts;
    return peer_der_certificate(certificate, &parts) && is_same(parts.subject, name);
}

static void
add_issuer(struct ocsp_query *query, struct der_span issuer)
{
    if (query->issuer_count < OCSP_ISSUER_COUNT_MAX) {
        query->issuers[query->issuer_count++] = issuer;
    }
}

/* Adds those of a PEM text that bear the issuer's name. */
static void
add_from_text(const struct material_blob *text, struct der_span name,
              struct ocsp_query *query, struct anchors *anchors)
{
    const char *at = (const char *)text->data;
    struct pem_block block;
    while (at != NULL && pem_next(&at, &block) > 0) {
        struct der_span der = {block.der, block.len};
        anchors->is_one |= is_same(der, query->certificate);
        if (anchors->count < OCSP_ISSUER_COUNT_MAX && has_name(der, name)) {
            anchors->blocks[anchors->count++] = block;
            add_issuer(query, der);
        } else {
            pem_done(&block);
        }
    }
}

/* Trust comes first: what a peer shows beside its certificate may bear any name. Whether
 * one is the issuer is seen by its key, when the question is made. */
static void
find_issuers(const struct ocsp_asker *asker, const struct chain *chain,
             struct ocsp_query *query, struct anchors *anchors)
{
    struct peer_parts parts;
    const struct material *material = asker->material;
    if (!peer_der_certificate(query->certificate, &parts)) {
        return;
    }
    add_from_text(&material->trust, parts.issuer, query, anchors);
    for (int i = 0; chain != NULL && i < chain_count(chain); i++) {
        if (has_name(chain_at(chain, i), parts.issuer)) {
            add_issuer(query, chain_at(chain, i));
        }
    }
}

static struct ocsp_query
query_for(const struct ocsp_asker *asker, struct der_span certificate)
{
    return (struct ocsp_query){
        .certificate = certificate,
        .responder = asker->identity->ocsp_responder,
        .timeout_ms = asker->identity->ocsp_timeout_ms,
    };
}

/* Asks for one certificate of the peer. Nobody revokes a trust anchor but who names it.
 */
static void
start(const struct ocsp_asker *asker, const struct chain *chain,
      const struct ocsp_key *key, struct der_span certificate)
{
    struct ocsp_query query = query_for(asker, certificate);
    struct anchors anchors = {.count = 0};
    query.key = *key;
    find_issuers(asker, chain, &query, &anchors);
    if (anchors.is_one) {
        struct ocsp_answer answer = {.status = OCSP_GOOD, .until = time(NULL) + ANCHOR_S};
        ocsp_cache_put(key, &answer, NULL, 0);
    } else {
        (void)ocsp_query_start(&query); /* if too many are, later */
    }
    anchors_done(&anchors);
}

/* ---- what is made of the answers --------------------------------------------------- */

static bool
needs_staple(const struct ocsp_asker *asker, const struct ocsp_peer *peer)
{
    return !peer->is_client && (asker->identity->ocsp == POLICY_OCSP_STAPLE ||
                                ocsp_must_staple(chain_at(peer->chain, 0)));
}

/* Whether a warning of this kind is due. */
static bool
is_due(uint32_t kind)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        uint32_t kind;
        int64_t until_ms;
    } warned[WARNINGS];
    static unsigned next;
    int64_t now = session_now_ms();
    if (pthread_mutex_trylock(&mutex) != 0) {
        return false;
    }
    bool due = true;
    for (unsigned i = 0; i < WARNINGS; i++) {
        due = due && !(warned[i].kind == kind && now < warned[i].until_ms);
    }
    if (due) {
        warned[next % WARNINGS].kind = kind;
        warned[next++ % WARNINGS].until_ms = now + WARNING_MS;
    }
    pthread_mutex_unlock(&mutex);
    return due;
}

static uint32_t
hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 0x01000193U; /* FNV-1a */
    }
    return hash;
}

static void
warn(const struct ocsp_asker *asker, const struct ocsp_answer *answer,
     const struct failure *why)
{
    struct failure words;
    uint32_t kind =
        hash_text(hash_text(0x811c9dc5U, asker->identity->name), answer->words);
    if (!is_due(kind)) {
        return;
    }
    failure_set(&words, why->reason, "let in all the same (ocsp = soft): %.120s",
                why->detail);
    audit_warn(words.detail);
}

static void
explain(struct der_span certificate, const struct ocsp_answer *answer,
        struct failure *failure)
{
    struct peer_parts parts;
    char serial[64] = "?";
    if (peer_der_certificate(certificate, &parts)) {
        peer_text_number(parts.serial, serial, sizeof(serial));
    }
    if (answer->status == OCSP_REVOKED) {
        failure_set(failure, REASON_REVOKED,
                    "OCSP says that the certificate %.42s was revoked", serial);
    } else if (answer->status == OCSP_UNKNOWN) {
        failure_set(failure, REASON_REVOCATION_UNKNOWN,
                    "the OCSP responder does not know the certificate %.42s", serial);
    } else {
        failure_set(failure, REASON_OCSP_FAILED, "OCSP for %.42s: %.110s", serial,
                    answer->words);
    }
}

/* What is known of a certificate; begins to ask if nothing is. */
static enum ocsp_cached
look(const struct ocsp_asker *asker, const struct chain *chain,
     struct der_span certificate, struct ocsp_answer *answer)
{
    bool is_soft = asker->identity->ocsp == POLICY_OCSP_SOFT;
    int64_t patience_ms = is_soft ? SOFT_PATIENCE_MS : PATIENCE_MS;
    struct ocsp_key key;
    if (!make_key(asker, certificate, &key)) {
        *answer = (struct ocsp_answer){.status = OCSP_FAILED, .words = "no memory"};
        return OCSP_KNOWN;
    }
    enum ocsp_cached cached = ocsp_cache_find(&key, patience_ms, answer);
    if (cached == OCSP_ABSENT) {
        start(asker, chain, &key, certificate);
        cached = ocsp_cache_find(&key, patience_ms, answer);
    }
    return cached;
}

/* Judges one certificate; as ocsp_judge(). */
static int
judge_one(const struct ocsp_asker *asker, const struct ocsp_peer *peer, int i,
          struct failure *failure)
{
    struct der_span certificate = chain_at(peer->chain, i);
    struct ocsp_answer answer;
    struct failure why;
    if (look(asker, peer->chain, certificate, &answer) != OCSP_KNOWN) {
        if (!peer->is_late) {
            return -EAGAIN;
        }
        answer = (struct ocsp_answer){.status = OCSP_FAILED,
                                      .words = "the responder does not answer in time"};
    }
    if (answer.status == OCSP_GOOD) {
        return 0;
    }
    explain(certificate, &answer, &why);
    if (asker->identity->ocsp == POLICY_OCSP_SOFT && answer.status != OCSP_REVOKED) {
        warn(asker, &answer, &why);
        return 0;
    }
    *failure = why;
    return -EPROTO;
}

int
ocsp_judge(const struct ocsp_asker *asker, const struct ocsp_peer *peer,
           struct failure *failure)
{
    if (asker->identity->ocsp == POLICY_OCSP_OFF) {
        return 0;
    }
    if (!peer->has_stapled && needs_staple(asker, peer)) {
        failure_set(failure, REASON_BAD_STAPLE, "the server stapled no OCSP answer");
        return -EPROTO;
    }
    if (asker->identity->ocsp == POLICY_OCSP_STAPLE && !peer->is_client) {
        return 0; /* nothing is fetched */
    }
    int verdict = 0;
    for (int i = 0; verdict != -EPROTO && i < chain_path_count(peer->chain); i++) {
        int result = judge_one(asker, peer, i, failure);
        verdict = result != 0 ? result : verdict; /* all are asked at once */
    }
    return verdict;
}

/* ---- stapled by the peer -------------------------------------------------------------
 */

int
ocsp_take_staple(const struct ocsp_asker *asker, const struct chain *chain, int i,
                 const uint8_t *response, size_t len, struct failure *failure)
{
    struct ocsp_answer answer = {.status = OCSP_FAILED};
    struct ocsp_query query = query_for(asker, chain_at(chain, i));
    struct anchors anchors = {.count = 0};
    struct ocsp_question *question = NULL;
    find_issuers(asker, chain, &query, &anchors);
    for (int at = 0; question == NULL && at < query.issuer_count; at++) {
        question = ocsp_question_new(query.certificate, query.issuers[at], false);
    }
    if (question != NULL) {
        ocsp_question_judge(question, response, len, &answer);
    }
    ocsp_question_free(question);
    anchors_done(&anchors);
    if (answer.status == OCSP_GOOD && make_key(asker, query.certificate, &query.key)) {
        ocsp_cache_put(&query.key, &answer, NULL, 0);
        return 0;
    }
    explain(query.certificate, &answer, failure);
    if (failure->reason != REASON_REVOKED) {
        failure->reason = REASON_BAD_STAPLE;
    }
    return -EPROTO;
}

/* ---- for connections that are open, or resumed ---------------------------------------
 */

/* What is known of one certificate; patience 0: failures are not remembered. */
static bool
is_known_good(const struct ocsp_asker *asker, struct der_span certificate)
{
    struct ocsp_answer answer;
    struct ocsp_key key;
    return make_key(asker, certificate, &key) &&
           ocsp_cache_find(&key, 0, &answer) == OCSP_KNOWN && answer.status == OCSP_GOOD;
}

bool
ocsp_is_known_good(const struct ocsp_asker *asker, const struct chain *chain)
{
    /* With staple, what the server has stapled counts; the rest was never asked. */
    int count = asker->identity->ocsp == POLICY_OCSP_STAPLE ? 1 : chain_path_count(chain);
    bool good = true;
    for (int i = 0; asker->identity->ocsp != POLICY_OCSP_OFF && i < count; i++) {
        good = good && is_known_good(asker, chain_at(chain, i));
    }
    return good;
}

bool
ocsp_is_revoked(const struct ocsp_asker *asker, const struct chain *chain, bool is_client,
                int64_t *again_s, struct failure *failure)
{
    enum policy_ocsp mode = asker->identity->ocsp;
    bool asks = mode != POLICY_OCSP_OFF && (mode != POLICY_OCSP_STAPLE || is_client);
    *again_s = INT64_MAX;
    for (int i = 0; asks && i < chain_path_count(chain); i++) {
        struct der_span certificate = chain_at(chain, i);
        struct ocsp_answer answer;
        int64_t next_s = time(NULL) + RETRY_S;
        if (look(asker, chain, certificate, &answer) == OCSP_KNOWN) {
            if (answer.status == OCSP_REVOKED) {
                explain(certificate, &answer, failure);
                return true;
            }
            next_s = answer.status == OCSP_GOOD ? answer.until : next_s;
        }
        *again_s = next_s < *again_s ? next_s : *again_s;
    }
    return false;
}

/* ---- our own -------------------------------------------------------------------------
 */

/* Asks for an answer about our own certificate, which is the first of these. */
static void
start_own(const struct ocsp_asker *asker, const struct ocsp_key *key,
          struct der_span certificate)
{
    const struct material *material = asker->material;
    struct ocsp_query query = query_for(asker, certificate);
    struct anchors anchors = {.count = 0};
    struct peer_parts parts;
    query.key = *key;
    query.staple = true;
    if (peer_der_certificate(certificate, &parts)) {
        add_from_text(&material->chain, parts.issuer, &query, &anchors);
        add_from_text(&material->trust, parts.issuer, &query, &anchors);
    }
    (void)ocsp_query_start(&query);
    anchors_done(&anchors);
}

/* Our own certificate; to be released with pem_done(). */
static bool
own_certificate(const struct ocsp_asker *asker, struct pem_block *block,
                struct ocsp_key *key)
{
    const char *at = (const char *)asker->material->chain.data;
    if (asker->identity->ocsp == POLICY_OCSP_OFF || at == NULL ||
        pem_next(&at, block) <= 0) {
        return false;
    }
    struct der_span certificate = {block->der, block->len};
    if (!make_key(asker, certificate, key)) {
        pem_done(block);
        return false;
    }
    /* Not the answer about a peer with the same certificate: that one is not kept. */
    key->bytes[0] ^= 1;
    return true;
}

bool
ocsp_own_staple_is_awaited(const struct ocsp_asker *asker)
{
    struct pem_block block;
    struct ocsp_answer answer;
    struct ocsp_key key;
    if (!own_certificate(asker, &block, &key)) {
        return false;
    }
    enum ocsp_cached cached = ocsp_cache_find(&key, SOFT_PATIENCE_MS, &answer);
    if (cached == OCSP_ABSENT || ocsp_cache_is_ageing(&key)) {
        start_own(asker, &key, (struct der_span){block.der, block.len});
        cached = ocsp_cache_find(&key, SOFT_PATIENCE_MS, &answer);
    }
    pem_done(&block);
    return cached == OCSP_PENDING;
}

uint8_t *
ocsp_own_staple(const struct ocsp_asker *asker, size_t *len)
{
    struct pem_block block;
    struct ocsp_key key;
    if (!own_certificate(asker, &block, &key)) {
        return NULL;
    }
    pem_done(&block);
    return ocsp_cache_response(&key, len);
}
