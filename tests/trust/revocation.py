#!/usr/bin/env python3
"""Revocation lists. More of them, and lists that are not taken at all: compat/revoked.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from papers import authority, bundle, directory, leaf, revocation_list  # noqa: E402
from trust import ROOT, Accepted, Case, Refused, main  # noqa: E402

SUB = authority("sub", ROOT)
PEER = leaf(ROOT)
BELOW = leaf(SUB)
OTHER = leaf(ROOT, subject="O=Test,CN=other")

REVOKED = Refused("revoked", "certificate_revoked")
UNKNOWN = Refused("revocation_unknown", "certificate_unknown")
OLD = Refused("crl_expired", "certificate_unknown")


def listed(name, paper, want, *lists, more=""):
    """A row: a peer where these lists are known; several are a directory."""
    crl = lists[0] if len(lists) == 1 else directory(*lists)
    return Case(name, paper, want, identity=f"crl = {crl}\n{more}")


def cases():
    """Lists are made for the rows."""
    of_root = revocation_list(ROOT)
    of_sub = revocation_list(SUB)
    sub = bundle(SUB)
    return [
        Case("no lists", PEER, Accepted()),
        listed("not revoked", PEER, Accepted(), revocation_list(ROOT, [OTHER])),
        listed("revoked", PEER, REVOKED, revocation_list(ROOT, [PEER])),
        listed("revoked among others", PEER, REVOKED,
               revocation_list(ROOT, [OTHER, PEER, SUB])),
        listed("an empty list", PEER, Accepted(), of_root),
        listed("DER", PEER, REVOKED, revocation_list(ROOT, [PEER], der=True)),
        listed("DER, not revoked", PEER, Accepted(), revocation_list(ROOT, der=True)),
        listed("a directory", BELOW, Accepted(), of_root, of_sub, sub),
        listed("a directory, revoked below", BELOW, REVOKED, of_root,
               revocation_list(SUB, [BELOW]), sub),
        listed("revoked intermediate CA", BELOW, REVOKED, revocation_list(ROOT, [SUB]),
               of_sub, sub),
        listed("revoked intermediate CA, and no list of its own", BELOW,
               UNKNOWN, revocation_list(ROOT, [SUB])),
        listed("revoked intermediate CA that is not sent", leaf(SUB, chain=[]),
               Refused("unknown_ca", "unknown_ca"), revocation_list(ROOT, [SUB]), of_sub, sub),
        listed("no list of the intermediate CA", BELOW, UNKNOWN, of_root),
        listed("no list of the root", BELOW, UNKNOWN, of_sub, sub),
        listed("out of date", PEER, OLD, revocation_list(ROOT, days=(-9, -1))),
        listed("out of date, and revoked", PEER, REVOKED,
               revocation_list(ROOT, [PEER], days=(-9, -1))),
        listed("out of date and used", PEER, Accepted(),
               revocation_list(ROOT, days=(-9, -2)), more="crl_expired = warn"),
        listed("out of date and used, revoked", PEER, REVOKED,
               revocation_list(ROOT, [PEER], days=(-9, -2)), more="crl_expired = warn"),
        listed("crl_expired = refuse", PEER, OLD, revocation_list(ROOT, days=(-9, -3)),
               more="crl_expired = refuse"),
        listed("an old list beside a new one", PEER, Accepted(),
               revocation_list(ROOT, days=(-9, -4)), of_root),
        Case("a CA of the same name and another key: its list is not asked",
             leaf(ROOT.but(label="root-2")), UNKNOWN,
             trust=(ROOT.but(label="root-2"), authority("third"), ROOT),
             identity=f"crl = {revocation_list(authority('third'))}"),
        listed("revoked serial of another CA", PEER, Accepted(),
               of_root,
               revocation_list(SUB, [PEER]), sub),
    ]


if __name__ == "__main__":
    main(cases)
