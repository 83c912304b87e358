#!/usr/bin/env python3
"""Stapled OCSP responses: what OpenSSL's and GnuTLS's servers staple is judged, and what a
shimmed server staples is what their clients see; in TLS 1.3 and 1.2."""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ocsp  # noqa: E402
import refused_inbound as inbound  # noqa: E402
import refused_outbound as outbound  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Authority  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

NAMES = SERVER_NAMES + "," + CLIENT_NAMES
VERSIONS = ("1.3", "1.2")


class Issuer:
    """An authority and a certificate of a server by it."""

    def __init__(self, bed):
        self.bed = bed
        self.authority = Authority(bed.path("issuer"), "issuing-ca")
        self.peer = self.authority.issue("peer", NAMES)

    def request(self, certificate=None):
        path = self.bed.path("request")
        subprocess.run([ocsp.OPENSSL, "ocsp", "-issuer", self.authority.pem, "-cert",
                        (certificate or self.peer).pem, "-reqout", path, "-no_nonce"],
                       check=True, timeout=30)
        with open(path, "rb") as file:
            return ocsp.Request(file.read())

    def staple(self, about=None, signer=None, **how):
        """A file with a response about a certificate."""
        der = ocsp.answer(self.request(about), signer or self.authority.root, **how)
        return self.bed.write("staple", der)


# ---- the shim as a client -------------------------------------------------------------------


def openssl_server(bed, own, peer, staple, version):
    port = free_port()
    bed.start(
        "s_server", [ocsp.OPENSSL, "s_server", "-accept", port, "-cert", peer.pem, "-key",
                     peer.key, "-CAfile", own.authority.pem, "-Verify", "1", "-quiet",
                     "-tls" + version.replace(".", "_")]
        + (["-status_file", staple] if staple else []), stdin=subprocess.PIPE).listens(port)
    return port


def gnutls_server(bed, own, peer, staple, version):
    port = free_port()
    bed.start(
        "gnutls-serv", ["gnutls-serv", "--port", port, "--echo", "--x509certfile", peer.pem,
                        "--x509keyfile", peer.key, "--x509cafile", own.authority.pem,
                        "--require-client-cert", "--priority",
                        f"NORMAL:-VERS-ALL:+VERS-TLS{version}"]
        + (["--ocsp-response", staple, "--ignore-ocsp-response-errors"] if staple else []),
    ).listens(port)
    return port


SERVERS = (openssl_server, gnutls_server)


def outcome(own, serve, version, identity, peer=None, staple=None):
    """None when the server was let in; else the reason."""
    with Bed(own.authority) as bed:
        port = serve(bed, own, peer or own.peer, staple, version)
        policy = bed.policy(
            "client", f"[outbound test]\nremote = *:{port}\nmode = mtls\nidentity = own\n",
            {"own": (bed.client_cert, bed.authority.pem, "min_version = 1.2\n" + identity)})
        client = bed.start("client", bed.python("report_client.py", "127.0.0.1", port), policy)
        line = wait_until(lambda: bed.audit("client", event="handshake_ok")
                          or bed.audit("client", event="handshake_failed"),
                          "the end of the handshake")[0]
        if line["event"] == "handshake_ok":
            equal(line["version"], version, "version")
            return None
        print(line["detail"])
        equal(json.loads(client.ok().out)["connect"], "EPROTO", "connect")
        return line["reason"]


def check(own, identity, want, servers=SERVERS, **how):
    for serve in servers:
        for version in VERSIONS:
            equal(outcome(own, serve, version, identity, **how), want,
                  f"{serve.__name__}, TLS {version}, {identity!r}")


def test_good(bed):
    own = Issuer(bed)
    check(own, "ocsp = staple", None, staple=own.staple())


def test_spares_asking(bed):
    own = Issuer(bed)
    with ocsp.Responder(lambda _: ocsp.refusal(3)) as responder:
        check(own, f"ocsp = require\nocsp_responder = {responder.url}", None,
              staple=own.staple())
        equal(responder.requests, [], "requests")


def test_none(bed):
    own = Issuer(bed)
    check(own, "ocsp = staple", "bad_staple")


def test_none_but_fetched(bed):
    own = Issuer(bed)
    good = ocsp.Responder(lambda body: ocsp.answer(ocsp.Request(body), own.authority.root))
    with good as responder:
        check(own, f"ocsp = require\nocsp_responder = {responder.url}", None)
        equal(len(responder.requests), 4, "requests")


def test_must_staple(bed):
    own = Issuer(bed)
    strict = own.authority.issue("strict", NAMES, extensions="tlsfeature=status_request\n")
    check(own, "ocsp = soft", "bad_staple", peer=strict)
    check(own, "ocsp = off", None, peer=strict)
    check(own, "ocsp = soft", None, peer=strict, staple=own.staple(strict))


def test_revoked(bed):
    own = Issuer(bed)
    staple = own.staple(status="revoked")
    for word in ("soft", "staple"):
        check(own, f"ocsp = {word}", "revoked", staple=staple)
    check(own, "ocsp = off", None, staple=staple)


def bad(bed, **how):
    """Whatever else is stapled is refused, RFC 6066 says."""
    own = Issuer(bed)
    staple = own.staple(**how)
    for word in ("soft", "staple"):
        check(own, f"ocsp = {word}", "bad_staple", (openssl_server,), staple=staple)


def test_unknown(bed):
    bad(bed, status="unknown")


def test_expired(bed):
    bad(bed, this=-7200, until=-60)


def test_from_the_future(bed):
    bad(bed, this=600, until=7200)


def test_old(bed):
    bad(bed, this=-7200, until=None)


def test_wrong_signature(bed):
    bad(bed, break_signature=True)


def test_about_another(bed):
    own = Issuer(bed)
    staple = own.staple(own.authority.issue("other", NAMES))
    for word in ("soft", "staple"):
        check(own, f"ocsp = {word}", "bad_staple", (openssl_server,), staple=staple)


def test_by_another_ca(bed):
    own = Issuer(bed)
    foreign = Authority(bed.path("foreign"), "issuing-ca")
    staple = own.staple(signer=foreign.root, certs=[foreign.root])
    check(own, "ocsp = staple", "bad_staple", (openssl_server,), staple=staple)


def test_delegated(bed):
    own = Issuer(bed)
    other = own.authority.issue("responder", usage="OCSPSigning")
    check(own, "ocsp = staple", None, staple=own.staple(signer=other, certs=[other]))


# ---- the shim as a server -------------------------------------------------------------------


def seen_by_openssl(bed, own, version):
    """The status that s_client finds stapled; None without."""
    done = subprocess.run(
        [ocsp.OPENSSL, "s_client", "-connect", f"127.0.0.1:{bed.port}", "-status", "-CAfile",
         own.authority.pem, "-cert", own.peer.pem, "-key", own.peer.key,
         "-verify_return_error", "-tls" + version.replace(".", "_")], input=b"",
        capture_output=True, timeout=30, check=False)
    equal(done.returncode, 0, f"s_client's exit status: {done.stderr[-300:]}")
    if b"OCSP response: no response sent" in done.stdout:
        return None
    return re.search(rb"Cert Status: (\w+)", done.stdout).group(1).decode()


def seen_by_gnutls(bed, own, version):
    saved = bed.path(f"saved-{version}")
    done = subprocess.run(
        ["gnutls-cli", "--port", str(bed.port), "127.0.0.1", "--x509cafile", own.authority.pem,
         "--x509certfile", own.peer.pem, "--x509keyfile", own.peer.key,
         "--save-ocsp", saved, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"],
        input=b"", capture_output=True, timeout=30, check=False)
    equal(b"Handshake was completed" in done.stdout, True,
          f"gnutls-cli's handshake: {done.stdout[-300:]} {done.stderr[-300:]}")
    if not os.path.exists(saved) or not os.path.getsize(saved):
        return None
    with open(saved, "rb") as file:
        kind = ["-noverify", "-respin", saved]
        if file.read(1) == b"-":
            der = bed.path("saved.der")
            subprocess.run(f"sed /-----/d {saved} | base64 -d >{der}", shell=True, check=True,
                           timeout=10)
            kind[2] = der
    done = subprocess.run([ocsp.OPENSSL, "ocsp", *kind, "-resp_text"], capture_output=True,
                          timeout=30, check=False)
    return re.search(rb"Cert Status: (\w+)", done.stdout).group(1).decode()


CLIENTS = (seen_by_openssl, seen_by_gnutls)


def check_served(own, identity, want, requests=None):
    with Bed(own.authority) as bed:
        server = inbound.serve(bed, identity="min_version = 1.2\n" + identity)
        for number, (look, version) in enumerate(
                [(look, version) for look in CLIENTS for version in VERSIONS]):
            equal(look(bed, own, version), want, f"{look.__name__}, TLS {version}")
            inbound.report(server, number)
        if requests is not None:
            equal(len(requests), 2, "requests: about the client and about ourselves, once")


def test_served(bed):
    own = Issuer(bed)
    good = ocsp.Responder(lambda body: ocsp.answer(ocsp.Request(body), own.authority.root))
    with good as responder:
        check_served(own, f"ocsp = require\nocsp_responder = {responder.url}", "good",
                     responder.requests)


def test_served_without_an_answer(bed):
    own = Issuer(bed)
    check_served(own, f"ocsp = soft\nocsp_responder = http://127.0.0.1:{free_port()}/", None)


def test_served_without_a_responder(bed):
    own = Issuer(bed)
    check_served(own, "ocsp = soft", None)


def test_not_served_when_revoked(bed):
    """The server's own certificate was: that is for others to fetch, not for us to tell."""
    own = Issuer(bed)

    def behave(body):
        request = ocsp.Request(body)
        return ocsp.answer(request, own.authority.root,
                           status="good" if request.nonce else "revoked")

    with ocsp.Responder(behave) as responder:
        check_served(own, f"ocsp = soft\nocsp_responder = {responder.url}", None)


def test_both_ends(bed):
    """A shimmed client that insists, and a shimmed server."""
    own = Issuer(bed)
    good = ocsp.Responder(lambda body: ocsp.answer(ocsp.Request(body), own.authority.root))
    with good as responder:
        for version in ("min_version = 1.3\n", "min_version = 1.2\nciphers = "
                        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n"):
            with Bed(own.authority) as inner:
                server = inbound.serve(
                    inner, identity=f"{version}ocsp = soft\nocsp_responder = {responder.url}")
                report = outbound.run_client(inner, inner.port,
                                             identity=f"{version}ocsp = staple")
                equal((report["connect"], report.get("recv")), ("OK", 16),
                      f"the echo; {inner.audit('client')[-1]}")
                wait_until(lambda: inbound.report(server, 0), "the server's report")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
