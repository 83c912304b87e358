#include "shim/session/certificate_wolfssl.h"

#include <stdbool.h>
#include <stddef.h>

#include <wolfssl/internal.h>

#include "shim/session/hello_read.h"

/* wolfSSL steps over a message once it has dealt with it: it is still at its body. */
static bool
find_message(const WOLFSSL *ssl, struct der_span *body)
{
    enum { CERTIFICATE = 11, HEADER_LEN = 4 };
    const bufferStatic *input = &ssl->buffers.inputBuffer;
    if (input->idx < HEADER_LEN || input->idx > input->length) {
        return false;
    }
    struct der_span message = {input->buffer + input->idx - HEADER_LEN,
                               input->length - input->idx + HEADER_LEN};
    size_t type;
    return hello_read_number(&message, 1, &type) && type == CERTIFICATE &&
           hello_read_vector(&message, 3, body);
}

struct der_span
certificate_wolfssl_unread(WOLFSSL *ssl)
{
    struct der_span body;
    struct der_span context;
    struct der_span list;
    struct der_span certificate;
    bool found = find_message(ssl, &body) &&
                 (wolfSSL_version(ssl) != TLS1_3_VERSION ||
                  hello_read_vector(&body, 1, &context)) &&
                 hello_read_vector(&body, 3, &list) &&
                 hello_read_vector(&list, 3, &certificate);
    return found ? certificate : (struct der_span){NULL, 0};
}
