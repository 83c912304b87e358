/*
 * OCSP as such, without I/O: a question about one certificate, and the judgement of what
 * is said to be the answer to it.
 */
#ifndef SHIM_SESSION_OCSP_ANSWER_H
#define SHIM_SESSION_OCSP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/der.h"

#define OCSP_WORDS_LEN 112
#define OCSP_REQUEST_MAX 512

enum ocsp_status {
    OCSP_GOOD,
    OCSP_REVOKED,
    OCSP_UNKNOWN, /* the responder does not know the certificate */
    OCSP_FAILED,  /* there is no answer that counts */
};

struct ocsp_answer {
    enum ocsp_status status;
    int64_t until;              /* when it ends to count, seconds since the epoch */
    char words[OCSP_WORDS_LEN]; /* OCSP_FAILED: what is wrong */
};

/* A certificate together with the one that has issued it. */
struct ocsp_question;

/*
 * Makes a question.
 *
 *   certificate, issuer  in  DER; copied as far as needed
 *   nonce                in  whether the answer is to be made for us alone
 *
 * Returns  the question, freed by ocsp_question_free(); NULL: the key of this issuer has
 *          not signed the certificate, either is malformed or out of date, or no memory.
 */
struct ocsp_question *ocsp_question_new(struct der_span certificate,
                                        struct der_span issuer, bool nonce);
void ocsp_question_free(struct ocsp_question *question);

/* The responder that the certificate names, no NUL behind it; empty = none. */
struct der_span ocsp_question_url(const struct ocsp_question *question);

/* Writes the OCSPRequest. Returns its length, or -EINVAL. Source: RFC 6960, 4.1.1. */
int ocsp_question_write(const struct ocsp_question *question,
                        uint8_t request[OCSP_REQUEST_MAX]);

/*
 * Judges an OCSPResponse: whether it is signed by the issuer, or by whom the issuer has
 * entrusted with that, is about this certificate, in date, and made for our nonce if it
 * has one.
 *
 * Source   RFC 6960, sections 3.2 and 4.2.2; RFC 5019, section 4.
 */
void ocsp_question_judge(const struct ocsp_question *question, const uint8_t *response,
                         size_t len, struct ocsp_answer *answer);

/* Whether a certificate demands that its owner staple (RFC 7633, status_request). */
bool ocsp_must_staple(struct der_span certificate);

#endif
