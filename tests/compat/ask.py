#!/usr/bin/env python3
"""What programs that know of the shim learn by getsockopt() (shim/mtls_shim.h)."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402

CONNECTING, HANDSHAKING, OPEN, FAILED = range(4)
UNKNOWN_LEVEL = "EOPNOTSUPP"  # Linux's own answer on an IPv4 socket
PEER = ("peer_subject", "peer_san", "peer_sha256", "peer_serial", "peer_issuer",
        "tls_version", "cipher", "rule")


def lines(program):
    return [json.loads(line) for line in program.out.splitlines()]


def told(program, when):
    return next(line for line in lines(program) if line["when"] == when)


def ask_both(bed: Bed, policies=True, **how):
    """Runs both ends; returns them."""
    bed.pair(**how)
    if not policies:
        bed.server_policy = bed.client_policy = None
    server = bed.serve(bed.python("ask.py", "serve", bed.port))
    client = bed.client(bed.python("ask.py", "dial", "127.0.0.1", bed.port))
    server.ok()
    return server, client


def check_same_as_log(bed, name, line):
    """An open connection's answers are what the audit log says of it."""
    logged = bed.audited(name, event="handshake_ok")
    for option, field in (("peer_subject", "peer_subject"), ("peer_san", "peer_san"),
                          ("peer_sha256", "peer_sha256"), ("peer_serial", "peer_serial"),
                          ("peer_issuer", "issuer"), ("tls_version", "version"),
                          ("cipher", "cipher"), ("rule", "rule")):
        equal(line[option], logged.get(field, ""), f"{name}: {option}")
    equal(line["state"], OPEN, f"{name}: state")
    equal(line["unknown"], "ENOPROTOOPT", "an unknown option")
    equal(line["little_room"], "ERANGE", "little room")
    equal(line["just_room"], line["peer_sha256"], "just enough room")
    equal(line["set"], "ENOPROTOOPT", "setsockopt")


def test_both_ends_know_the_other(bed):
    server, client = ask_both(bed)
    for name, program in (("server", server), ("client", client)):
        opened = [line for line in lines(program) if line["when"] == "open"]
        equal(len(opened), 2, "a socket and its duplicate")
        for line in opened:
            check_same_as_log(bed, name, line)
        check_same_as_log(bed, name, told(program, "end"))


def test_not_before_the_handshake(bed):
    _, client = ask_both(bed)
    equal({told(client, "new")[name] for name in ("state", *PEER)}, {UNKNOWN_LEVEL}, "new")
    begun = told(client, "begun")
    if begun["state"] in (CONNECTING, HANDSHAKING):  # it may be done by then
        equal(begun["peer_sha256"], "EINPROGRESS", "begun")


def test_refused_peer_is_not_told(bed):
    server, client = ask_both(bed, server_rule="allow = cn:nobody\n")
    end = told(server, "end")
    equal(end["state"], FAILED, "state")
    equal({end[name] for name in PEER}, {"EACCES"}, "what is told of a refused peer")
    equal([line for line in lines(client) if line["when"] == "open"], [], "the client's end")


def test_silent_peer(bed):
    """While the peer says nothing: under way, then timed out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        policy = bed.policy("client", f"[outbound test]\nremote = *:{port}\nmode = mtls\n"
                            "identity = own\n", {"own": bed.client_cert},
                            handshake_timeout="500ms")
        client = bed.start("client", bed.python("ask.py", "dial", "127.0.0.1", port),
                           policy).ok()
    begun, end = told(client, "begun"), told(client, "end")
    equal(begun["state"] in (CONNECTING, HANDSHAKING), True, f"begun: {begun['state']}")
    equal({begun[name] for name in PEER}, {"EINPROGRESS"}, "begun")
    equal(end["state"], FAILED, "state")
    equal({end[name] for name in PEER}, {"ETIMEDOUT"}, "end")


def test_plain_connection(bed):
    """The kernel's own answer where nothing is governed, or nobody is there to ask."""
    for program in ask_both(bed, policies=False):
        for line in lines(program):
            equal({value for key, value in line.items() if key not in ("when", "set")},
                  {UNKNOWN_LEVEL}, line["when"])


def test_plaintext_rule(bed):
    rule = "[{0} test]\n{1} = *:{2}\nmode = plaintext\n"
    bed.pair()
    bed.server_policy = bed.policy("server", rule.format("inbound", "local", bed.port))
    bed.client_policy = bed.policy("client", rule.format("outbound", "remote", bed.port))
    server = bed.serve(bed.python("ask.py", "serve", bed.port))
    client = bed.client(bed.python("ask.py", "dial", "127.0.0.1", bed.port))
    for program in (server.ok(), client):
        for line in lines(program):
            equal(line["peer_sha256"], UNKNOWN_LEVEL, line["when"])


if __name__ == "__main__":
    main(globals(), needs_shim=("both_ends_know_the_other", "refused_peer_is_not_told",
                                "silent_peer"))
