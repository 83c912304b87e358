/*
 * The certificate that wolfSSL gave up reading. Its public interface has one only with
 * SESSION_CERTS, which makes each WOLFSSL_SESSION 37 KiB larger, and a handshake clears
 * two of them. So the source file knows wolfSSL's own structures.
 */
#ifndef SHIM_SESSION_CERTIFICATE_WOLFSSL_H
#define SHIM_SESSION_CERTIFICATE_WOLFSSL_H

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/ssl.h>

#include "config/der.h"

/*
 * The peer's own certificate, where the message that holds it is what the handshake has
 * just failed on, and was not spread over records.
 *
 * Returns  a span of wolfSSL's buffer, valid until ssl is used again; empty for none.
 * Source   RFC 8446 section 4.4.2; RFC 5246 section 7.4.2.
 */
struct der_span certificate_wolfssl_unread(WOLFSSL *ssl);

#endif
