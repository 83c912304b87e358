/*
 * As much of HTTP as a question to an OCSP responder needs: one POST, one answer, no
 * redirects, nothing that is kept.
 */
#ifndef SHIM_SESSION_HTTP_H
#define SHIM_SESSION_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/url.h"

#define HTTP_ANSWER_MAX 65536u /* header and body, as sent */
#define HTTP_REQUEST_MAX (URL_LEN_MAX + 1024u)

/*
 * Writes the header of a POST of an OCSP request.
 *
 *   body_len  in   bytes that the caller sends behind it
 *   header    out  HTTP_REQUEST_MAX bytes
 *
 * Returns  its length, without a NUL.
 * Source   RFC 9110; RFC 6960, appendix A.1.
 */
size_t http_post(const struct url *url, size_t body_len, char header[HTTP_REQUEST_MAX]);

enum http_state {
    HTTP_MORE,      /* not all of it has come */
    HTTP_WHOLE,     /* body and body_len are set */
    HTTP_REFUSED,   /* status is not 200 */
    HTTP_MALFORMED, /* no HTTP, cut short, or too long */
    HTTP_OTHER,     /* the content is of another type */
};

struct http_answer {
    int status;          /* 0 until it has come */
    const uint8_t *body; /* within the data */
    size_t body_len;
};

/*
 * Reads an answer as far as it has come.
 *
 *   data    in/out  all of it so far; when it is whole, chunks are joined in place
 *   ended   in      the server has closed the connection
 *   answer  out     see the states
 *
 * Safe     allocates nothing.
 * Source   RFC 9112, sections 4, 5, 6.3 and 7.1.
 */
enum http_state http_read(uint8_t *data, size_t len, bool ended,
                          struct http_answer *answer);

#endif
