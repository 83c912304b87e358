#!/usr/bin/env python3
"""What a peer shows beside the path from a trust anchor to its own certificate: nobody looks
whether that was revoked or has expired, and no responder is asked that it names, since
anybody may have written it. What is on the path counts wherever it stands."""

import os
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ocsp  # noqa: E402
from papers import authority, bundle, directory, extension, leaf, oid  # noqa: E402
from papers import revocation_list, seq, tlv  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, check, main, play  # noqa: E402

SUB = authority("sub", ROOT)
REVOKED_SUB = authority("revoked-sub", ROOT)
STRANGER = authority("stranger")
ELSEWHERE = leaf(STRANGER, subject="O=Test,CN=elsewhere")
EXPIRED = leaf(ROOT, subject="O=Test,CN=expired", days=(-9, -1))
EXPIRED_SUB = authority("expired-sub", ROOT, days=(-9, -1))
GONE = leaf(ROOT, subject="O=Test,CN=gone", serial=4711)

REVOKED = Refused("revoked", "certificate_revoked")
FAILED = Refused("ocsp_failed", "certificate_unknown")

PLAYS = {}  # filled in by cases()


def asking(url):
    """Authority information access (RFC 5280, section 4.2.2.1)."""
    about = seq(oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, url.encode()))
    return (extension("1.3.6.1.5.5.7.1.1", seq(about)),)


def by_lists():
    lists = directory(revocation_list(ROOT, [GONE, REVOKED_SUB]), revocation_list(SUB),
                      revocation_list(REVOKED_SUB), bundle(SUB), bundle(REVOKED_SUB))

    def row(name, paper, want, **more):
        return Case(name, paper, want, identity=f"crl = {lists}\n", **more)

    cross = SUB.but(issuer=REVOKED_SUB)
    return [
        row("a revoked certificate beside", leaf(ROOT, chain=[GONE]), Accepted()),
        row("a revoked CA beside", leaf(SUB, chain=[REVOKED_SUB, SUB]), Accepted()),
        row("nobody's list for what is beside", leaf(SUB, chain=[SUB, ELSEWHERE, STRANGER]),
            Accepted()),
        row("a revoked CA on the path", leaf(REVOKED_SUB, chain=[GONE, SUB, REVOKED_SUB]),
            REVOKED),
        row("revoked itself, with others beside", GONE.but(chain=[SUB]), REVOKED),
        row("a revoked CA on another path, that is not taken", leaf(SUB, chain=[
            SUB, cross, REVOKED_SUB]), Accepted()),
        row("the root, sent as well", leaf(SUB, chain=[SUB, ROOT]), Accepted()),
    ]


def by_dates():
    return [
        Case("an expired certificate beside", leaf(ROOT, chain=[EXPIRED]), Accepted()),
        Case("an expired CA beside", leaf(SUB, chain=[EXPIRED_SUB, SUB]), Accepted()),
        Case("an expired CA on the path", leaf(EXPIRED_SUB, chain=[SUB, EXPIRED_SUB]),
             Refused("expired", "certificate_expired")),
    ]


def owner(paper):
    return types.SimpleNamespace(pem=paper.pem(), key=paper.key_path)


def cases():
    """The responders live as long as the rows."""
    root = owner(ROOT)
    good = ocsp.Responder(lambda body: ocsp.answer(ocsp.Request(body), root))
    fake = ocsp.Responder(lambda body: ocsp.refusal(3))
    asked = ocsp.Responder(lambda body: ocsp.refusal(3))
    lures = [leaf(STRANGER, subject="O=Test,CN=lure", extensions=asking(fake.url)),
             leaf(ROOT, subject="O=Test,CN=other", extensions=asking(fake.url)),
             authority("lure-ca", ROOT, extensions=asking(fake.url))]
    asked_sub = authority("asked-sub", ROOT, extensions=asking(asked.url))

    def unasked(stage, run):
        """Who would have been asked would have been waited for: require."""
        play(stage, run)
        check(not fake.requests, "a responder was asked that the peer has made up")

    def was_asked(stage, run):
        play(stage, run)
        check(asked.requests, "the responder of a CA on the path was not asked")

    rows = []
    for lure in lures:
        rows.append(Case(f"beside it, {lure.subject} names a responder",
                         leaf(ROOT, chain=[lure], extensions=asking(good.url)), Accepted(),
                         identity="ocsp = require\n"))
        PLAYS[rows[-1].name] = unasked
    rows.append(Case("on the path, a CA names a responder",
                     leaf(asked_sub, chain=[*lures, asked_sub], extensions=asking(good.url)),
                     FAILED, identity="ocsp = require\n"))
    PLAYS[rows[-1].name] = was_asked
    return [*by_lists(), *by_dates(), *rows]


if __name__ == "__main__":
    main(cases, PLAYS)
