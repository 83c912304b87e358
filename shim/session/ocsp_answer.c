#include "shim/session/ocsp_answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

enum {
    /* An answer that says not until when it counts: so old at most, and kept so long. */
    UNDATED_AGE_S = 300,
    UNDATED_KEPT_S = 60,
};

struct ocsp_question {
    /* Knows the issuer alone: nobody else's signature, or responder, can pass. */
    WOLFSSL_CERT_MANAGER *manager;
    OcspRequest request;
};

static int
read_certificate(struct ocsp_question *question, struct der_span certificate, bool nonce)
{
    DecodedCert *decoded = malloc(sizeof(*decoded));
    if (decoded == NULL) {
        return -ENOMEM;
    }
    wc_InitDecodedCert(decoded, certificate.at, (word32)certificate.len, NULL);
    int error = wc_ParseCert(decoded, CERT_TYPE, VERIFY, question->manager);
    if (error == 0 && decoded->ca == NULL) {
        error = ASN_NO_SIGNER_E;
    }
    if (error == 0) {
        error = InitOcspRequest(&question->request, decoded, nonce, NULL);
    }
    wc_FreeDecodedCert(decoded);
    free(decoded);
    return error == 0 ? 0 : -EINVAL;
}

struct ocsp_question *
ocsp_question_new(struct der_span certificate, struct der_span issuer, bool nonce)
{
    struct ocsp_question *question = calloc(1, sizeof(*question));
    if (question == NULL) {
        return NULL;
    }
    question->manager = wolfSSL_CertManagerNew();
    if (question->manager == NULL ||
        wolfSSL_CertManagerLoadCABuffer(question->manager, issuer.at, (long)issuer.len,
                                        WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        read_certificate(question, certificate, nonce) < 0 ||
        (nonce && question->request.nonceSz == 0)) {
        ocsp_question_free(question);
        return NULL;
    }
    return question;
}

void
ocsp_question_free(struct ocsp_question *question)
{
    if (question == NULL) {
        return;
    }
    FreeOcspRequest(&question->request);
    if (question->manager != NULL) {
        wolfSSL_CertManagerFree(question->manager);
    }
    free(question);
}

struct der_span
ocsp_question_url(const struct ocsp_question *question)
{
    return (struct der_span){question->request.url, (size_t)question->request.urlSz};
}

int
ocsp_question_write(const struct ocsp_question *question,
                    uint8_t request[OCSP_REQUEST_MAX])
{
    OcspRequest copy = question->request;
    int len = EncodeOcspRequest(&copy, request, OCSP_REQUEST_MAX);
    return len > 0 ? len : -EINVAL;
}

__attribute__((format(printf, 2, 3))) static void
fail(struct ocsp_answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    answer->status = OCSP_FAILED;
    vsnprintf(answer->words, sizeof(answer->words), format, args);
    va_end(args);
}

/* RFC 6960, section 4.2.1. */
static const char *
refusal_name(int status)
{
    static const char *const names[] = {
        [1] = "malformedRequest", [2] = "internalError", [3] = "tryLater",
        [5] = "sigRequired",      [6] = "unauthorized",
    };
    return status > 0 && (size_t)status < sizeof(names) / sizeof(names[0]) &&
                   names[status] != NULL
               ? names[status]
               : NULL;
}

static const char *
why(int error)
{
    switch (error) {
    case ASN_BEFORE_DATE_E:
        return "is from the future";
    case ASN_AFTER_DATE_E:
        return "is out of date";
    case BAD_OCSP_RESPONDER:
        return "is signed by somebody whom the CA has not entrusted with that";
    case ASN_NO_SIGNER_E:
        return "is signed by somebody else than the CA or its responder";
    case ASN_OCSP_CONFIRM_E:
        return "has a wrong signature";
    default:
        return "is malformed";
    }
}

/* 0 where there is none. */
static int64_t
read_date(const byte date[MAX_DATE_SIZE])
{
    struct tm tm = {0};
    size_t len = strnlen((const char *)date, MAX_DATE_SIZE);
    if (len == 0 ||
        wc_GetDateAsCalendarTime(date, (int)len, ASN_GENERALIZED_TIME, &tm) != 0) {
        return 0;
    }
    return timegm(&tm);
}

static void
judge_dates(const CertStatus *status, struct ocsp_answer *answer)
{
    int64_t now = time(NULL);
    int64_t from = read_date(status->thisDate);
    int64_t until = read_date(status->nextDate);
    if (from == 0 || (until != 0 && until <= now)) {
        fail(answer, "the answer is out of date");
    } else if (until == 0 && from < now - UNDATED_AGE_S) {
        fail(answer, "the answer is old, and says not until when it counts");
    } else {
        answer->until = until != 0 ? until : now + UNDATED_KEPT_S;
    }
}

static void
judge(const struct ocsp_question *question, OcspResponse *response,
      struct ocsp_answer *answer)
{
    OcspRequest request = question->request;
    int error = OcspResponseDecode(response, question->manager, NULL, 0, 0);
    if (response->responseStatus > 0) {
        const char *name = refusal_name(response->responseStatus);
        fail(answer, "the responder answers %s", name != NULL ? name : "nonsense");
        return;
    }
    if (error != 0) {
        fail(answer, "the answer %s", why(error));
        return;
    }
    if (request.nonceSz > 0 && response->nonceSz > 0 &&
        (request.nonceSz != response->nonceSz ||
         memcmp(request.nonce, response->nonce, (size_t)request.nonceSz) != 0)) {
        fail(answer, "the answer was made for somebody else's question (nonce)");
        return;
    }
    if (CompareOcspReqResp(&request, response) != 0) {
        fail(answer, "the answer is about another certificate");
        return;
    }
    const CertStatus *status = response->single->status;
    answer->status = status->status == CERT_GOOD      ? OCSP_GOOD
                     : status->status == CERT_REVOKED ? OCSP_REVOKED
                                                      : OCSP_UNKNOWN;
    judge_dates(status, answer);
}

void
ocsp_question_judge(const struct ocsp_question *question, const uint8_t *response,
                    size_t len, struct ocsp_answer *answer)
{
    CertStatus status;
    OcspEntry single;
    OcspResponse decoded;
    memset(answer, 0, sizeof(*answer));
    /* It is only read, whatever the parameter's type says. */
    InitOcspResponse(&decoded, &single, &status, (byte *)(uintptr_t)response, (word32)len,
                     NULL);
    judge(question, &decoded, answer);
    FreeOcspResponse(&decoded);
}

/* The contents of the TLS feature extension; empty = the certificate has none. */
static struct der_span
find_features(struct der_span extensions)
{
    /* 1.3.6.1.5.5.7.1.24 */
    static const uint8_t oid[] = {0x2b, 6, 1, 5, 5, 7, 1, 0x18};
    enum { SEQUENCE = 0x30, OID = 6, BOOLEAN = 1, OCTET_STRING = 4 };
    struct der_item item;
    struct der_item part;
    while (der_expect(&extensions, SEQUENCE, &item)) {
        struct der_span inner = item.value;
        bool found =
            der_expect(&inner, OID, &part) && der_is(part.value, oid, sizeof(oid));
        (void)der_expect(&inner, BOOLEAN, &part);
        if (found && der_expect(&inner, OCTET_STRING, &part)) {
            struct der_span content = part.value;
            return der_expect(&content, SEQUENCE, &item) ? item.value : content;
        }
    }
    return (struct der_span){NULL, 0};
}

bool
ocsp_must_staple(struct der_span certificate)
{
    enum { SEQUENCE = 0x30, INTEGER = 2, EXTENSIONS = 0xa3, STATUS_REQUEST = 5 };
    struct der_item item;
    struct der_span list;
    if (!der_expect(&certificate, SEQUENCE, &item)) {
        return false;
    }
    list = item.value;
    if (!der_expect(&list, SEQUENCE, &item)) {
        return false;
    }
    list = item.value;
    while (der_next(&list, &item)) {
        struct der_span extensions = item.value;
        if (item.tag != EXTENSIONS || !der_expect(&extensions, SEQUENCE, &item)) {
            continue;
        }
        struct der_span features = find_features(item.value);
        while (der_expect(&features, INTEGER, &item)) {
            if (item.value.len == 1 && item.value.at[0] == STATUS_REQUEST) {
                return true;
            }
        }
    }
    return false;
}
