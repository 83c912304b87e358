#include "tools/ctl/probe_show.h"

#include "config/groups.h"
#include "shim/session/peer_text.h"
#include "shim/session/suite.h"
#include "tools/ctl/describe.h"
#include "tools/ctl/paint.h"

#include <string.h>

#define NAME_TEXT 32
#define ISSUER_TEXT 256

/* ---- names ------------------------------------------------------------------------- */

static const char *
version_name(uint16_t version)
{
    return version == 0x0304   ? "TLS 1.3"
           : version == 0x0303 ? "TLS 1.2"
           : version == 0x0302 ? "TLS 1.1"
           : version == 0x0301 ? "TLS 1.0"
                               : "unknown";
}

static const char *
suite_name(uint16_t number, char text[NAME_TEXT])
{
    const struct suite *suite = suite_by_number(number);

    if (suite != NULL) {
        return suite->name;
    }
    snprintf(text, NAME_TEXT, "0x%04x", number);
    return text;
}

static const char *
group_name(uint16_t number, char text[NAME_TEXT])
{
    for (const struct groups_entry *group = groups_list; group->name != NULL; group++) {
        if (group->number == number) {
            return group->name;
        }
    }
    snprintf(text, NAME_TEXT, number != 0 ? "0x%04x" : "none", number);
    return text;
}

static const char *
issuer_name(struct der_span name, char text[ISSUER_TEXT])
{
    struct der_item item;

    text[0] = '\0';
    if (der_next(&name, &item)) {
        peer_text_name(item.value, text, ISSUER_TEXT);
    }
    return text;
}

static const char *
answer_code(enum probe_answer answer)
{
    static const char *const codes[] = {
        [PROBE_NOT_ASKED] = "not_asked", [PROBE_NOT_SHOWN] = "not_shown",
        [PROBE_NO_ANSWER] = "no_answer", [PROBE_ACCEPTED] = "accepted",
        [PROBE_REFUSED] = "refused",
    };

    return codes[answer];
}

static const char *
answer_words(enum probe_answer answer)
{
    static const char *const words[] = {
        [PROBE_NOT_ASKED] = "not asked for: this server lets in anybody",
        [PROBE_NOT_SHOWN] = "asked for, and none was shown",
        [PROBE_NO_ANSWER] = "shown, and not refused so far: the server is silent",
        [PROBE_ACCEPTED] = "shown and accepted",
        [PROBE_REFUSED] = "shown and refused",
    };

    return words[answer];
}

static const char *
verdict_code(enum probe_verdict verdict)
{
    static const char *const codes[] = {
        [PROBE_LET_IN] = "let_in",           [PROBE_NOT_LET_IN] = "refused",
        [PROBE_PLAINTEXT] = "plaintext",     [PROBE_NO_VERDICT] = "none",
        [PROBE_UNREACHABLE] = "unreachable",
    };

    return codes[verdict];
}

/* ---- text -------------------------------------------------------------------------- */

static void
print_rule(FILE *out, const struct probe_found *found)
{
    const struct policy_rule *rule = found->rule;

    if (rule == NULL) {
        return;
    }
    if (rule->line > 0) {
        fprintf(out, "rule     %s (%s:%d)", rule->name, found->policy, rule->line);
    } else {
        fprintf(out, "rule     default_outbound");
    }
    fprintf(out, ", mode %s", policy_mode_name(rule->mode));
    if (rule->identity != NULL) {
        fprintf(out, ", identity %s", rule->identity->name);
    }
    fputc('\n', out);
}

static void
print_request(FILE *out, const struct probe_found *found)
{
    const struct probe_watch *watch = found->watch;
    char text[ISSUER_TEXT];

    fprintf(out, "ours     %s\n", answer_words(found->result->answer));
    if (!watch->asked) {
        return;
    }
    if (watch->issuer_count == 0) {
        fprintf(out, "         the server does not say of which CAs\n");
    }
    for (size_t i = 0; i < watch->issuer_count; i++) {
        fprintf(out, "         %s %s\n", i == 0 ? "of" : "or",
                issuer_name(watch->issuers[i], text));
    }
}

static void
print_tls(FILE *out, const struct probe_found *found)
{
    const struct probe_watch *watch = found->watch;
    char suite[NAME_TEXT];
    char group[NAME_TEXT];

    if (watch->version == 0) {
        return;
    }
    fprintf(out, "tls      %s, %s, %s\n", version_name(watch->version),
            suite_name(watch->suite, suite), group_name(watch->group, group));
    fprintf(out, "chain    %zu certificate%s\n", watch->cert_count,
            watch->cert_count == 1 ? "" : "s");
    for (size_t i = 0; i < watch->cert_count; i++) {
        describe_print(out, watch->certs[i], (int)i);
    }
    print_request(out, found);
}

static void
print_failure(FILE *out, const char *what, const struct probe_found *found)
{
    const struct failure *failure = &found->result->failure;

    fprintf(out, "%s=> %s: %s: %s%s\n", paint_on(out, PAINT_BAD), what,
            reason_code(failure->reason), failure->detail, paint_off(out));
}

/* Who has refused whom. */
static const char *
refusal_words(const struct probe_found *found)
{
    switch (found->result->failure.reason) {
    case REASON_PEER_ALERT:
    case REASON_PEER_CLOSED:
    case REASON_PEER_RESET:
        return found->result->answer == PROBE_REFUSED
                   ? "the server refuses our certificate"
                   : "the server refuses";
    case REASON_NOT_TLS:
    case REASON_PROTOCOL:
    case REASON_VERSION_MISMATCH:
    case REASON_CIPHER_MISMATCH:
    case REASON_TIMEOUT:
        return "no connection";
    case REASON_DENIED_BY_RULE:
        return "the policy forbids this connection";
    default:
        return "the server is refused";
    }
}

static void
print_verdict(FILE *out, const struct probe_found *found)
{
    switch (found->verdict) {
    case PROBE_LET_IN:
        fprintf(out, "%s=> the connection would be made%s%s\n", paint_on(out, PAINT_GOOD),
                found->rule->mode == POLICY_MODE_OBSERVE
                    ? ", if the mode were mtls: observe changes nothing"
                    : "",
                paint_off(out));
        break;
    case PROBE_NOT_LET_IN:
        print_failure(out, refusal_words(found), found);
        break;
    case PROBE_PLAINTEXT:
        fprintf(out,
                "%s=> the connection would be made in plaintext: nobody is "
                "verified%s\n",
                paint_on(out, PAINT_WARN), paint_off(out));
        break;
    case PROBE_NO_VERDICT:
        if (found->result->error != 0) {
            print_failure(out, refusal_words(found), found);
        }
        fprintf(out, "=> nothing was judged: there is no policy (-p)\n");
        break;
    case PROBE_UNREACHABLE:
        fprintf(out, "%s=> unreachable: %s%s\n", paint_on(out, PAINT_BAD),
                found->wire->error[0] != '\0' ? found->wire->error
                                              : found->result->failure.detail,
                paint_off(out));
        break;
    }
}

void
probe_show_text(FILE *out, const struct probe_found *found)
{
    char address[PROBE_WIRE_TEXT];

    if (found->wire->remote.any.sa_family != AF_UNSPEC) {
        fprintf(out, "server   %s, %s\n", found->target,
                probe_wire_text(found->wire, address));
    }
    print_rule(out, found);
    print_tls(out, found);
    print_verdict(out, found);
}

/* ---- JSON -------------------------------------------------------------------------- */

static void
add_tls(struct json *json, const struct probe_watch *watch)
{
    char text[NAME_TEXT];

    json_open(json, "tls");
    json_text(json, "version", version_name(watch->version));
    json_text(json, "suite", suite_name(watch->suite, text));
    json_text(json, "group", group_name(watch->group, text));
    json_close(json);
    json_open_list(json, "certificates");
    for (size_t i = 0; i < watch->cert_count; i++) {
        describe_json(json, watch->certs[i]);
    }
    json_close(json);
}

static void
add_request(struct json *json, const struct probe_found *found)
{
    char text[ISSUER_TEXT];

    json_open(json, "client_certificate");
    json_bool(json, "asked", found->watch->asked);
    json_text(json, "answer", answer_code(found->result->answer));
    json_open_list(json, "issuers");
    for (size_t i = 0; i < found->watch->issuer_count; i++) {
        json_text(json, NULL, issuer_name(found->watch->issuers[i], text));
    }
    json_close(json);
    json_close(json);
}

static void
add_rule(struct json *json, const struct policy_rule *rule)
{
    json_open(json, "rule");
    json_text(json, "name", rule->name);
    json_number(json, "line", rule->line);
    json_text(json, "mode", policy_mode_name(rule->mode));
    json_text(json, "identity", rule->identity != NULL ? rule->identity->name : NULL);
    json_close(json);
}

void
probe_show_json(FILE *out, const struct probe_found *found)
{
    struct json json;
    char address[PROBE_WIRE_TEXT];

    json_start(&json, out);
    json_text(&json, "target", found->target);
    if (found->wire->remote.any.sa_family != AF_UNSPEC) {
        json_text(&json, "address", probe_wire_text(found->wire, address));
    }
    if (found->rule != NULL) {
        json_text(&json, "policy", found->policy);
        add_rule(&json, found->rule);
    }
    if (found->watch->version != 0) {
        add_tls(&json, found->watch);
        add_request(&json, found);
    }
    json_text(&json, "verdict", verdict_code(found->verdict));
    if (found->verdict == PROBE_UNREACHABLE && found->wire->error[0] != '\0') {
        json_text(&json, "reason", "unreachable");
        json_text(&json, "detail", found->wire->error);
    } else if (found->result->error != 0) {
        json_text(&json, "reason", reason_code(found->result->failure.reason));
        json_text(&json, "detail", found->result->failure.detail);
    }
    json_number(&json, "duration_ms", found->took_ms);
    json_end(&json);
}
