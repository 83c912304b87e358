#!/usr/bin/env python3
"""Event loops, readiness, timeouts and flags (programs/loops.py, readiness.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import procs  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def talk(bed: Bed, server, client, at_least=1, script="readiness.py"):
    bed.pair()
    one = bed.serve(bed.python(script, server, bed.port))
    other = bed.client(bed.python(script, client, bed.relay.port))
    equal(one.ok().out, b"fine\n", "the server")
    equal(other.out, b"fine\n", "the client")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    bed.check_all(at_least=at_least)


def test_select(bed):
    talk(bed, "server_select", "client_echoes", 8, "loops.py")


def test_poll(bed):
    talk(bed, "server_poll", "client_echoes", 8, "loops.py")


def test_epoll_level(bed):
    talk(bed, "server_epoll", "client_echoes", 8, "loops.py")


def test_epoll_edge(bed):
    talk(bed, "server_epoll_edge", "client_echoes", 8, "loops.py")


def test_selectors(bed):
    talk(bed, "server_selectors", "client_echoes", 8, "loops.py")


def test_asyncio(bed):
    talk(bed, "server_asyncio", "client_asyncio", 8, "loops.py")


def test_exact_readiness(bed):
    talk(bed, "server_bursts", "client_exact_readiness")


def test_flags_and_vectors(bed):
    talk(bed, "server_bursts", "client_flags")


def test_receive_timeout(bed):
    talk(bed, "server_bursts", "client_receive_timeout")


def test_interrupted_by_signals(bed):
    talk(bed, "server_bursts", "client_interrupted")


def test_non_blocking_connect(bed):
    talk(bed, "server_bursts", "client_non_blocking_connect")


def test_sendfile(bed):
    talk(bed, "server_sendfile", "client_sendfile")


def test_many_connections_leak_nothing(bed):
    talk(bed, "server_many", "client_many", 501)


def test_connect_refused(bed):
    bed.pair()
    bed.relay.close()
    port = procs.free_port()
    policy = bed.policy("client", f"[outbound test]\nremote = *:{port}\nmode = mtls\n"
                        "identity = own\n", {"own": bed.client_cert})
    client = bed.start("client", bed.python("readiness.py", "client_connect_refused", port),
                       policy)
    equal(client.ok().out, b"fine\n", "the client")


def test_so_error_after_a_failed_handshake(bed):
    with odd.raw_server(lambda conn: conn.sendall(b"220 mail.test ESMTP\r\n")) as server:
        policy = bed.policy("client", f"[outbound test]\nremote = *:{server.port}\n"
                            "mode = mtls\nidentity = own\n", {"own": bed.client_cert})
        client = bed.start("client", bed.python("readiness.py", "client_failed_handshake",
                                                server.port), policy)
        equal(client.ok().out, b"fine\n", "the client")


if __name__ == "__main__":
    main(globals(), needs_shim=["so_error_after_a_failed_handshake"])
