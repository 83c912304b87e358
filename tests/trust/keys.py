#!/usr/bin/env python3
"""Keys and signatures: what is strong enough, and what of wolfSSL's, OpenSSL's and GnuTLS's
kinds is understood."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import authority, leaf  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

WEAK = Refused("weak_certificate", "bad_certificate")
RSA_ROOT = authority("rsa-root", key="rsa2048")
OPENSSL = "openssl"  # GnuTLS does not use what is that weak


def signed(name, digest, want, **words):
    """A row: a leaf that an RSA root has signed with this digest."""
    return Case(name, leaf(RSA_ROOT, hash=digest), want, trust=(RSA_ROOT, ROOT), **words)


CASES = [
    Case("P-256", leaf(ROOT, key="p256"), Accepted()),
    Case("P-384", leaf(ROOT, key="p384"), Accepted()),
    Case("P-521", leaf(ROOT, key="p521"), Accepted(),
         identity="groups = X25519 P-256 P-384 P-521"),
    Case("Ed25519", leaf(ROOT, key="ed25519"), Accepted()),
    Case("RSA 2048", leaf(ROOT, key="rsa2048"), Accepted()),
    Case("RSA 3072", leaf(ROOT, key="rsa3072"), Accepted()),
    Case("RSA 4096", leaf(ROOT, key="rsa4096"), Accepted()),
    # wolfSSL as a server of TLS 1.2 does not ask clients for such keys.
    Case("RSA for PSS alone", leaf(ROOT, key="rsapss2048"), Accepted(), versions="1.3"),
    Case("RSA 1024", leaf(ROOT, key="rsa1024"), WEAK, stacks=OPENSSL),
    Case("RSA 1536", leaf(ROOT, key="rsa1536"), WEAK, stacks=OPENSSL),
    Case("P-224", leaf(ROOT, key="secp224r1"), WEAK, stacks=OPENSSL, shim="server",
         versions="1.2"),
    Case("P-192", leaf(ROOT, key="secp192r1"), WEAK, stacks=OPENSSL, shim="server",
         versions="1.2"),

    Case("CA with P-384", leaf(authority("c384", key="p384"), hash="sha384"), Accepted(),
         trust=(authority("c384", key="p384"),)),
    Case("CA with P-521", leaf(authority("c521", key="p521"), hash="sha512"), Accepted(),
         trust=(authority("c521", key="p521"),)),
    Case("CA with Ed25519", leaf(authority("ced", key="ed25519")), Accepted(),
         trust=(authority("ced", key="ed25519"),)),
    Case("CA with RSA 2048", leaf(RSA_ROOT), Accepted(), trust=(RSA_ROOT,)),
    Case("CA with RSA 4096", leaf(authority("c4096", key="rsa4096")), Accepted(),
         trust=(authority("c4096", key="rsa4096"),)),
    Case("intermediate CA with RSA 1024", leaf(authority("c1024", ROOT, key="rsa1024")), WEAK),
    Case("root with RSA 1024", leaf(authority("r1024", key="rsa1024")),
         Refused("unknown_ca", "unknown_ca"), trust=(authority("r1024", key="rsa1024"), ROOT)),
    Case("intermediate CA with P-224", leaf(authority("c224", ROOT, key="secp224r1")), WEAK),
    Case("intermediate CA with P-192", leaf(authority("c192", ROOT, key="secp192r1")), WEAK),
    Case("an RSA leaf of an Ed25519 CA", leaf(authority("ced", key="ed25519"), key="rsa2048"),
         Accepted(), trust=(authority("ced", key="ed25519"),)),

    signed("SHA-256", "sha256", Accepted()),
    signed("SHA-384", "sha384", Accepted()),
    signed("SHA-512", "sha512", Accepted()),
    signed("SHA-256 with PSS", "pss-sha256", Accepted()),
    signed("SHA-384 with PSS", "pss-sha384", Accepted()),
    signed("SHA-1", "sha1", WEAK),
    signed("MD5", "md5", WEAK),
    signed("SHA-224", "sha224", WEAK),
    Case("SHA-1 with ECDSA", leaf(ROOT, hash="sha1"), WEAK),
    Case("SHA-224 with ECDSA", leaf(ROOT, hash="sha224"), WEAK),
    Case("SHA-1 of an intermediate CA", leaf(authority("s1", ROOT, hash="sha1")), WEAK),
    Case("MD5 of an intermediate CA", leaf(authority("m5", RSA_ROOT, hash="md5")), WEAK,
         trust=(RSA_ROOT, ROOT)),
    Case("SHA-1 of a root, which nobody relies on", leaf(authority("s1root", hash="sha1")),
         Accepted(), trust=(authority("s1root", hash="sha1"),)),
    Case("SHA-1 of a root that is sent, too",
         leaf(authority("s1root", hash="sha1"), chain=[authority("s1root", hash="sha1")]),
         Accepted(), trust=(authority("s1root", hash="sha1"),)),
    Case("our own certificate has another kind of key", leaf(ROOT), Accepted(),
         own=leaf(ROOT, key="rsa2048", label="own", subject="O=Test,CN=own-rsa")),
    Case("our own key is Ed25519", leaf(ROOT), Accepted(),
         own=leaf(ROOT, key="ed25519", label="own", subject="O=Test,CN=own-ed")),
]

if __name__ == "__main__":
    main(CASES)
