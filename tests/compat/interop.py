#!/usr/bin/env python3
"""Other TLS stacks at the other end of a shimmed program: OpenSSL and GnuTLS, as client and
as server, TLS 1.3 and 1.2, every suite."""

import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import CLIENT_NAMES, SERVER_NAMES  # noqa: E402
from harness import MARKER, Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402

# IANA name: (version, key of the server's certificate, OpenSSL's name, GnuTLS's priorities)
SUITES = {
    "TLS_AES_128_GCM_SHA256": ("1.3", "ec", None, "+AES-128-GCM:+AEAD"),
    "TLS_AES_256_GCM_SHA384": ("1.3", "ec", None, "+AES-256-GCM:+AEAD"),
    "TLS_CHACHA20_POLY1305_SHA256": ("1.3", "rsa", None, "+CHACHA20-POLY1305:+AEAD"),
}
for key, auth in (("ec", "ECDSA"), ("rsa", "RSA")):
    for iana, openssl, gnutls in (
            ("AES_128_GCM_SHA256", "AES128-GCM-SHA256", "AES-128-GCM"),
            ("AES_256_GCM_SHA384", "AES256-GCM-SHA384", "AES-256-GCM"),
            ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305", "CHACHA20-POLY1305")):
        SUITES[f"TLS_ECDHE_{auth}_WITH_{iana}"] = (
            "1.2", key, f"ECDHE-{auth}-{openssl}", f"+{gnutls}:+AEAD:+ECDHE-{auth}")


def openssl_words(suite):
    version, _, name, _ = SUITES[suite]
    if version == "1.3":
        return ["-tls1_3", "-ciphersuites", suite]
    return ["-tls1_2", "-cipher", name]


def gnutls_words(suite):
    version, _, _, priorities = SUITES[suite]
    exchange = ":+ECDHE-ECDSA:+ECDHE-RSA" if version == "1.3" else ""
    return ["--priority", "NONE:+VERS-TLS" + version + ":+GROUP-ALL:+SIGN-ALL:+MAC-ALL:"
            "+CTYPE-ALL:+COMP-NULL:" + priorities + exchange]


def prepare(bed: Bed, suite):
    """The pair of ends, the server's certificate with the suite's kind of key."""
    bed.server_cert = bed.authority.issue("server-" + SUITES[suite][1], SERVER_NAMES,
                                          "serverAuth", SUITES[suite][1])
    bed.client_cert = bed.authority.issue("client-ec", CLIENT_NAMES, "clientAuth")
    bed.pair(server_identity="min_version = 1.2", client_identity="min_version = 1.2")


def check(bed, shimmed, suite):
    """The shimmed end and the wire agree on what was negotiated."""
    version = SUITES[suite][0]
    line = bed.audited(shimmed, event="handshake_ok")
    equal((line["version"], line["cipher"]), (version, suite), "version and cipher logged")
    other = bed.client_cert if shimmed == "server" else bed.server_cert
    equal(line["peer_serial"], other.serial, "the peer's serial")
    for wire in bed.check_wire():
        equal((wire.version, wire.suite), (version, suite), "version and suite on the wire")


def dialogue():
    """(what a client says to echo_server.py, what it gets)."""
    up, line = payload(300_000), b"hello " + MARKER + b"\n"
    block = MARKER + bytes(range(240))
    size = 400_000
    said = line + b"PUT %d\n" % len(up) + up + b"GET %d\nQUIT\n" % size
    got = line + hashlib.sha256(up).hexdigest().encode() + b"\n" + \
        (block * (size // len(block) + 1))[:size]
    return said, got


def talk_as_client(bed, suite, argv):
    """A TLS client as the other end of a shimmed Python server."""
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    said, want = dialogue()
    peer = bed.start("peer", argv, stdin=subprocess.PIPE)
    peer.feed(said)
    # Its stdin stays open: at its end some of them would go before the answer is there.
    try:
        wait_until(lambda: len(peer.out) >= len(want) or peer.process.poll() is not None,
                   "the whole answer", 15)
    finally:
        peer.process.stdin.close()
    peer.wait()
    equal(digest(peer.out), digest(want), f"{len(peer.out)} of {len(want)} bytes of answers")
    wait_until(lambda: bed.relay.recordings[0].done, "the connection's end")
    check(bed, "server", suite)


def openssl_client(bed, suite):
    prepare(bed, suite)
    talk_as_client(bed, suite, [
        "openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{bed.relay.port}",
        "-cert", bed.client_cert.pem, "-key", bed.client_cert.key, "-CAfile", bed.authority.pem,
        "-verify_return_error", "-verify_hostname", "localhost", *openssl_words(suite)])


def gnutls_client(bed, suite):
    prepare(bed, suite)
    talk_as_client(bed, suite, [
        "gnutls-cli", "--logfile", bed.path("gnutls.log"), "--x509cafile", bed.authority.pem,
        "--x509certfile", bed.client_cert.pem, "--x509keyfile", bed.client_cert.key,
        "--sni-hostname", "localhost", "--verify-hostname", "localhost", *gnutls_words(suite),
        "-p", bed.relay.port, "127.0.0.1"])


def openssl_server(bed, suite):
    """s_server serves a file by HTTP to a shimmed curl."""
    prepare(bed, suite)
    data = payload(400_000)
    bed.write("file", data)
    bed.start("peer", [
        "openssl", "s_server", "-WWW", "-accept", f"127.0.0.1:{bed.port}", "-cert",
        bed.server_cert.pem, "-key", bed.server_cert.key, "-CAfile", bed.authority.pem,
        "-Verify", "2", "-verify_return_error", *openssl_words(suite)],
        cwd=bed.dir).listens(bed.port)
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*",
                      f"http://127.0.0.1:{bed.relay.port}/file"]).out
    equal(digest(got), digest(data), f"{len(got)} bytes of the file")
    check(bed, "client", suite)


def gnutls_server(bed, suite):
    """gnutls-serv echoes lines to a shimmed netcat."""
    prepare(bed, suite)
    server = bed.start("peer", [
        "gnutls-serv", "--echo", "--quiet", "--port", bed.port, "--x509cafile",
        bed.authority.pem, "--x509certfile", bed.server_cert.pem, "--x509keyfile",
        bed.server_cert.key, "--require-client-cert", "--verify-client-cert",
        *gnutls_words(suite)])
    server.listens(bed.port)
    # It reads 16 kB at a time and echoes them before it reads on.
    data = b"".join(b"%05d %s\n" % (number, MARKER) for number in range(20_000))
    client = bed.start("client", ["nc.openbsd", "-N", "127.0.0.1", bed.relay.port],
                       bed.client_policy, stdin=subprocess.PIPE)
    client.feed(data)
    wait_until(lambda: len(client.out) >= len(data) or client.process.poll() is not None,
               "the whole echo", 15)
    client.process.stdin.close()
    client.ok()
    equal(digest(client.out), digest(data), f"{len(client.out)} of {len(data)} bytes of echo")
    check(bed, "client", suite)


def add_tests():
    for other_end in (openssl_client, openssl_server, gnutls_client, gnutls_server):
        for suite in SUITES:
            def test(bed, run=other_end, chosen=suite):
                run(bed, chosen)
            globals()[f"test_{other_end.__name__}_{suite.removeprefix('TLS_').lower()}"] = test


add_tests()

if __name__ == "__main__":
    main(globals(), needs_shim=True)
