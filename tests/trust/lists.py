#!/usr/bin/env python3
"""Who is let in: allow and deny of each kind, and SPIFFE identities."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import hashlib  # noqa: E402

from papers import authority, leaf  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

NOT_ALLOWED = Refused("denied_by_allow", "access_denied", "EACCES")
DENIED = Refused("denied_by_deny", "access_denied", "EACCES")
NOT_SVID = NOT_ALLOWED
SOMEBODY = leaf(ROOT, subject="O=Corp,OU=shop,CN=cart-1", san=["DNS:cart.shop.test",
                "URI:spiffe://corp/ns/shop/sa/cart", "DNS:localhost", "IP:127.0.0.1"])


def allow(name, entry, want, paper=SOMEBODY):
    return Case(f"allow {name}", paper, want, rule=f"allow = {entry}")


def deny(name, entry, want, paper=SOMEBODY, more=""):
    return Case(f"deny {name}", paper, want, rule=f"deny = {entry}\n{more}")


def svid(name, uri, pattern, want, **words):
    """A row: a certificate with this URI, or these, where the pattern is allowed."""
    uris = [uri] if isinstance(uri, str) else uri
    words = {"san": ["URI:" + one for one in uris], **words}
    return Case("SPIFFE: " + name, leaf(ROOT, **words), want, outbound="verify = identity",
                rule=f"allow = uri:{pattern}")


def sha256(paper):
    return hashlib.sha256(paper.der).hexdigest()


def spki(paper):
    return hashlib.sha256(paper.public_key).hexdigest()


def cases():
    """With hashes of certificates, so the folder must be there."""
    return [
        allow("dns", "dns:cart.shop.test", Accepted()),
        allow("dns glob", "dns:*.shop.test", Accepted()),
        allow("dns glob over two labels", "dns:*.test.test", NOT_ALLOWED),
        allow("dns of another", "dns:web.shop.test", NOT_ALLOWED),
        allow("dns against a URI", "dns:corp", NOT_ALLOWED),
        allow("uri", "uri:spiffe://corp/ns/shop/sa/cart", Accepted()),
        allow("uri of another", "uri:spiffe://corp/ns/shop/sa/web", NOT_ALLOWED),
        allow("cn", "cn:cart-?", Accepted()),
        allow("cn of another", "cn:web-?", NOT_ALLOWED),
        allow("cn against a DNS name", "cn:cart.shop.test", NOT_ALLOWED),
        allow("ou", "ou:shop", Accepted()),
        allow("ou of another", "ou:billing", NOT_ALLOWED),
        allow("o", "o:Corp", Accepted()),
        allow("o of another", "o:Test", NOT_ALLOWED),
        allow("issuer", "issuer:CN=root?O=Test", Accepted()),
        allow("issuer of another", "issuer:CN=other?O=Test", NOT_ALLOWED),
        allow("sha256", "sha256:" + sha256(SOMEBODY), Accepted()),
        allow("sha256 of another", "sha256:" + sha256(ROOT), NOT_ALLOWED),
        allow("spki", "spki:" + spki(SOMEBODY), Accepted()),
        allow("spki of another", "spki:" + spki(ROOT), NOT_ALLOWED),
        allow("serial", "serial:" + SOMEBODY.hex_serial, Accepted()),
        allow("serial of another", "serial:123456", NOT_ALLOWED),
        allow("one of several entries", "cn:web, ou:none, dns:cart.shop.test", Accepted()),
        allow("none of several entries", "cn:web, ou:none, dns:web.shop.test", NOT_ALLOWED),
        allow("cn of one with two", "cn:second", Accepted(),
              leaf(ROOT, subject="CN=first,CN=second")),

        deny("dns", "dns:*.shop.test", DENIED),
        deny("dns of another", "dns:web.shop.test", Accepted()),
        deny("dns behind a wildcard", "dns:cart.shop.test", DENIED,
             leaf(ROOT, san=["DNS:*.shop.test", "IP:127.0.0.1"])),
        deny("uri", "uri:spiffe://corp/ns/shop/sa/*", DENIED),
        deny("cn", "cn:cart-*", DENIED),
        deny("ou", "ou:shop", DENIED),
        deny("o", "o:Corp", DENIED),
        deny("o of another", "o:Test", Accepted()),
        deny("issuer", "issuer:CN=root*", DENIED),
        deny("sha256", "sha256:" + sha256(SOMEBODY), DENIED),
        deny("spki", "spki:" + spki(SOMEBODY), DENIED),
        deny("serial", "serial:" + SOMEBODY.hex_serial, DENIED),
        deny("serial of another", "serial:123456", Accepted()),
        deny("wins over allow", "ou:shop", DENIED, more="allow = cn:cart-1"),
        deny("of another, and allow", "ou:web", Accepted(), more="allow = cn:cart-1"),
        deny("of another, and not in allow", "ou:web", NOT_ALLOWED, more="allow = cn:web"),

        svid("itself", "spiffe://corp/ns/shop/sa/cart", "spiffe://corp/ns/shop/sa/cart",
             Accepted({"peer_san": "URI:spiffe://corp/ns/shop/sa/cart"})),
        svid("a path's part", "spiffe://corp/ns/shop/sa/cart", "spiffe://corp/ns/*/sa/cart",
             Accepted()),
        svid("a glob stays within a part", "spiffe://corp/ns/shop/x/sa/cart",
             "spiffe://corp/ns/*/sa/cart", NOT_ALLOWED),
        svid("a longer path", "spiffe://corp/ns/shop/sa/cart/admin",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("a longer last part", "spiffe://corp/ns/shop/sa/cart2",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("a shorter path", "spiffe://corp/ns/shop", "spiffe://corp/ns/shop/*",
             NOT_ALLOWED),
        svid("an empty part", "spiffe://corp/ns//sa/cart", "spiffe://corp/ns/*/sa/cart",
             NOT_ALLOWED),
        svid("another trust domain", "spiffe://evil/ns/shop/sa/cart",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("a trust domain that begins so", "spiffe://corp.evil/ns/shop/sa/cart",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("a trust domain behind user info", "spiffe://corp@evil/ns/shop/sa/cart",
             "spiffe://*/ns/shop/sa/cart", NOT_SVID),
        svid("a trust domain with a port", "spiffe://corp:1/ns/shop/sa/cart",
             "spiffe://*/ns/shop/sa/cart", NOT_SVID),
        svid("trust domain in upper case", "spiffe://CORP/ns/shop/sa/cart",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("path in another case", "spiffe://corp/ns/Shop/sa/cart",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("scheme in upper case", "SPIFFE://corp/ns/shop/sa/cart",
             "spiffe://corp/ns/shop/sa/cart", NOT_ALLOWED),
        svid("dots in the path", "spiffe://corp/ns/other/../shop",
             "spiffe://corp/ns/other/*/shop", NOT_SVID),
        svid("percent signs in the path", "spiffe://corp/ns/sh%6fp",
             "spiffe://corp/ns/sh%6fp", NOT_SVID),
        svid("a slash at the end", "spiffe://corp/ns/shop/", "spiffe://corp/ns/shop/",
             NOT_SVID),
        svid("a query", "spiffe://corp/ns/shop?x", "spiffe://corp/ns/shop?x", NOT_SVID),
        svid("two URIs", ["spiffe://corp/ns/shop/sa/cart", "spiffe://corp/ns/shop/sa/web"],
             "spiffe://corp/ns/shop/sa/cart", NOT_SVID),
        svid("two URIs, the other is no SPIFFE ID", ["https://corp/", "spiffe://corp/a"],
             "spiffe://corp/a", NOT_SVID),
        svid("two URIs, and the pattern is for the other", ["https://corp/", "spiffe://corp/a"],
             "https://corp/", Accepted()),
        svid("a URI and DNS names", "", "spiffe://corp/a", Accepted(),
             san=["DNS:a.test", "URI:spiffe://corp/a", "DNS:b.test"]),
        svid("a CA's certificate", "spiffe://corp/a", "spiffe://corp/a", NOT_SVID, ca=True,
             usage=["digitalSignature"]),
        svid("a certificate that may sign others", "spiffe://corp/a", "spiffe://corp/a",
             Refused("bad_certificate", "bad_certificate"),
             usage=["digitalSignature", "keyCertSign"]),
        svid("a certificate that may sign lists", "spiffe://corp/a", "spiffe://corp/a",
             NOT_SVID, usage=["digitalSignature", "cRLSign"]),
        Case("SPIFFE: two URIs, and deny names one", leaf(ROOT, san=[
            "URI:spiffe://corp/a", "URI:spiffe://corp/b", "IP:127.0.0.1"]), DENIED,
             rule="deny = uri:spiffe://corp/b"),
        Case("SPIFFE: a CA of one's own trust domain", leaf(authority(
            "trust-domain", ROOT, extensions=[]), san=["URI:spiffe://corp/a"]), Accepted(),
             outbound="verify = identity", rule="allow = uri:spiffe://corp/a"),
    ]


if __name__ == "__main__":
    main(cases)
