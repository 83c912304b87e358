/*
 * A certificate's names as one line of text. Nothing in a certificate can look like
 * something else in the line: separators, control characters, characters that change the
 * direction of text, and bytes that are no characters are escaped with a backslash.
 */
#ifndef SHIM_SESSION_PEER_TEXT_H
#define SHIM_SESSION_PEER_TEXT_H

#include "shim/session/peer_der.h"

/*
 * Writes a distinguished name, the most specific part first.
 *
 *   rdns  in   the content of the Name's SEQUENCE
 *   out   out  size bytes with the final NUL; longer text is cut with "..."
 *
 * Source   RFC 4514.
 */
void peer_text_name(struct der_span rdns, char *out, size_t size);

/* Writes subject alternative names in the certificate's order; see struct peer. */
void peer_text_san(struct der_span names, char *out, size_t size);

/* Writes bytes as lower-case hex; leaves out leading zeros of numbers. */
void peer_text_hex(struct der_span bytes, char *out, size_t size);
void peer_text_number(struct der_span bytes, char *out, size_t size);

#endif
