/*
 * For programs that know of mtls-shim: who is at the other end of a connection, and how
 * it is protected.  Nothing needs to be linked:
 *
 *     char uri[MTLS_SHIM_TEXT_MAX];
 *     socklen_t len = sizeof(uri);
 *     if (getsockopt(fd, SOL_MTLS_SHIM, MTLS_SHIM_PEER_SAN, uri, &len) == 0) { ... }
 *
 * C99 and C++.  The constants are part of the interface and do not change.
 */
#ifndef MTLS_SHIM_H
#define MTLS_SHIM_H

/*
 * The level of all options.  Linux numbers its levels upwards from 0 (protocols) and from
 * 256 (SOL_*, below 300 today); this one, "mtls" in ASCII, is far from both, so that a
 * kernel that sees it knows nothing of it.
 *
 * getsockopt(fd, SOL_MTLS_SHIM, option, value, &len)
 *
 *   fd     in      a socket, or any duplicate of it
 *   value  out     an int, or text with its final NUL; untouched on failure
 *   len    in/out  bytes of room; what was written, with the NUL of a text
 *
 * Returns  0; -1 with errno:
 *          EOPNOTSUPP, ENOPROTOOPT
 *                       the connection is not governed, or the library is not loaded: the
 *                       kernel's words for an unknown level, with IPv4 and with IPv6
 *          ENOPROTOOPT  the library has no such option
 *          EINPROGRESS  the handshake is under way: nobody is known yet
 *          EPROTO, EACCES, ECONNRESET, ETIMEDOUT, ...
 *                       the handshake has failed with this; the log says who was refused
 *          ERANGE       there is too little room; len is what is needed
 *          EFAULT       value or len is NULL
 *          and what the kernel gives for a descriptor that is no TCP socket
 * Safe     threads; never waits, but goes on with a handshake as far as that can go.
 *
 * Once a connection is open the answers stay, also after its end.  They are those of the
 * end that asks: in TLS 1.3 a client is done before the server has judged it.
 *
 * There is nothing to set: setsockopt() gives ENOPROTOOPT.
 */
#define SOL_MTLS_SHIM 0x6d746c73

/* No text is longer, with its NUL; longer ones are cut and end with "...". */
#define MTLS_SHIM_TEXT_MAX 512

/* int: one of the states below; this option alone never fails for the handshake's sake.
 */
#define MTLS_SHIM_STATE 1

/* Text: the subject of the peer's certificate, as in RFC 4514: "CN=web,O=Corp". */
#define MTLS_SHIM_PEER_SUBJECT 2

/* Text: its alternative names: "DNS:a.internal, URI:spiffe://corp/a, IP:10.0.0.1"; a
 * comma in one of them is "\,".  Empty without any. */
#define MTLS_SHIM_PEER_SAN 3

/* Text: SHA-256 of the certificate's DER, 64 lower-case hex digits. */
#define MTLS_SHIM_PEER_SHA256 4

/* Text: its serial number, lower-case hex without leading zeros. */
#define MTLS_SHIM_PEER_SERIAL 5

/* Text: the issuer of the certificate, as in RFC 4514. */
#define MTLS_SHIM_PEER_ISSUER 6

/* Text: "1.3" or "1.2". */
#define MTLS_SHIM_TLS_VERSION 7

/* Text: IANA's name of the cipher suite, "TLS_AES_128_GCM_SHA256". */
#define MTLS_SHIM_CIPHER 8

/* Text: the name of the policy's rule. */
#define MTLS_SHIM_RULE 9

enum mtls_shim_state {
    MTLS_SHIM_CONNECTING = 0, /* TCP itself is not established yet */
    MTLS_SHIM_HANDSHAKING = 1,
    MTLS_SHIM_OPEN = 2, /* the peer has proved who it is, and the policy lets it in */
    MTLS_SHIM_FAILED = 3
};

#endif
