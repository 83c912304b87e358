#!/usr/bin/env python3
"""Which names a server's certificate is good for: RFC 9525, never the common name."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import alternative_names, leaf  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

MISMATCH = Refused("name_mismatch", "bad_certificate")
MALFORMED = Refused("bad_certificate", "bad_certificate")


def named(name, host, want, *san, **words):
    """A row: a server with these alternative names, dialled as host."""
    return Case(name, leaf(ROOT, san=san or None, subject="O=Test,CN=" + host), want,
                shim="client", host=host, **words)


CASES = [
    named("name", "db.test", Accepted({"dialled_name": "db.test"}), "DNS:db.test"),
    named("another name", "db.test", MISMATCH, "DNS:web.test"),
    named("common name alone", "db.test", MISMATCH),
    named("common name beside another name", "db.test", MISMATCH, "DNS:web.test"),
    named("one of several names", "db.test", Accepted(), "DNS:a.test", "URI:spiffe://x/y",
          "IP:10.0.0.1", "DNS:db.test"),
    named("none of several names", "db.test", MISMATCH, "DNS:a.test", "DNS:b.test"),
    named("upper case in the certificate", "db.test", Accepted(), "DNS:DB.Test"),
    named("upper case dialled", "DB.TEST", Accepted(), "DNS:db.test"),
    named("trailing dot in the certificate", "db.test", Accepted(), "DNS:db.test."),
    named("a name that only begins so", "db.test", MISMATCH, "DNS:db.test.evil"),
    named("a name that only ends so", "db.test", MISMATCH, "DNS:a.db.test"),
    named("a parent domain", "a.db.test", MISMATCH, "DNS:db.test"),
    named("a label alone", "host", Accepted(), "DNS:host"),
    named("NUL in a name", "db.test", MALFORMED, "DNS:db.test\0.evil"),
    named("NUL at the end of a name", "db.test", MALFORMED, "DNS:db.test\0"),
    named("blank in a name", "db.test", MISMATCH, "DNS:db.test "),
    named("empty name", "db.test", MISMATCH, "DNS:"),
    named("A-labels", "xn--bcher-kva.test", Accepted(), "DNS:xn--bcher-kva.test"),
    named("A-labels in another case", "xn--bcher-kva.test", Accepted(),
          "DNS:XN--BCHER-KVA.test"),
    named("U-labels in the certificate", "xn--bcher-kva.test", MISMATCH,
          "DNS:b\u00fccher.test"),
    named("URI of that host", "db.test", MISMATCH, "URI:https://db.test/"),
    named("mail address at that host", "db.test", MISMATCH, "email:db@db.test"),

    named("wildcard", "a.db.test", Accepted(), "DNS:*.db.test"),
    named("wildcard for no label", "db.test", MISMATCH, "DNS:*.db.test"),
    named("wildcard for two labels", "a.b.db.test", MISMATCH, "DNS:*.db.test"),
    named("wildcard alone", "host", MISMATCH, "DNS:*"),
    named("wildcard for a top-level domain", "db.test", Accepted(), "DNS:*.test"),
    named("wildcard in the middle", "a.b.db.test", MISMATCH, "DNS:a.*.db.test"),
    named("wildcard at the right", "db.test", MISMATCH, "DNS:db.*"),
    named("wildcard twice", "a.b.db.test", MISMATCH, "DNS:*.*.db.test"),
    named("wildcard as a label's end", "ab.test", MISMATCH, "DNS:a*.test"),
    named("wildcard as a label's begin", "ab.test", MISMATCH, "DNS:*b.test"),
    named("wildcard in an A-label", "xn--bcher-kva.test", MISMATCH, "DNS:xn--*.test"),
    named("wildcard for an A-label", "xn--bcher-kva.test", Accepted(), "DNS:*.test"),
    named("wildcard for an address", "127.0.0.1", MISMATCH, "DNS:*.0.0.1"),

    named("address", "127.0.0.1", Accepted(), "IP:127.0.0.1"),
    named("another address", "127.0.0.1", MISMATCH, "IP:127.0.0.2"),
    named("address as a DNS name", "127.0.0.1", MISMATCH, "DNS:127.0.0.1"),
    named("name where an address was dialled", "127.0.0.1", MISMATCH, "DNS:localhost"),
    named("address where a name was dialled", "db.test", MISMATCH, "IP:127.0.0.1"),
    named("another address of the loopback net", "127.0.0.5", Accepted(), "IP:127.0.0.5"),
    named("IPv6 address", "::1", Accepted(), "IP:::1"),
    named("another IPv6 address", "::1", MISMATCH, "IP:::2"),
    named("IPv6 address as a DNS name", "::1", MISMATCH, "DNS:::1"),
    named("IPv4 address as IPv6", "127.0.0.1", Accepted(), "IP:::ffff:127.0.0.1"),
    named("address of five bytes", "127.0.0.1", MISMATCH, "RAW-IP:7f00000100"),
    named("address and mask", "127.0.0.1", MISMATCH, "RAW-IP:7f000001ffffffff"),

    named("peer_name", "127.0.0.1", Accepted(), "DNS:db.test", outbound="peer_name = db.test"),
    named("peer_name goes before the name dialled", "db.test", MISMATCH, "DNS:db.test",
          outbound="peer_name = web.test"),
    named("peer_name is an address", "db.test", Accepted(), "IP:10.1.2.3",
          outbound="peer_name = 10.1.2.3"),
    named("peer_name with a trailing dot", "127.0.0.1", Accepted(), "DNS:db.test",
          outbound="peer_name = db.test."),

    named("verify = chain", "db.test", Accepted(), "DNS:web.test", outbound="verify = chain"),
    named("verify = chain without any name", "db.test", Accepted(), outbound="verify = chain"),
    named("verify = identity", "db.test", Accepted(), "URI:spiffe://test/db",
          outbound="verify = identity\nallow = uri:spiffe://test/db"),
    named("verify = identity of another", "db.test",
          Refused("denied_by_allow", "access_denied", "EACCES"), "DNS:db.test",
          "URI:spiffe://test/web", outbound="verify = identity\nallow = uri:spiffe://test/db"),
    named("verify = name and allow", "db.test", Accepted(), "DNS:db.test",
          "URI:spiffe://test/db", rule="allow = uri:spiffe://test/db"),
    named("verify = name without the name, though allowed", "db.test", MISMATCH,
          "DNS:web.test", rule="allow = dns:web.test"),

    Case("two extensions with names",
         leaf(ROOT, san=["DNS:db.test"], extensions=[alternative_names(["DNS:web.test"])]),
         MALFORMED, host="db.test", stacks="gnutls"),
    Case("clients need no name", leaf(ROOT, san=None, subject="CN=x"), Accepted(),
         shim="server"),
    Case("clients may have any name", leaf(ROOT, san=["DNS:a.test", "IP:10.0.0.1"]),
         Accepted({"peer_san": "DNS:a.test, IP:10.0.0.1"}), shim="server"),
]

if __name__ == "__main__":
    main(CASES)
