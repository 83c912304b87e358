#!/usr/bin/env python3
"""Connections that a program is started with: by inetd on fd 0, by systemd on fd 3."""

import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from harness import MTLS_RUN, PLAIN, Bed, equal, main  # noqa: E402

IDENTITY = 'echo "$MTLS_PEER_SUBJECT $MTLS_PEER_URI"; cat'


class SuperServer:
    """Accepts in plaintext, as inetd does, and starts a program for each connection."""

    def __init__(self, bed: Bed, argv, rule="mode = mtls\nidentity = own\n", systemd=False,
                 stderr_too=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.policy = bed.policy("server", f"[inbound test]\nlocal = *:{self.port}\n{rule}",
                                 {"own": bed.server_cert} if "own" in rule else None)
        self.argv = argv if PLAIN else [MTLS_RUN, "-p", self.policy, "--", *argv]
        self.systemd = systemd
        self.stderr_too = stderr_too
        self.errors = open(bed.path("server.err"), "wb")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _start(self, conn):
        env = {key: value for key, value in os.environ.items() if not key.startswith("MTLS_")}
        env["MTLS_PEER_SUBJECT"] = "CN=forged"
        if not self.systemd:
            return subprocess.Popen(self.argv, stdin=conn, stdout=conn, env=env,
                                    stderr=conn if self.stderr_too else self.errors)
        env["LISTEN_FDS"] = "1"

        def place():
            os.dup2(conn.fileno(), 3)
        return subprocess.Popen(self.argv, env=env, stdin=subprocess.DEVNULL,
                                stderr=self.errors, preexec_fn=place, pass_fds=(3,))

    def _serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, self._start(conn) as child:
                conn.close()
                child.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)
        self.errors.close()


def talk(port, context, text=b"hello"):
    """Sends text, ends, and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost",
                                 suppress_ragged_eofs=False) as conn:
            conn.sendall(text)
            got = b""
            while len(got) == 0 or not got.endswith(text):
                got += conn.recv(4096)
            conn.unwrap()
            return got


def inetd(bed, shell):
    context = odd.client_context(bed.authority, bed.client_cert)
    with SuperServer(bed, [shell, "-c", IDENTITY]) as server:
        for _ in range(3):
            equal(talk(server.port, context),
                  b"CN=client,O=Test spiffe://test/client\nhello", "what came back")
    equal(len(bed.audit("server", event="handshake_ok")), 3, "handshakes")


def test_inetd(bed):
    inetd(bed, "sh")


def test_inetd_bash(bed):
    """It takes the environment that main() is given, and has a setenv() of its own."""
    inetd(bed, "bash")


def test_inetd_with_several_uris(bed):
    """Which of them the client is nobody can say."""
    several = bed.authority.issue("several", "URI:spiffe://test/a,DNS:a,URI:spiffe://test/b",
                                  "clientAuth")
    with SuperServer(bed, ["sh", "-c", IDENTITY]) as server:
        equal(talk(server.port, odd.client_context(bed.authority, several)),
              b"CN=several,O=Test \nhello", "what came back")


def test_inetd_refuses(bed):
    """Without a certificate nobody gets a byte of the program."""
    with SuperServer(bed, ["sh", "-c", IDENTITY]) as server:
        answer = odd.dial(server.port, odd.client_context(bed.authority))
        equal(answer.data, b"", "what the client was sent")
        bed.audited("server", event="handshake_failed", reason="no_certificate")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            plain.sendall(b"hello\n")
            try:
                got = plain.recv(4096)
            except ConnectionResetError:
                got = b""
        equal(b"hello" in got or b"forged" in got, False, f"an answer in clear: {got!r}")


def test_inetd_denied(bed):
    with SuperServer(bed, ["cat"], rule="mode = deny\n") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            try:
                plain.sendall(b"hello\n")
                got = plain.recv(4096)
            except (ConnectionResetError, BrokenPipeError):
                got = b""
        equal(got, b"", "an answer in clear")
        bed.audited("server", event="denied", reason="denied_by_rule")


def test_systemd_accept(bed):
    """One connection on fd 3, with LISTEN_FDS."""
    context = odd.client_context(bed.authority, bed.client_cert)
    echo = "import socket; s = socket.socket(fileno=3); s.sendall(s.recv(100)); s.close()"
    with SuperServer(bed, [sys.executable, "-c", echo], systemd=True) as server:
        equal(talk(server.port, context), b"hello", "what came back")
    bed.audited("server", event="handshake_ok")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
