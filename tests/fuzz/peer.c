/*
 * Whatever a peer shows as its certificate: judging it neither crashes nor lets in what
 * cannot be described, and what the log is told is text of bounded length.
 *
 * An input is the DER; its last two bytes choose rule and reference name as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/session/audit_json.h"
#include "shim/session/peer.h"
#include "shim/session/peer_list.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/json_check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_same(const struct peer *a, const struct peer *b)
{
    return strcmp(a->subject, b->subject) == 0 && strcmp(a->issuer, b->issuer) == 0 &&
           strcmp(a->san, b->san) == 0 && strcmp(a->serial, b->serial) == 0 &&
           strcmp(a->sha256, b->sha256) == 0 && a->not_after_s == b->not_after_s;
}

static void
require_text(const char *text, size_t size)
{
    char line[4096];
    struct audit_json json;
    require(memchr(text, '\0', size) != NULL);
    for (const char *at = text; *at != '\0';) {
        require((unsigned char)*at >= ' ' && *at != 0x7f);
        at = (unsigned char)*at < 0x80 ? at + 1 : json_skip_utf8(at);
        require(at != NULL);
    }
    audit_json_open(&json, line, sizeof(line) - 1);
    audit_json_text(&json, "text", text, 600);
    line[audit_json_close(&json)] = '\0';
    require(json_is_object(line));
}

static void
require_peer(const struct peer *peer)
{
    require_text(peer->subject, sizeof(peer->subject));
    require_text(peer->issuer, sizeof(peer->issuer));
    require_text(peer->san, sizeof(peer->san));
    require_text(peer->serial, sizeof(peer->serial));
    require_text(peer->sha256, sizeof(peer->sha256));
}

static void
try_globs(const uint8_t *input, size_t len)
{
    static const char *const patterns[] = {"*", "*.db.internal", "a*b?c*",
                                           "spiffe://*/x"};
    struct der_span text = {input, len};
    for (size_t i = 0; i < COUNT(patterns); i++) {
        bool strict = peer_list_glob(patterns[i], text, '.', false);
        require(!strict || peer_list_glob(patterns[i], text, '.', true));
        (void)peer_dns_matches((const char *)input, len, patterns[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    static const char *const names[] = {"a.test",   "10.0.0.1", "::1",
                                        "x.b.test", "",         NULL};
    static const struct policy_peer entries[] = {
        {POLICY_PEER_DNS, "*.b.test"}, {POLICY_PEER_URI, "spiffe://b/*"},
        {POLICY_PEER_CN, "w*"},        {POLICY_PEER_OU, "?"},
        {POLICY_PEER_O, "*"},          {POLICY_PEER_ISSUER, "CN=?a*"},
        {POLICY_PEER_SPKI, "12"},      {POLICY_PEER_SERIAL, "1234"},
        {POLICY_PEER_DNS, "a.test"},
    };
    uint8_t how = len > 1 ? input[len - 1] : 0;
    uint8_t which = len > 1 ? input[len - 2] : 0;
    struct policy_rule rule = {
        .direction = (how & 1) != 0 ? POLICY_INBOUND : POLICY_OUTBOUND,
        .verify = (how & 2) != 0 ? POLICY_VERIFY_IDENTITY : POLICY_VERIFY_NAME,
        .allow = entries,
        .allow_count = (how & 4) != 0 ? COUNT(entries) : 0,
        .deny = entries,
        .deny_count = (how & 8) != 0 ? COUNT(entries) : 0,
    };
    struct peer judged;
    struct peer described;
    struct failure failure = {.reason = REASON_NONE};
    int result =
        peer_judge(input, len, &rule, names[which % COUNT(names)], &judged, &failure);
    require(result == 0 || result == -EACCES || result == -EPROTO);
    require((result == 0) == (failure.reason == REASON_NONE));
    require(memchr(failure.detail, '\0', sizeof(failure.detail)) != NULL);
    peer_describe(input, len, &described);
    require(is_same(&judged, &described));
    require_peer(&judged);
    /* What allow names, deny of the same entries refuses. */
    if (result == 0 && rule.allow_count > 0) {
        rule.deny_count = COUNT(entries);
        require(peer_judge(input, len, &rule, names[which % COUNT(names)], &judged,
                           &failure) == -EACCES);
    }
    try_globs(input, len < 300 ? len : 300);
    return 0;
}
