#!/usr/bin/env python3
"""A socket that a program closes is gone from its epoll instances, too, though the library
has it in hand at that moment: else its events would be taken for those of whichever
connection gets its number next."""

import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from harness import MARKER, Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402

ROUNDS = 40  # the library's thread and the program race for the last flight


def test_gone_from_epoll(bed: Bed):
    bed.pair()
    server = bed.serve(bed.python("spins.py", bed.port), stdin=subprocess.PIPE)
    context = odd.client_context(bed.authority, bed.client_cert)
    said = b""
    for _ in range(ROUNDS):
        server.process.stdin.write(b"next\n")
        with socket.create_connection(("127.0.0.1", bed.port), timeout=20) as conn:
            peer = odd.Stepped(conn, context, server_hostname="localhost")
            peer.handshake()
            said += b"here\n"
            wait_until(lambda: server.out == said, "the server's word")
            peer.tls.write(MARKER)
            peer.end()
            peer.flush()
            conn.shutdown(socket.SHUT_WR)
            wait_until(lambda: server.out[len(said):].endswith(b"\n"), "the close")
            equal(server.out[len(said):], b"%d\n" % len(MARKER), "what epoll still watches")
            said = server.out


if __name__ == "__main__":
    main(globals(), needs_shim=True)
