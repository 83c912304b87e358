#!/usr/bin/env python3
"""Go's crypto/tls and Java's JSSE at the other end of a shimmed program, as client and as
server: TLS 1.3 and 1.2, keys of each type, resumption, HelloRetryRequest, KeyUpdate."""

import hashlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import groups  # noqa: E402
import interop  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Certificate  # noqa: E402
from harness import BUILD, MARKER, PROGRAMS, Bed, digest, equal, main  # noqa: E402

KEYS = {"p256": "EC", "p384": "EC", "rsa2048": "RSA", "rsa4096": "RSA", "ed25519": "Ed25519"}
SUITE = "TLS_AES_128_GCM_SHA256"
SUITES_12 = {"EC": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
             "RSA": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
             "Ed25519": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
UPDATES = "security.properties"


def built(bed: Bed, language):
    """The command of a peer, compiled when it is first needed."""
    folder = bed.authority.folder
    if language == "go":
        program = os.path.join(folder, "TlsPeer")
        if not os.path.exists(program):
            subprocess.run(["go", "build", "-o", program, os.path.join(PROGRAMS, "TlsPeer.go")],
                           env={**os.environ, "GO111MODULE": "off",
                                "GOCACHE": os.path.join(BUILD, "go-cache")},
                           check=True, timeout=240)
        return [program]
    if not os.path.exists(os.path.join(folder, "TlsPeer.class")):
        subprocess.run(["javac", "-d", folder, os.path.join(PROGRAMS, "TlsPeer.java")],
                       check=True, timeout=120)
    # Keys are changed after 64 KiB, by a KeyUpdate (JDK, security property keyLimits).
    bed.write(UPDATES, "jdk.tls.keyLimits=AES/GCM/NoPadding KeyUpdate 2^16\n")
    return ["java", "-XX:TieredStopAtLevel=1", "-Djava.security.properties=" + bed.path(UPDATES),
            "-cp", folder, "TlsPeer"]


def certificate(bed, name, names, usage, key):
    """Made once a run: RSA keys take seconds."""
    made = Certificate(bed.authority.folder, name)
    return made if os.path.exists(made.pem) else bed.authority.issue(name, names, usage, key)


def prepare(bed, key, version, server="", client=""):
    bed.server_cert = certificate(bed, "server-" + key, SERVER_NAMES, "serverAuth", key)
    bed.client_cert = certificate(bed, "client-" + key, CLIENT_NAMES, "clientAuth", key)
    lines = f"min_version = {version}\nciphers = " + suite(key, version) + "\n"
    bed.pair(server_identity=lines + server, client_identity=lines + client)


def suite(key, version):
    return SUITE if version == "1.3" else SUITES_12[KEYS[key]]


def words(bed, cert, key, version, count, **more):
    given = {"cert": cert.chain, "key": cert.key, "ca": bed.authority.pem, "version": version,
             "algorithm": KEYS[key], "count": count, **more}
    return [f"{name}={value}" for name, value in given.items()]


def check_lines(out, want, key, version, resumed):
    """What the other end says of its connections."""
    for line, is_resumed in zip(out.decode().splitlines(), resumed, strict=True):
        equal(line.split(), [version, suite(key, version), str(is_resumed).lower(), want],
              "the other end's connection")


def as_client(bed, language, key="p256", version="1.3", resumed=(False,), peer_groups=None,
              **identity):
    """The other end asks a shimmed Python server, once for each of resumed."""
    prepare(bed, key, version, **identity)
    command = built(bed, language)
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    said, want = interop.dialogue()
    more = {"groups": peer_groups} if peer_groups else {}
    peer = bed.start("peer", [*command, "client", *words(
        bed, bed.client_cert, key, version, len(resumed), address=f"localhost:{bed.relay.port}",
        say=bed.write("said", said), want=len(want), **more)]).ok()
    check_lines(peer.out, hashlib.sha256(want).hexdigest(), key, version, resumed)
    check_shimmed(bed, "server", bed.client_cert, resumed)


def as_server(bed, language, key="p256", version="1.3", resumed=(False,), peer_groups=None,
              **identity):
    """A shimmed netcat sends lines to the other end, which echoes them."""
    prepare(bed, key, version, **identity)
    command = built(bed, language)
    more = {"groups": peer_groups} if peer_groups else {}
    peer = bed.start("peer", [*command, "server", *words(
        bed, bed.server_cert, key, version, len(resumed), address=f"127.0.0.1:{bed.port}",
        **more)]).listens(bed.port)
    data = b"".join(b"%05d %s\n" % (number, MARKER) for number in range(15_000))
    script = ("import socket, sys\n"
              "data = sys.stdin.buffer.read()\n"
              "for _ in range(int(sys.argv[2])):\n"
              "    with socket.create_connection(('localhost', int(sys.argv[1]))) as s:\n"
              "        for at in range(0, len(data), 16384):\n"
              "            s.sendall(data[at:at + 16384])\n"
              "            got = b''\n"
              "            while len(got) < len(data[at:at + 16384]):\n"
              "                got += s.recv(65536)\n"
              "            sys.stdout.buffer.write(got)\n")
    with open(bed.write("data", data), "rb") as file:
        client = bed.client([sys.executable, "-c", script, bed.relay.port, len(resumed)],
                            stdin=file)
    equal(digest(client.out), digest(data * len(resumed)), "the echo")
    peer.ok()
    check_lines(peer.out, digest(data), key, version, resumed)
    check_shimmed(bed, "client", bed.server_cert, resumed)


def check_shimmed(bed, shimmed, other, resumed):
    lines = bed.audit(shimmed, event="handshake_ok")
    equal([line["resumed"] for line in lines], list(resumed), "resumed, by the log")
    equal({line["peer_serial"] for line in lines}, {other.serial}, "the peer's serial")
    bed.check_wire(at_least=len(resumed))


def add(name, run, *arguments, **how):
    globals()["test_" + name] = lambda bed: run(bed, *arguments, **how)


def hello_retry(bed, run, language, **how):
    """The client's key share is for a group that the server does not take."""
    run(bed, language, **how)
    equal(sum(r.server.count(groups.RETRY) for r in bed.relay.recordings), 1,
          "HelloRetryRequests on the wire")


def go_number():
    """Go before 1.21 has no extended master secret, without which TLS 1.2 is not resumed
    (RFC 7627, section 5.3)."""
    told = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"go1\.(\d+)", told)[1])


def add_tests():
    for language in ("go", "java"):
        for key in KEYS:
            for version in ("1.3", "1.2"):
                add(f"{language}_client_{key}_{version}", as_client, language, key, version)
                add(f"{language}_server_{key}_{version}", as_server, language, key, version)
        for version in ("1.3", "1.2"):
            resumed = (False, (language, version) != ("go", "1.2") or go_number() >= 21)
            add(f"{language}_client_resumes_{version}", as_client, language, "p256", version,
                resumed)
            add(f"{language}_server_resumes_{version}", as_server, language, "p256", version,
                resumed)
        add(f"{language}_client_retries", hello_retry, as_client, language,
            peer_groups="P-384,P-256", server="groups = P-256\n")
        add(f"{language}_server_asks_to_retry", hello_retry, as_server, language,
            peer_groups="P-256", client="groups = X25519 P-256\n")


add_tests()

if __name__ == "__main__":
    main(globals(), needs_shim=True)
