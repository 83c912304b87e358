#!/usr/bin/env python3
"""From a peer's certificate to a trust anchor: RFC 5280 section 6, and what peers send."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import papers  # noqa: E402
from papers import authority, extension, leaf, name_constraints, unknown  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

SUB = authority("sub", ROOT)
SUB2 = authority("sub2", SUB)
FOREIGN = authority("foreign")
NO_PATH = Refused("unknown_ca", "unknown_ca")


def no_path(*words):
    """What the log tells is enough to mend it."""
    return Refused("unknown_ca", "unknown_ca", words=words)


MALFORMED = Refused("bad_certificate", "bad_certificate")
EXPIRED = Refused("expired", "certificate_expired", words=(r"it was valid until \d{4}-.* UTC",
                                                           "renew it"))
EARLY = Refused("not_yet_valid", "certificate_expired", words="it is valid only from")
NOT_A_CA = Refused("bad_certificate", "bad_certificate")


def below(name, want, sub, **words):
    """A row: a peer below this intermediate CA."""
    return Case(name, leaf(sub), want, **words)


def constrained(name, want, san=papers.NAMES, subject="O=Test,CN=peer", **trees):
    """A row: a peer below a CA with name constraints."""
    sub = authority("constrained", ROOT, extensions=[name_constraints(**trees)])
    return Case(name, leaf(sub, san=san, subject=subject), want, outbound="verify = chain")


# Two certificates of one CA: the same name and key, by different roots.
OTHER_ROOT = authority("other-root")
CROSS = authority("cross", ROOT)
CROSS_BY_OTHER = CROSS.but(issuer=OTHER_ROOT)
CROSS_EXPIRED = CROSS.but(issuer=OTHER_ROOT, days=(-30, -1))
OLD_ROOT = authority("old-root")
SELF = leaf(None, label="self")

CASES = [
    Case("no certificate", None, Refused("no_certificate",
         ("certificate_required", "handshake_failure"), shown=False), shim="server"),
    Case("directly below the root", leaf(ROOT), Accepted()),
    below("below an intermediate CA", Accepted(), SUB),
    below("below two intermediate CAs", Accepted(), SUB2),
    Case("of another CA", leaf(FOREIGN), NO_PATH),
    Case("of a CA of the same name", leaf(ROOT.but(label="impostor")), NO_PATH),
    Case("signature with a wrong bit", leaf(ROOT, signature="bad"), MALFORMED),
    below("signature of an intermediate CA with a wrong bit",
          Refused("bad_certificate", "bad_certificate"),
          authority("bad-sub", ROOT, signature="bad")),
    Case("self-signed", SELF, no_path("signed by itself, CN=.*, is not in trust")),
    Case("self-signed CA", authority("self-ca", san=papers.NAMES, usage=[
        "digitalSignature", "keyCertSign"]), NO_PATH),
    Case("the anchor itself", authority("anchor", san=papers.NAMES, usage=[
        "digitalSignature", "keyCertSign"]), Accepted(), trust=(authority(
            "anchor", san=papers.NAMES, usage=["digitalSignature", "keyCertSign"]),)),

    Case("expired", leaf(ROOT, days=(-5, -1)), EXPIRED),
    Case("expired a minute ago", leaf(ROOT, days=(-5, -60 / 86400)), EXPIRED),
    Case("not yet valid", leaf(ROOT, days=(1, 5)), EARLY),
    below("expired intermediate CA", EXPIRED, authority("old-sub", ROOT, days=(-5, -1))),
    below("intermediate CA not yet valid", EARLY, authority("new-sub", ROOT, days=(1, 5))),

    Case("missing intermediate CA", leaf(SUB, chain=[]),
         no_path("certificate was issued by CN=sub,O=Test, of which no valid .* in trust /.*: add")),
    Case("missing intermediate CA, after somebody has shown it", leaf(SUB, chain=[],
         subject="O=Test,CN=again"), NO_PATH),
    Case("missing upper intermediate CA", leaf(SUB2, chain=[SUB2]),
         no_path("the last CA that the peer shows was issued by CN=sub,O=Test, of which no")),
    Case("intermediate CAs in the wrong order", leaf(SUB2, chain=[SUB, SUB2]), Accepted()),
    Case("the root is sent, too", leaf(SUB, chain=[SUB, ROOT]), Accepted()),
    Case("another CA's intermediate is sent, too",
         leaf(SUB, chain=[SUB, authority("other-sub", FOREIGN)]), Accepted()),
    Case("another root is sent, too", leaf(SUB, chain=[SUB, FOREIGN]), Accepted()),
    Case("its own root is sent, and not in trust", leaf(FOREIGN, chain=[FOREIGN]),
         no_path("CA that the peer's certificate comes from, CN=foreign,O=Test, is not in")),
    Case("a leaf is sent, too", leaf(SUB, chain=[SUB, leaf(ROOT, label="other")]), Accepted()),
    Case("the intermediate CA is an anchor", leaf(SUB, chain=[]), Accepted(), trust=(SUB,)),
    Case("the intermediate CA is an anchor and is sent", leaf(SUB), Accepted(), trust=(SUB,)),
    Case("another one's leaf under an anchor that is an intermediate CA", leaf(ROOT), NO_PATH,
         trust=(SUB,)),

    Case("cross-signed by our root", leaf(CROSS), Accepted()),
    Case("cross-signed, only the other path is sent", leaf(CROSS_BY_OTHER), NO_PATH),
    Case("cross-signed, both paths are sent", leaf(CROSS, chain=[CROSS_BY_OTHER, CROSS]),
         Accepted()),
    Case("cross-signed, both paths, ours first", leaf(CROSS, chain=[CROSS, CROSS_BY_OTHER]),
         Accepted()),
    Case("cross-signed, the other path has expired",
         leaf(CROSS, chain=[CROSS, CROSS_EXPIRED]), Accepted()),
    Case("cross-signed, the other path has expired and comes first",
         leaf(CROSS, chain=[CROSS_EXPIRED, CROSS]), Accepted()),
    Case("cross-signed, both roots in trust", leaf(CROSS_BY_OTHER), Accepted(),
         trust=(ROOT, OTHER_ROOT)),

    Case("CA rotation: of the old root", leaf(OLD_ROOT), Accepted(), trust=(OLD_ROOT, ROOT)),
    Case("CA rotation: of the new root", leaf(ROOT), Accepted(), trust=(OLD_ROOT, ROOT)),
    Case("CA rotation: the old root is gone", leaf(OLD_ROOT), NO_PATH),
    Case("CA rotation: the same name and a new key", leaf(ROOT), Accepted(),
         trust=(ROOT.but(label="root-2"), ROOT)),
    Case("CA rotation: the same name and a new key, the other one",
         leaf(ROOT.but(label="root-2")), Accepted(), trust=(ROOT, ROOT.but(label="root-2"))),
    Case("CA rotation: the same name and a new key, which is not in trust",
         leaf(ROOT.but(label="root-2")),
         no_path("its issuer is another CA than the one that is called CN=root,O=Test in")),
    Case("CA rotation: the root was renewed with its key", leaf(ROOT), Accepted(),
         trust=(ROOT.but(days=(-1, 400)),)),
    Case("trust holds an expired root, too", leaf(ROOT), Accepted(),
         trust=(OLD_ROOT.but(days=(-9, -2)), ROOT)),
    Case("of a root in trust that has expired", leaf(OLD_ROOT), NO_PATH,
         trust=(OLD_ROOT.but(days=(-9, -2)), ROOT)),

    below("CA without CA:TRUE", NOT_A_CA, authority("no-ca", ROOT, ca=False)),
    below("CA without basicConstraints", NOT_A_CA, authority("no-basic", ROOT, ca=None)),
    below("CA without keyCertSign", NOT_A_CA,
          authority("no-sign", ROOT, usage=["cRLSign", "digitalSignature"])),
    below("CA without key usage", Accepted(), authority("no-usage", ROOT, usage=None)),
    below("CA of version 1", NOT_A_CA, authority("v1", ROOT, version=1)),
    below("a leaf signs a leaf", NOT_A_CA, leaf(ROOT, label="signing-leaf")),
    Case("leaf of version 1", leaf(ROOT, version=1), MALFORMED, outbound="verify = chain"),
    Case("leaf with CA:TRUE", leaf(ROOT, ca=True, usage=["digitalSignature", "keyCertSign"]),
         Accepted()),
    below("path length 0 for a leaf", Accepted(), authority("p0", ROOT, path_len=0)),
    below("path length 0 for a CA", MALFORMED,
          authority("p0-sub", authority("p0", ROOT, path_len=0))),
    below("path length 1 for a CA", Accepted(),
          authority("p1-sub", authority("p1", ROOT, path_len=1))),
    below("path length 1 for two CAs", MALFORMED, authority(
        "p1-sub-sub", authority("p1-sub", authority("p1", ROOT, path_len=1)))),
    below("path length grows below", MALFORMED, authority(
        "p0-p5-sub", authority("p0-p5", authority("p0", ROOT, path_len=0), path_len=5))),

    Case("unknown critical extension", leaf(ROOT, extensions=[unknown()]), MALFORMED),
    Case("unknown extension", leaf(ROOT, extensions=[unknown(False)]), Accepted()),
    below("unknown critical extension of a CA", MALFORMED,
          authority("critical", ROOT, extensions=[unknown()])),
    below("unknown extension of a CA", Accepted(),
          authority("uncritical", ROOT, extensions=[unknown(False)])),
    Case("an extension twice", leaf(ROOT, extensions=[papers.basic_constraints(False)]),
         MALFORMED, stacks="gnutls"),
    Case("an unknown extension twice", leaf(ROOT, extensions=[unknown(False)] * 2),
         MALFORMED, stacks="gnutls"),
    below("an extension of a CA twice", MALFORMED, authority(
        "twice", ROOT, extensions=[papers.basic_constraints(True)]), stacks="gnutls"),
    Case("as many extensions as nobody needs", leaf(ROOT, extensions=[
        extension(f"1.3.6.1.4.1.55555.{i}", b"\x05\x00") for i in range(2, 80)]), MALFORMED),
    Case("an extension that is cut", leaf(ROOT, san=None, extensions=[
        extension("2.5.29.17", b"\x30\x20\x82")]), MALFORMED, stacks="gnutls"),
    Case("a certificate for another key", leaf(ROOT, own_key=leaf(ROOT, label="other")),
         Refused("bad_certificate", "decrypt_error"), stacks="gnutls"),

    constrained("permitted DNS names", Accepted(), ["DNS:a.corp.test"],
                permitted=["DNS:corp.test"]),
    constrained("not a permitted DNS name", MALFORMED, ["DNS:a.test"],
                permitted=["DNS:corp.test"]),
    constrained("one of two names is not permitted", MALFORMED,
                ["DNS:a.corp.test", "DNS:a.test"], permitted=["DNS:corp.test"]),
    constrained("a name that ends like a permitted one", MALFORMED, ["DNS:acorp.test"],
                permitted=["DNS:corp.test"]),
    constrained("excluded DNS name", MALFORMED, ["DNS:a.corp.test"],
                excluded=["DNS:corp.test"]),
    constrained("excluded DNS name in upper case", MALFORMED, ["DNS:A.CORP.test"],
                excluded=["DNS:corp.test"]),
    constrained("not an excluded DNS name", Accepted(), ["DNS:a.test"],
                excluded=["DNS:corp.test"]),
    constrained("a wildcard over what is excluded", MALFORMED, ["DNS:*.corp.test"],
                excluded=["DNS:a.corp.test"]),
    constrained("permitted addresses", Accepted(), ["IP:10.1.2.3"],
                permitted=["IP:10.0.0.0/8"]),
    constrained("not a permitted address", MALFORMED, ["IP:11.1.2.3"],
                permitted=["IP:10.0.0.0/8"]),
    constrained("excluded address", MALFORMED, ["IP:10.1.2.3"], excluded=["IP:10.0.0.0/8"]),
    constrained("an IPv6 address where IPv4 ones are permitted", MALFORMED, ["IP:fd00::1"],
                permitted=["IP:10.0.0.0/8"]),
    constrained("excluded address as IPv6", MALFORMED, ["IP:::ffff:10.1.2.3"],
                excluded=["IP:10.0.0.0/8"]),
    constrained("permitted address as IPv6, which wolfSSL does not take for one", MALFORMED,
                ["IP:::ffff:10.1.2.3"], permitted=["IP:10.0.0.0/8"]),
    constrained("an IPv4 address as IPv6 where IPv6 ones are permitted", MALFORMED,
                ["IP:::ffff:10.1.2.3"], permitted=["IP:::/0"]),
    constrained("an IPv4 address as IPv6 where IPv6 ones are excluded", MALFORMED,
                ["IP:::ffff:10.1.2.3"], excluded=["IP:::/0"]),
    constrained("permitted URI hosts", Accepted(), ["URI:spiffe://corp.test/a"],
                permitted=["URI:corp.test"]),
    constrained("not a permitted URI host", MALFORMED, ["URI:spiffe://other.test/a"],
                permitted=["URI:corp.test"]),
    constrained("excluded URI host", MALFORMED, ["URI:spiffe://corp.test/a"],
                excluded=["URI:corp.test"]),
    constrained("URI hosts below a domain", Accepted(), ["URI:spiffe://a.corp.test/a"],
                permitted=["URI:.corp.test"]),
    constrained("permitted directory names", Accepted(), permitted=["DIR:O=Test"]),
    constrained("not a permitted directory name", MALFORMED, subject="O=Other,CN=peer",
                permitted=["DIR:O=Test"]),
    constrained("excluded directory name", MALFORMED, excluded=["DIR:O=Test"]),
    constrained("excluded directory name in another case", MALFORMED,
                excluded=["DIR:O=tEST"]),
    constrained("excluded directory name with more spaces", MALFORMED,
                excluded=["DIR:O= Test ,CN=a  test"], subject="O=Test,CN= A test"),
    constrained("not an excluded directory name", Accepted(),
                excluded=["DIR:O=Test,CN=atest"], subject="O=Test,CN=a test"),
    constrained("address in the subject, excluded", MALFORMED, ["DNS:db.test"],
                excluded=["email:corp.test"],
                subject="O=Test,emailAddress=x@CORP.test,CN=peer"),
    constrained("address in the subject, not permitted", MALFORMED, None,
                permitted=["email:corp.test"],
                subject="O=Test,emailAddress=x@evil.test,CN=peer"),
    constrained("address in the subject, permitted", Accepted(), None,
                permitted=["email:corp.test"],
                subject="O=Test,emailAddress=x@corp.test,CN=peer"),
    constrained("address in the subject, at another host", Accepted(), ["DNS:db.test"],
                excluded=["email:corp.test"],
                subject="O=Test,emailAddress=x@other.test,CN=peer"),
    constrained("constraints of another kind", Accepted(), ["DNS:a.test"],
                permitted=["IP:10.0.0.0/8"]),
    constrained("constraints, and a common name alone", MALFORMED, None, permitted=["DNS:corp.test"]),
    Case("constraints two CAs up", leaf(authority("below", authority(
        "constrained", ROOT, extensions=[name_constraints(["DNS:corp.test"])])),
        san=["DNS:a.test"]), MALFORMED, outbound="verify = chain"),
    Case("constraints of the root", leaf(authority("tight", extensions=[
        name_constraints(["DNS:corp.test"])]), san=["DNS:a.test"]), MALFORMED,
         outbound="verify = chain",
         trust=(authority("tight", extensions=[name_constraints(["DNS:corp.test"])]), ROOT)),
]

if __name__ == "__main__":
    main(CASES)
