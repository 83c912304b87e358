#!/usr/bin/env python3
"""A TLS 1.3 server's tickets come after the handshake, when it likes to send them: a program
that closes without a read ends its connection as on plain TCP all the same, with nothing
lost on the way and no reset.  The server is OpenSSL over memory buffers, so that each byte
of its tickets comes when the test says so."""

import os
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from harness import MARKER, Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


class Server:
    """One connection, step by step."""

    def __init__(self, bed: Bed):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.context = odd.server_context(bed.authority, bed.server_cert)
        bed.pair(port=self.listener.getsockname()[1])
        self.client = bed.start("client", bed.python("again.py", bed.port),
                                bed.client_policy, stdin=subprocess.PIPE)

    def tell(self, line):
        self.client.process.stdin.write(line + b"\n")

    def handshake(self):
        """Until the tickets are made; returns them as they would go out."""
        self.conn = self.listener.accept()[0]
        self.peer = odd.Stepped(self.conn, self.context, server_side=True)
        self.peer.handshake()
        return self.peer.goes.read()

    def read(self):
        """What the client's program has written, and how its end looks."""
        got = b""
        while True:
            try:
                chunk = self.peer.tls.read(4096)
            except ssl.SSLWantReadError:
                try:
                    more = self.conn.recv(65536)
                except OSError as error:
                    return got, type(error).__name__
                if not more:
                    return got, "cut"
                self.peer.came.write(more)
                continue
            except ssl.SSLZeroReturnError:
                return got, "eof"
            if not chunk:
                return got, "eof"
            got += chunk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.conn.close()
        self.listener.close()


def check_end(server):
    equal(server.read(), (MARKER + b"\n", "eof"), "what the server read")
    equal(server.conn.recv(100), b"", "behind close_notify")


def sockets(program):
    """Those of a process, by their inodes."""
    folder = f"/proc/{program.process.pid}/fd"
    names = set()
    for fd in os.listdir(folder):
        try:
            names.add(os.readlink(os.path.join(folder, fd)))
        except FileNotFoundError:
            pass
    return {name for name in names if name.startswith("socket:")}


def closes(bed, before, late_seconds=None):
    """The client closes with `before` of the tickets' bytes there (of 1), and the rest comes
    while it lingers, or when that is over."""
    with Server(bed) as server:
        bed.audited("client", event="policy_loaded")
        own = sockets(server.client)
        server.tell(b"127.0.0.1 hold")
        tickets = server.handshake()
        cut = int(len(tickets) * before)
        equal(len(tickets) > 200, True, f"{len(tickets)} bytes of tickets")
        server.conn.sendall(tickets[:cut])
        wait_until(lambda: server.client.out == b"holds\n", "the client's word")
        server.tell(b"go on")
        wait_until(lambda: server.client.out == b"holds\ndropped\n", "the client's close")
        if late_seconds is not None:
            wait_until(lambda: sockets(server.client) <= own, "the end of lingering",
                       late_seconds)
        server.conn.sendall(tickets[cut:])
        check_end(server)


def test_none_before(bed):
    closes(bed, 0)


def test_half_before(bed):
    closes(bed, 0.3)


def test_all_but_a_byte_before(bed):
    closes(bed, 0.999)


def test_all_before(bed):
    closes(bed, 1)


def test_after_lingering(bed):
    closes(bed, 0, late_seconds=10)


def test_half_after_lingering(bed):
    closes(bed, 0.3, late_seconds=10)


def test_exit(bed):
    """The same for a program that ends."""
    with Server(bed) as server:
        server.tell(b"127.0.0.1 hold")
        tickets = server.handshake()
        server.conn.sendall(tickets[:100])
        wait_until(lambda: server.client.out == b"holds\n", "the client's word")
        server.client.process.stdin.close()
        server.client.process.wait(20)
        server.conn.sendall(tickets[100:])
        check_end(server)


if __name__ == "__main__":
    main(globals(), needs_shim=True)
