#include "shim/session/path_words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/error-crypt.h>

#include "config/certs.h"
#include "shim/session/peer_der.h"
#include "shim/session/peer_text.h"

enum { NAME_LEN = 56, WORDS_LEN = 240 };

static enum reason
reason_of(int error)
{
    switch (error) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return REASON_UNKNOWN_CA;
    case ASN_AFTER_DATE_E:
        return REASON_EXPIRED;
    case ASN_BEFORE_DATE_E:
        return REASON_NOT_YET_VALID;
    case MEMORY_E:
        return REASON_SHIM_ERROR;
    default:
        return REASON_BAD_CERTIFICATE;
    }
}

void
path_words_refuse(const struct path_place *place, enum reason reason, const char *words,
                  struct failure *failure)
{
    struct peer_parts parts;
    char name[NAME_LEN] = "the peer's certificate";
    if (!place->is_own) {
        (void)peer_der_certificate(place->certificate, &parts);
        peer_text_name(parts.subject, name, sizeof(name));
    }
    failure_set(failure, reason, "%s: %s", name, words);
}

static void
explain_date(struct der_span certificate, int error, char words[WORDS_LEN])
{
    char limit[CERTS_TIME_LEN] = "?";
    char here[CERTS_TIME_LEN];
    int64_t from_s;
    int64_t to_s;
    bool is_over = error == ASN_AFTER_DATE_E;
    if (peer_der_validity(certificate, &from_s, &to_s)) {
        certs_time(is_over ? to_s : from_s, limit);
    }
    snprintf(words, WORDS_LEN, "%s %s, and it is %s here: %s, or set the clock",
             is_over ? "it was valid until" : "it is valid only from", limit,
             certs_time(time(NULL), here), is_over ? "renew it" : "wait");
}

/* The names were the same, or it would not have been tried. */
static void
explain_signer(const struct path_place *place, char words[WORDS_LEN])
{
    struct peer_parts parts;
    char issuer[NAME_LEN];
    (void)peer_der_certificate(place->certificate, &parts);
    peer_text_name(parts.issuer, issuer, sizeof(issuer));
    snprintf(
        words, WORDS_LEN,
        "its issuer is another CA than the one that is called %s %s: a CA made anew, "
        "or of another place? %s",
        issuer, place->is_below_anchor ? "in trust, too" : "among those it shows",
        place->is_below_anchor ? "Add the issuer to trust, or renew the certificate"
                               : "Have the peer show its issuer");
}

void
path_words_explain(const struct path_place *place, int error, struct failure *failure)
{
    char words[WORDS_LEN];
    switch (error) {
    case ASN_AFTER_DATE_E:
    case ASN_BEFORE_DATE_E:
        explain_date(place->certificate, error, words);
        break;
    case ASN_NO_SIGNER_E:
        explain_signer(place, words);
        break;
    default:
        snprintf(words, sizeof(words), "%s", certs_error(error));
        break;
    }
    path_words_refuse(place, reason_of(error), words, failure);
}

/* From the peer's certificate on, to the last whose issuer it has not shown. */
static int
find_last(const struct chain *chain, struct peer_parts *last)
{
    int at = 0;
    (void)peer_der_certificate(chain_at(chain, 0), last);
    for (int steps = 1; steps < chain_count(chain); steps++) {
        struct peer_parts parts;
        int i = 1;
        while (i < chain_count(chain) &&
               !(i != at && peer_der_certificate(chain_at(chain, i), &parts) &&
                 der_is(parts.subject, last->issuer.at, last->issuer.len))) {
            i++;
        }
        if (i == chain_count(chain) ||
            der_is(last->subject, last->issuer.at, last->issuer.len)) {
            break;
        }
        *last = parts;
        at = i;
    }
    return at;
}

void
path_words_no_anchor(const struct chain *chain, const char *trust,
                     struct failure *failure)
{
    struct peer_parts last;
    char issuer[NAME_LEN];
    int at = find_last(chain, &last);
    peer_text_name(last.issuer, issuer, sizeof(issuer));
    const char *space = trust != NULL ? " " : "";
    trust = trust != NULL ? trust : "";
    if (der_is(last.subject, last.issuer.at, last.issuer.len)) {
        failure_set(failure, REASON_UNKNOWN_CA,
                    "%s, %s, is not in trust%s%.80s: add it if it is to be trusted",
                    at == 0 ? "the peer's certificate, signed by itself"
                            : "the CA that the peer's certificate comes from",
                    issuer, space, trust);
        return;
    }
    /* What has expired is left out when trust is read: nor would that do. */
    failure_set(failure, REASON_UNKNOWN_CA,
                "%s was issued by %s, of which no valid certificate is in trust%s%.80s: "
                "add it, or have the peer show the CAs in between",
                at == 0 ? "the peer's certificate" : "the last CA that the peer shows",
                issuer, space, trust);
}
