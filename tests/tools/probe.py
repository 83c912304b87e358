#!/usr/bin/env python3
"""mtlsctl probe: what it says of real servers, good and bad, and how it ends; its verdict is
compared with what the shim does on the same connection."""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from certs import SERVER_NAMES, Authority  # noqa: E402
from harness import MTLS_RUN, MTLSCTL, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

LET_IN, REFUSED, USAGE, UNREACHABLE, NOT_TLS, BAD_POLICY = 0, 1, 2, 69, 76, 78


class Said:
    def __init__(self, argv):
        started = time.monotonic()
        done = subprocess.run([MTLSCTL, "probe", *argv], capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, check=False)
        self.took = time.monotonic() - started
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.text = self.out + self.err

    def has(self, *words):
        for word in words:
            if word not in self.text:
                raise AssertionError(f"no {word!r} in: {self.text}")
        return self

    def has_not(self, word):
        if word in self.text:
            raise AssertionError(f"{word!r} in: {self.text}")
        return self


def probe(status, *argv):
    said = Said([str(word) for word in argv])
    equal(said.status, status, "exit status; it says: " + said.text.replace("\n", " / "))
    return said


def probe_json(status, *argv):
    return json.loads(probe(status, *argv, "--json").out)


def policy(bed, port, rule="", identity="", mode="mtls", certificate=None, trust=None):
    return bed.policy("probe", f"[outbound test]\nremote = *:{port}\nmode = {mode}\n"
                      + ("identity = own\n" if mode in ("mtls", "observe") else "") + rule,
                      {"own": (certificate or bed.client_cert, trust or bed.authority.pem,
                               identity)})


def s_server(bed, certificate, *options, verify=True):
    """OpenSSL's, which asks for our certificate."""
    port = free_port()
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate.pem,
            "-key", certificate.key, "-cert_chain", certificate.chain, "-quiet"]
    if verify:
        argv += ["-Verify", "5", "-CAfile", bed.authority.pem, "-verify_return_error"]
    bed.start(f"s_server-{port}", argv + list(options),
              stdin=subprocess.PIPE).listens(port)
    return port


def shim_says(bed, path, port, name):
    """What the shim's client does with the same server: True when it gets through."""
    code = ("import socket, sys\n"
            "s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)\n"
            "s.settimeout(3)\n"
            "s.sendall(b'x')\n"
            "try:\n    s.recv(1)\nexcept TimeoutError:\n    pass\n")
    return subprocess.run([MTLS_RUN, "-p", path, sys.executable, "-c", code, name, str(port)],
                          capture_output=True, timeout=30, check=False).returncode == 0


def same_verdict(bed, status, path, port, name="localhost"):
    """The probe's verdict is the shim's."""
    said = probe(status, f"{name}:{port}", "-p", path)
    equal(shim_says(bed, path, port, name), status == LET_IN, "the shim; the probe says: " + said.text)
    return said


# ---- servers that are good ------------------------------------------------------------------

def test_let_in(bed):
    port = s_server(bed, bed.server_cert)
    path = policy(bed, port)
    said = same_verdict(bed, LET_IN, path, port)
    said.has("=> the connection would be made", "TLS 1.3", "CN=server,O=Test", "DNS:localhost",
             "shown and accepted", "rule     test (", "of CN=ca,O=Test", "P-256",
             "ECDSA with SHA-256", " days left")
    text = subprocess.check_output(["openssl", "x509", "-in", bed.server_cert.pem, "-noout",
                                    "-fingerprint", "-sha256"], text=True)
    said.has(text.strip().split("=")[1].replace(":", "").lower())


def test_spki_pin(bed):
    port = s_server(bed, bed.server_cert)
    seen = probe_json(LET_IN, f"localhost:{port}")["certificates"][0]["spki"]
    der = subprocess.run(["openssl", "pkey", "-in", bed.server_cert.key, "-pubout",
                          "-outform", "DER"], capture_output=True, check=True).stdout
    equal(seen, hashlib.sha256(der).hexdigest(), "spki")
    path = policy(bed, port, f"allow = spki:{seen}\nverify = identity\n")
    same_verdict(bed, LET_IN, path, port)


def test_json(bed):
    port = s_server(bed, bed.server_cert)
    said = probe_json(LET_IN, f"localhost:{port}", "-p", policy(bed, port))
    equal(said["verdict"], "let_in", "verdict")
    equal(said["rule"]["name"], "test", "rule")
    equal(said["rule"]["identity"], "own", "identity")
    equal(said["client_certificate"],
          {"asked": True, "answer": "accepted", "issuers": ["CN=ca,O=Test"]}, "request")
    equal(said["certificates"][0]["serial"], bed.server_cert.serial, "serial")
    equal(said["certificates"][0]["ca"], False, "ca")


def test_chain_of_three(bed):
    middle = bed.authority.issue("middle", usage="", is_ca=True)
    leaf = bed.authority.issue("below", SERVER_NAMES, signer=middle)
    port = s_server(bed, leaf)
    said = probe_json(LET_IN, f"localhost:{port}", "-p", policy(bed, port))
    equal(said["certificates"][-1]["ca"], True, "the CA in the chain")
    equal(said["certificates"][0]["issuer"], "CN=middle,O=Test", "issuer")


def test_rsa_and_tls_12(bed):
    leaf = bed.authority.issue("rsa", SERVER_NAMES, key="rsa")
    port = s_server(bed, leaf, "-tls1_2")
    said = probe_json(LET_IN, f"localhost:{port}", "-p",
                      policy(bed, port, identity="min_version = 1.2\n"))
    equal(said["tls"]["version"], "TLS 1.2", "version")
    equal(said["certificates"][0]["key"], "RSA, 2048 bits", "key")
    equal(said["client_certificate"]["answer"], "accepted", "answer")
    equal(said["client_certificate"]["issuers"], ["CN=ca,O=Test"], "issuers")


def test_chacha_and_aes_256(bed):
    for suite in ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"):
        port = s_server(bed, bed.server_cert, "-ciphersuites", suite)
        said = probe_json(LET_IN, f"localhost:{port}", "-p", policy(bed, port))
        equal(said["tls"]["suite"], suite, "suite")
        equal(said["certificates"][0]["serial"], bed.server_cert.serial, "certificate")


def test_hello_retry(bed):
    port = s_server(bed, bed.server_cert, "-groups", "P-384")
    said = probe_json(LET_IN, f"localhost:{port}", "-p", policy(bed, port))
    equal(said["tls"]["group"], "P-384", "group")


def test_server_that_asks_nobody(bed):
    port = s_server(bed, bed.server_cert, verify=False)
    probe(LET_IN, f"localhost:{port}", "-p", policy(bed, port)).has("not asked for")


def test_gnutls(bed):
    port = free_port()
    bed.start("gnutls", ["gnutls-serv", "--port", port, "--x509certfile", bed.server_cert.pem,
                         "--x509keyfile", bed.server_cert.key, "--x509cafile",
                         bed.authority.pem, "--require-client-cert", "--verify-client-cert",
                         "--echo"]).listens(port)
    path = policy(bed, port)
    same_verdict(bed, LET_IN, path, port).has("CN=ca,O=Test")
    other = Authority(bed.path("other"), "other-ca")
    mine = other.issue("mine", "DNS:mine", usage="clientAuth")
    said = probe_json(REFUSED, f"localhost:{port}", "-p",
                      policy(bed, port, certificate=mine))
    equal(said["client_certificate"]["answer"], "refused", "answer")


def test_shimmed_server(bed):
    bed.pair()
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    probe(LET_IN, f"localhost:{bed.port}", "-p", bed.client_policy).has("TLS 1.3")


def test_shimmed_server_refuses(bed):
    bed.pair(server_rule="allow = uri:spiffe://corp/nobody\n")
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    probe(REFUSED, f"localhost:{bed.port}", "-p", bed.client_policy).has(
        "the server refuses our certificate: peer_alert", "access_denied")


# ---- servers that are refused ---------------------------------------------------------------

def refused(bed, certificate, reason, name="localhost", rule="", identity="", trust=None):
    port = s_server(bed, certificate)
    path = policy(bed, port, rule, identity, trust=trust)
    said = same_verdict(bed, REFUSED, path, port, name)
    said.has("=> the server is refused: " + reason)
    answer = probe_json(REFUSED, f"{name}:{port}", "-p", path)
    equal((answer["verdict"], answer["reason"]), ("refused", reason), "JSON")
    equal(answer["certificates"][0]["serial"], certificate.serial, "it is shown all the same")


def test_wrong_name(bed):
    refused(bed, bed.authority.issue("named", "DNS:elsewhere.test"), "name_mismatch")


def test_expired(bed):
    refused(bed, bed.authority.issue("old", SERVER_NAMES, days=(-9, -2)), "expired")


def test_unknown_ca(bed):
    other = Authority(bed.path("other"), "other-ca")
    port = s_server(bed, other.issue("theirs", SERVER_NAMES))
    same_verdict(bed, REFUSED, policy(bed, port), port).has("unknown_ca", "CN=theirs,O=Test")


def test_revoked(bed):
    bad = bed.authority.issue("bad", SERVER_NAMES)
    refused(bed, bad, "revoked", identity=f"crl = {bed.authority.crl('bad-list', [bad])}\n")


def test_denied(bed):
    refused(bed, bed.server_cert, "denied_by_deny", rule="deny = cn:server\n")


def test_client_certificate_as_server(bed):
    refused(bed, bed.authority.issue("asker", SERVER_NAMES, usage="clientAuth"), "wrong_usage")


def test_tls_12_only(bed):
    port = s_server(bed, bed.server_cert, "-tls1_2")
    same_verdict(bed, REFUSED, policy(bed, port), port).has("version_mismatch")


# ---- servers that refuse us -----------------------------------------------------------------

def test_refused_by_the_server(bed):
    other = Authority(bed.path("other"), "other-ca")
    mine = other.issue("mine", "DNS:mine", usage="clientAuth")
    for version in ("-tls1_3", "-tls1_2"):
        port = s_server(bed, bed.server_cert, version)
        path = policy(bed, port, certificate=mine, identity="min_version = 1.2\n")
        same_verdict(bed, REFUSED, path, port).has("the server refuses our certificate",
                                                   "unknown_ca", "shown and refused")


def test_identity_is_chosen(bed):
    other = Authority(bed.path("other"), "other-ca")
    mine = other.issue("mine", "DNS:mine", usage="clientAuth")
    port = s_server(bed, bed.server_cert)
    path = bed.policy("two", f"[outbound test]\nremote = *:{port}\nmode = mtls\n"
                      "identity = own\n", {"own": bed.client_cert, "theirs": mine})
    probe(LET_IN, f"localhost:{port}", "-p", path)
    probe(REFUSED, f"localhost:{port}", "-p", path, "--identity", "theirs").has(
        "identity theirs", "unknown_ca")
    probe(USAGE, f"localhost:{port}", "-p", path, "--identity", "nobody").has(
        "no such identity")


# ---- rules ----------------------------------------------------------------------------------

def test_deny(bed):
    port = s_server(bed, bed.server_cert)
    probe(REFUSED, f"localhost:{port}", "-p", policy(bed, port, mode="deny")).has(
        "denied_by_rule", "mode deny")


def test_no_rule(bed):
    port = s_server(bed, bed.server_cert)
    probe(REFUSED, f"localhost:{port}", "-p", policy(bed, port + 1 if port < 65535 else 1)).has(
        "default_outbound", "denied_by_rule")


def test_plaintext(bed):
    port = s_server(bed, bed.server_cert)
    probe(LET_IN, f"localhost:{port}", "-p", policy(bed, port, mode="plaintext")).has(
        "in plaintext: nobody is verified")


def test_rule_by_service(bed):
    port = s_server(bed, bed.server_cert)
    path = policy(bed, port, "service = billing\n")
    probe(REFUSED, f"localhost:{port}", "-p", path)
    probe(LET_IN, f"localhost:{port}", "-p", path, "--service", "billing")


# ---- without a policy -----------------------------------------------------------------------

def test_without_a_policy(bed):
    port = s_server(bed, bed.server_cert)
    said = probe(LET_IN, f"localhost:{port}")
    said.has("nothing was judged", "CN=server,O=Test", "asked for, and none was shown",
             "of CN=ca,O=Test").has_not("would be made")
    equal(probe_json(LET_IN, f"127.0.0.1:{port}")["verdict"], "none", "verdict")


def test_a_bad_server_without_a_policy(bed):
    port = s_server(bed, bed.authority.issue("old", "DNS:elsewhere", days=(-9, -2)),
                    "-tls1_2", verify=False)
    probe(LET_IN, f"localhost:{port}").has("expired 2 days ago", "TLS 1.2",
                                           "nothing was judged")


# ---- nobody there, or something else --------------------------------------------------------

def test_nobody_listens(bed):
    probe(UNREACHABLE, f"127.0.0.1:{free_port()}", "-p", policy(bed, 1)).has(
        "connection refused: nobody listens there")


def test_unknown_host(bed):
    probe(UNREACHABLE, "no-such-host.invalid:443").has("cannot be resolved")


def test_plain_server(bed):
    for behave in (lambda conn: conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
                   lambda conn: conn.sendall(b"220 mail.test ESMTP\r\n")):
        with odd.raw_server(behave) as server:
            probe(NOT_TLS, f"127.0.0.1:{server.port}", "-p",
                  policy(bed, server.port)).has("not_tls", "speaks plaintext")
        with odd.raw_server(behave) as server:
            probe(NOT_TLS, f"127.0.0.1:{server.port}").has("speaks plaintext")


def test_silent_server(bed):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for how in (["-p", policy(bed, port)], []):
            said = probe(UNREACHABLE, f"127.0.0.1:{port}", "--timeout", 1, *how)
            said.has("no answer to our ClientHello")
            if not 0.9 < said.took < 8:
                raise AssertionError(f"took {said.took} s")


def test_server_that_hangs_up(bed):
    with odd.raw_server(lambda conn: None) as server:
        probe(REFUSED, f"127.0.0.1:{server.port}", "-p", policy(bed, server.port)).has(
            "peer_closed")


def test_server_that_resets(bed):
    with odd.raw_server(odd.reset) as server:
        probe(REFUSED, f"127.0.0.1:{server.port}", "-p", policy(bed, server.port)).has(
            "peer_reset")


def test_quiet_server_is_not_waited_for_long(bed):
    """It asks for a certificate, sends no ticket, and stays when we have said goodbye."""
    context = odd.server_context(bed.authority, bed.server_cert, ssl.TLSVersion.TLSv1_3)
    context.num_tickets = 0
    stay = []

    def behave(conn, _answer):
        tls = context.wrap_socket(conn, server_side=True, suppress_ragged_eofs=False)
        stay.append(tls)
        wait_until(lambda: len(stay) == 2, "the probe to end", 20)
    with odd.Server(behave) as server:
        try:
            said = probe(LET_IN, f"localhost:{server.port}", "-p", policy(bed, server.port))
        finally:
            stay.append(None)
        said.has("not refused so far")
        if said.took > 10:
            raise AssertionError(f"took {said.took} s")


# ---- the command line -----------------------------------------------------------------------

def test_usage(bed):
    probe(USAGE).has("HOST:PORT: is missing")
    probe(USAGE, "localhost").has("want HOST:PORT")
    probe(USAGE, "localhost:1", "localhost:2").has("only one is taken")
    probe(USAGE, "localhost:1", "--frob").has("unknown option")
    probe(USAGE, "localhost:1", "--timeout", "0").has("whole seconds")
    probe(USAGE, "localhost:1", "--identity", "x").has("goes with -p")
    probe(LET_IN, "--help").has("usage: mtlsctl probe", "Exit status")
    probe(BAD_POLICY, "localhost:1", "-p", bed.write("bad.ini", "[shim]\nfrob = 1\n"))


if __name__ == "__main__":
    main(globals())
