#!/usr/bin/env python3
"""Sockets that two processes have before one of them connects (programs/unconnected.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import PLAIN, Bed, equal, main  # noqa: E402


def talk(bed: Bed, client, rule="", host="*"):
    bed.pair(default_outbound="plaintext")
    if host != "*":
        with open(bed.client_policy, encoding="ascii") as file:
            bed.write("client.ini", file.read().replace("remote = *:", f"remote = {host}:"))
    if rule:
        bed.server_policy = bed.policy("server", f"[inbound test]\nlocal = *:*\n{rule}")
        bed.client_policy = bed.policy("client", f"[outbound test]\nremote = *:*\n{rule}"
                                       "[outbound other]\nremote = 192.0.2.1:*\nmode = deny\n")
    server = bed.serve(bed.python("unconnected.py", "server", bed.port))
    bed.client(bed.python("unconnected.py", client, bed.relay.port))
    equal(server.ok().out, b"fine\n", "the server")
    if not rule:
        bed.check_all()
    return bed


def is_told(bed):
    if not PLAIN:
        detail = bed.audited("client", event="denied", rule="test")["detail"]
        equal("another process has connected" in detail, True, detail)


def test_fork(bed):
    is_told(talk(bed, "client_fork"))


def test_passed(bed):
    is_told(talk(bed, "client_passed"))


def test_exec(bed):
    is_told(talk(bed, "client_exec"))


def test_loading(bed):
    is_told(talk(bed, "client_loading"))


def test_system(bed):
    is_told(talk(bed, "client_system"))


def test_named(bed):
    """The rule is about a name, which only the process that has connected it knows of."""
    is_told(talk(bed, "client_loading", host="localhost"))


def test_again(bed):
    is_told(talk(bed, "client_again"))


def test_plaintext(bed):
    talk(bed, "client_plaintext", "mode = plaintext\n")


if __name__ == "__main__":
    main(globals(), needs_shim=["fork", "passed", "exec", "loading", "system", "named",
                                  "again"])
