#!/usr/bin/env python3
"""What a certificate may be used for: RFC 5280 sections 4.2.1.3 and 4.2.1.12."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import authority, leaf  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

WRONG = Refused("wrong_usage", "unsupported_certificate")


def purposes(name, words, server, client, **more):
    """A row: a certificate for these purposes; what becomes of a client that shows it to a
    shimmed server, and of a server."""
    return Case(name, leaf(ROOT, eku=words, **more), {"server": server, "client": client})


def below(name, words, server, client):
    """A row: a certificate for both, below a CA with these purposes."""
    return Case(name, leaf(authority("purposes", ROOT, eku=words)),
                {"server": server, "client": client})


CASES = [
    purposes("both", ["server", "client"], Accepted(), Accepted()),
    purposes("servers alone", ["server"], WRONG, Accepted()),
    purposes("clients alone", ["client"], Accepted(), WRONG),
    purposes("no purposes", None, Accepted(), Accepted()),
    purposes("any purpose", ["any"], Accepted(), Accepted()),
    purposes("code signing", ["code"], WRONG, WRONG),
    purposes("OCSP", ["ocsp"], WRONG, WRONG),
    purposes("OCSP and any", ["ocsp", "any"], Accepted(), Accepted()),
    purposes("both, critical", ["server", "client"], Accepted(), Accepted(),
             eku_critical=True),
    purposes("servers alone, critical", ["server"], WRONG, Accepted(), eku_critical=True),
    purposes("code signing, critical", ["code"], WRONG, WRONG, eku_critical=True),

    Case("no key usage", leaf(ROOT, usage=None), Accepted()),
    Case("digitalSignature and others",
         leaf(ROOT, usage=["digitalSignature", "keyEncipherment"]), Accepted()),
    # In TLS 1.2 OpenSSL does not show what it may not sign with.
    Case("keyEncipherment alone", leaf(ROOT, usage=["keyEncipherment"]), WRONG, versions="1.3"),
    Case("keyAgreement alone", leaf(ROOT, usage=["keyAgreement"]), WRONG, versions="1.3"),
    Case("nonRepudiation alone", leaf(ROOT, usage=["nonRepudiation"]), WRONG, versions="1.3"),
    Case("empty key usage", leaf(ROOT, usage=[]), WRONG, stacks="gnutls", versions="1.3"),
    Case("keyCertSign alone", leaf(ROOT, usage=["keyCertSign"], ca=True), WRONG,
         versions="1.3"),

    below("CA for both", ["server", "client"], Accepted(), Accepted()),
    below("CA for any purpose", ["any"], Accepted(), Accepted()),
    below("CA for servers alone", ["server"], WRONG, Accepted()),
    below("CA for clients alone", ["client"], Accepted(), WRONG),
    below("CA for code signing", ["code"], WRONG, WRONG),
    Case("CA for servers above one for both", leaf(authority("both", authority(
        "servers", ROOT, eku=["server"]), eku=["server", "client"])),
         {"server": WRONG, "client": Accepted()}),
]

if __name__ == "__main__":
    main(CASES)
