/*
 * Whatever certificates a peer shows: the search for a path ends, and a path that is
 * found is one, from the peer's own certificate up, each in it once and issued by the
 * next.
 *
 * An input is the flat form of a chain; its last certificate is the trust anchor, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/coding.h>

#include "shim/session/path.h"
#include "shim/session/peer_der.h"
#include "tests/lib/fuzz.h"

static struct path_anchors *
anchors_of(struct der_span certificate)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char end[] = "-----END CERTIFICATE-----\n";
    static uint8_t pem[2 * CHAIN_FLAT_MAX];
    word32 len = sizeof(pem) - sizeof(begin) - sizeof(end);
    struct material_blob trust = {.data = pem};
    memcpy(pem, begin, strlen(begin));
    if (Base64_Encode(certificate.at, (word32)certificate.len, pem + strlen(begin),
                      &len) != 0) {
        return NULL;
    }
    memcpy(pem + strlen(begin) + len, end, strlen(end));
    trust.len = strlen(begin) + len + strlen(end);
    return path_anchors_new(&trust, NULL);
}

static void
require_path(const struct chain *chain, const struct chain_path *path)
{
    uint32_t seen = 0;
    require(path->count >= 1 && path->count <= chain_count(chain) && path->at[0] == 0);
    for (int i = 0; i < path->count; i++) {
        struct peer_parts below;
        struct peer_parts parts;
        require(path->at[i] < chain_count(chain) && (seen >> path->at[i] & 1) == 0);
        seen |= 1U << path->at[i];
        require(peer_der_certificate(chain_at(chain, path->at[i]), &parts));
        require(i == 0 ||
                (peer_der_certificate(chain_at(chain, path->at[i - 1]), &below) &&
                 der_is(below.issuer, parts.subject.at, parts.subject.len)));
    }
}

static void
try_chain(struct path_anchors *anchors, const struct chain *chain, bool is_server)
{
    struct chain_path path = {.count = 0};
    struct chain_path again = {.count = 0};
    struct failure failure = {.reason = REASON_NONE};
    int result = path_check(anchors, chain, is_server, &path, &failure);
    require(result == 0 || result == -EPROTO);
    require((result == 0) == (failure.reason == REASON_NONE));
    require(memchr(failure.detail, '\0', sizeof(failure.detail)) != NULL);
    if (result == 0) {
        require_path(chain, &path);
        require(path_check(anchors, chain, is_server, &again, &failure) == 0);
        require(again.count == path.count &&
                memcmp(again.at, path.at, (size_t)path.count) == 0);
        struct chain *ordered = chain_order(chain, &path);
        require(ordered != NULL && chain_path_count(ordered) == path.count &&
                chain_count(ordered) == chain_count(chain));
        require(path_check(anchors, ordered, is_server, &again, &failure) == 0);
        chain_unref(ordered);
    }
    if (path_check_but_dates(anchors, chain, is_server, &again, &failure) == 0) {
        require_path(chain, &again);
    } else {
        require(result != 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    static bool is_begun;
    if (!is_begun) {
        wolfSSL_Init();
        is_begun = true;
    }
    struct chain *chain = chain_parse(input, len);
    if (chain == NULL) {
        return 0;
    }
    struct path_anchors *anchors = anchors_of(chain_at(chain, chain_count(chain) - 1));
    if (anchors != NULL) {
        try_chain(anchors, chain, true);
        try_chain(anchors, chain, false);
        path_anchors_free(anchors);
    }
    chain_unref(chain);
    return 0;
}
