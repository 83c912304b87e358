#!/usr/bin/env python3
"""Nothing in common: versions, suites, groups and signatures, what the peer is told and what
the log; and peers that do not trust us."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import authority, leaf  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

PEER = leaf(ROOT)
RSA = leaf(ROOT, key="rsa2048")


def version(name, identity, versions, theirs, ours, **words):
    """A row: a peer of another version; what either end offers, in the log."""
    if "shim" not in words:
        words["stacks"] = "openssl"
    return Case(name, PEER, {
        "server": Refused("version_mismatch", "protocol_version", shown=False,
                          words=(f"the peer offers TLS {theirs};", f"we take TLS {ours}$")),
        # It is the server that finds out.
        "client": Refused("version_mismatch", None, "ECONNRESET", shown=False,
                          words=("refused: protocol_version", f"we offer TLS {ours}$")),
    }, identity=identity, versions=versions, **words)


def suites(name, identity, theirs, ours, **words):
    """A row: no suite, group or signature in common."""
    return Case(name, PEER, {
        "server": Refused("cipher_mismatch", "handshake_failure", shown=False,
                          words=("the peer offers", theirs, "we take", ours)),
        "client": Refused("peer_alert", None, "ECONNRESET", shown=False,
                          words=("refused: handshake_failure", "we offer", ours)),
    }, identity=identity, **words)


CASES = [
    version("TLS 1.2 where we want 1.3", "min_version = 1.3", "1.2", "1.2", "1.3"),
    version("TLS 1.1 where we want 1.3", "min_version = 1.3", "1.1", "1.1", "1.3"),
    version("TLS 1.1 where we want 1.2", "min_version = 1.2", "1.1", "1.1", "1.3 1.2"),
    version("TLS 1.3 alone where we end at 1.2", "min_version = 1.2\nmax_version = 1.2",
            "1.3", "1.3", "1.2"),
    version("GnuTLS with TLS 1.2 where we want 1.3", "min_version = 1.3", "1.2", "1.2", "1.3",
            shim="server", stacks="gnutls"),
    version("GnuTLS with TLS 1.1 where we want 1.2", "min_version = 1.2", "1.1", "1.1",
            "1.3 1.2", shim="server", stacks="gnutls"),
    version("GnuTLS with TLS 1.3 alone where we end at 1.2",
            "min_version = 1.2\nmax_version = 1.2", "1.3", "1.3", "1.2", shim="server",
            stacks="gnutls"),
    # GnuTLS as a server knows nothing of the list of versions then, and answers in 1.2.
    Case("a server that answers in TLS 1.2 where we offer 1.3", PEER,
         Refused("version_mismatch", "protocol_version", shown=False,
                 words=("the peer wants TLS 1.2", "we offer TLS 1.3$")),
         identity="min_version = 1.3", versions="1.2", stacks="gnutls", shim="client"),
    Case("max_version", PEER, Accepted({"version": "1.2"}), versions="1.3",
         stacks="openssl", peer={"any_version": True},
         identity="min_version = 1.2\nmax_version = 1.2"),
    Case("min_version and max_version are the same", PEER, Accepted(), versions="1.3",
         identity="min_version = 1.3\nmax_version = 1.3"),

    suites("no suite of TLS 1.3", "ciphers = TLS_AES_128_GCM_SHA256",
           "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", stacks="gnutls",
           versions="1.3", peer={"priority": ":-CIPHER-ALL:+CHACHA20-POLY1305"}),
    suites("no suite of TLS 1.2", "ciphers = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
           "0xc009", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", stacks="openssl",
           versions="1.2", peer={"ciphers": "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}),
    suites("no group", "groups = P-256", "groups P-521;", "groups P-256;", stacks="gnutls",
           versions="1.3", peer={"priority": ":-GROUP-ALL:+GROUP-SECP521R1"}),
    suites("no group in TLS 1.2", "groups = P-256", "groups P-521;", "groups P-256;",
           stacks="gnutls", versions="1.2", peer={"priority": ":-GROUP-ALL:+GROUP-SECP521R1"}),
    Case("a group of several", PEER, Accepted({"group": "P-384"}), stacks="gnutls",
         versions="1.3", identity="groups = P-384",
         peer={"priority": ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP384R1"}),

    Case("a hello in pieces", PEER, Accepted(), peer={"split": 50}),
    Case("a hello in pieces of one byte", PEER, Accepted(), peer={"split": 1}),
    version("a hello in pieces, with TLS 1.2 where we want 1.3", "min_version = 1.3", "1.2",
            "1.2", "1.3", peer={"split": 50}, shim="server"),
    Case("a server's hello in pieces, of TLS 1.2 where we offer 1.3", PEER,
         Refused("version_mismatch", "protocol_version", shown=False,
                 words=("the peer wants TLS 1.2", "we offer TLS 1.3$")),
         identity="min_version = 1.3", versions="1.2", stacks="gnutls", shim="client",
         peer={"split": 20}),
    suites("a hello in pieces, with no group", "groups = P-256", "groups P-521;",
           "groups P-256;", stacks="gnutls", versions="1.3", shim="server",
           peer={"priority": ":-GROUP-ALL:+GROUP-SECP521R1", "split": 7}),

    Case("signature_algorithms", PEER, Accepted(),
         identity="signature_algorithms = ecdsa_secp256r1_sha256"),
    Case("signature_algorithms of RSA", RSA, Accepted(),
         own=leaf(ROOT, key="rsa2048", label="own", subject="O=Test,CN=own-rsa"),
         identity="signature_algorithms = rsa_pss_rsae_sha256 rsa_pss_rsae_sha384"),
    Case("signature_algorithms that a client's key cannot do", RSA,
         Refused("no_certificate", None, shown=False), shim="server", versions="1.3",
         identity="signature_algorithms = ecdsa_secp256r1_sha256"),
    Case("signature_algorithms that a server's key cannot do", RSA,
         Refused("peer_alert", None, "ECONNRESET", shown=False,
                 words=("refused: handshake_failure", "signatures ecdsa_secp256r1_sha256")),
         shim="client", identity="signature_algorithms = ecdsa_secp256r1_sha256"),

    Case("a client that does not trust us", PEER,
         Refused("peer_alert", None, "ECONNRESET", words="refused: unknown_ca",
                 shown=False), shim="server", stacks="openssl", peer={"trust": (authority("their-root"),)}),
    Case("a server that does not trust us", PEER,
         Refused("peer_alert", None, "ECONNRESET", words="refused: unknown_ca"),
         shim="client", versions="1.2", stacks="openssl",
         peer={"trust": (authority("their-root"),)}),
]

if __name__ == "__main__":
    main(CASES)
