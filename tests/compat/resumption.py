#!/usr/bin/env python3
"""Sessions resumed by ticket, and those that must not be: what a peer's certificates, the
rule, the identity and the name allow counts at resumption, too. Other ends are OpenSSL
(also by Python's ssl, whose sessions can be taken from one connection to another) and
GnuTLS, as client and as server, TLS 1.3 and 1.2."""

import os
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}
TLS_1_2 = "min_version = 1.2"


def context_for(bed, version, certificate=None):
    context = odd.client_context(bed.authority, certificate or bed.client_cert)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def ask(port, context, session=None):
    """An echo of a shimmed server. Returns whether it was resumed, and the next session."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as conn:
            conn.sendall(b"hello")
            equal(conn.recv(100), b"hello", "echo")
            reused, taken = conn.session_reused, conn.session
            conn.unwrap()
            return reused, taken


def serve(bed: Bed, rule="", identity="", **shim):
    bed.pair(server_rule=rule, server_identity=TLS_1_2 + "\n" + identity, **shim)
    return bed.serve(bed.python("report_server.py", bed.port))


def logged(bed, name, count):
    """The first handshakes that a program's log tells of."""
    return wait_until(lambda: (bed.audit(name, event="handshake_ok") + [None] * count)[:count]
                      if len(bed.audit(name, event="handshake_ok")) >= count else None,
                      f"{count} handshakes of {name}")


def for_versions(function):
    def test(bed):
        for version in VERSIONS:
            with Bed(bed.authority) as inner:
                function(inner, version)
    return test


@for_versions
def test_openssl_client(bed, version):
    serve(bed)
    context = context_for(bed, version)
    reused, session = ask(bed.port, context)
    equal(reused, False, "the first connection is resumed")
    for number in range(3):
        reused, session = ask(bed.port, context, session)
        equal(reused, True, f"{version}: connection {number + 2} is resumed")
    lines = logged(bed, "server", 4)
    equal([line["resumed"] for line in lines], [False, True, True, True], "resumed, in the log")
    for line in lines:
        for key in ("peer_serial", "peer_subject", "peer_sha256", "peer_san", "issuer",
                    "cipher", "version", "own_serial"):
            equal(line[key], lines[0][key], f"{key} of a resumed session")



# ---- shimmed clients -------------------------------------------------------------------


class Asker:
    """A shimmed client that asks again at a word."""

    def __init__(self, bed, *ports, host="127.0.0.1"):
        self.program = bed.start("client", bed.python("again.py", host, *ports),
                                 bed.client_policy, stdin=subprocess.PIPE)
        self.count = 0

    def ask(self, word="ask"):
        self.program.process.stdin.write(word.encode() + b"\n")
        self.count += 1
        return wait_until(lambda: self.program.out.decode().split()[self.count - 1:],
                          f"answer {self.count} to the client")[0]

    def all(self, *words, want="same"):
        for word in words:
            equal(self.ask(word), want, f"answer to {word}")


def resumed(bed, name, count):
    return [line["resumed"] for line in logged(bed, name, count)]


@for_versions
def test_shim_to_shim(bed, version):
    end = TLS_1_2 + ("\nciphers = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
                     if version == "1.2" else "")
    bed.pair(server_identity=TLS_1_2, client_identity=end)
    bed.serve(bed.python("report_server.py", bed.port))
    Asker(bed, bed.relay.port).all(*["ask"] * 4)
    for name in ("client", "server"):
        lines = logged(bed, name, 4)
        equal([line["resumed"] for line in lines], [False, True, True, True], name)
        for line in lines[1:]:
            equal(line["version"], version, "version")
            for key in ("peer_serial", "peer_subject", "peer_sha256", "peer_san", "issuer"):
                equal(line[key], lines[0][key], f"{key} of a resumed session")
    bed.check_all(at_least=4)


class Reusing(odd.Server):
    """A TLS server by OpenSSL that echoes, and knows which connections were resumed."""

    def __init__(self, context):
        self.reused = []

        def behave(conn, _):
            with context.wrap_socket(conn, server_side=True) as tls:
                self.reused.append(tls.session_reused)
                while chunk := tls.recv(4096):
                    tls.sendall(chunk)
        super().__init__(behave)


def server_context(bed, version=None, certificate=None):
    context = odd.server_context(bed.authority, certificate or bed.server_cert)
    context.minimum_version = VERSIONS[version or "1.2"]
    context.maximum_version = VERSIONS[version or "1.3"]
    return context


@for_versions
def test_openssl_server(bed, version):
    with Reusing(server_context(bed, version)) as server:
        bed.pair(port=server.port, client_identity=TLS_1_2)
        Asker(bed, server.port).all(*["ask"] * 4)
        equal(server.reused, [False, True, True, True], f"{version}: resumed, as OpenSSL says")
        equal(resumed(bed, "client", 4), server.reused, "resumed, in the log")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
