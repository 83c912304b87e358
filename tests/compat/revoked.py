#!/usr/bin/env python3
"""Revocation lists: who is in one is refused in both roles, with its alert, errno and reason;
so is whom nobody can tell about. Lists by openssl and by `mtlsctl ca`."""

import os
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import refused_inbound as inbound  # noqa: E402
import refused_outbound as outbound  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Authority, Certificate  # noqa: E402
from harness import MTLSCTL, Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402

VERSIONS = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)


class Revoking:
    """An authority of its own for each test: its lists are about few certificates."""

    def __init__(self, bed):
        self.authority = Authority(bed.path("own"), "own-ca")
        self.bad = self.authority.issue("bad", SERVER_NAMES + "," + CLIENT_NAMES)

    def bed(self):
        return Bed(self.authority)


def identity(*lines):
    return "\n".join(("min_version = 1.2",) + lines)


def refuse_client(own, certificate, alert, reason, *lines):
    for version in VERSIONS:
        with own.bed() as bed:
            inbound.refuse(bed, odd.client_context(own.authority, certificate, version),
                           "EPROTO", [alert], [reason], identity=identity(*lines),
                           peer=certificate)


def refuse_server(own, certificate, alert, reason, *lines):
    for version in VERSIONS:
        with own.bed() as bed:
            outbound.refuse(bed, odd.server_context(own.authority, certificate, version),
                            "EPROTO", [alert], [reason], certificate,
                            identity=identity(*lines))


def let_in(own, certificate, *lines):
    """In both roles."""
    for version in VERSIONS:
        with own.bed() as bed:
            inbound.serve(bed, identity=identity(*lines))
            context = odd.client_context(own.authority, certificate, version)
            equal(odd.ask(bed.port, context), b"hello", "echo for a good client")
        with own.bed() as bed:
            context = odd.server_context(own.authority, certificate, version)
            with odd.tls_server(context) as server:
                report = outbound.run_client(bed, server.port, identity=identity(*lines))
                wait_until(lambda s=server: s.answers, "the server to see the end")
            equal((report["connect"], report["send"]), ("OK", 16), "connect and send")


def both(own, certificate, alert, reason, *lines):
    refuse_client(own, certificate, alert, reason, *lines)
    refuse_server(own, certificate, alert, reason, *lines)


def test_revoked(bed):
    own = Revoking(bed)
    crl = own.authority.crl("list", [own.bad])
    both(own, own.bad, "certificate_revoked", "revoked", f"crl = {crl}")


def test_not_revoked(bed):
    own = Revoking(bed)
    other = own.authority.issue("other", SERVER_NAMES)
    let_in(own, own.bad, f"crl = {own.authority.crl('list', [other])}")
    let_in(own, own.bad, f"crl = {own.authority.crl('empty')}")


def test_der(bed):
    own = Revoking(bed)
    crl = own.authority.crl("list", [own.bad])
    der = bed.path("list.der")
    subprocess.run(["openssl", "crl", "-in", crl, "-outform", "DER", "-out", der], check=True,
                   timeout=30)
    both(own, own.bad, "certificate_revoked", "revoked", f"crl = {der}")


def folder(bed, *files):
    path = bed.path("lists")
    os.mkdir(path)
    for number, name in enumerate(files):
        with open(name, "rb") as file:
            bed.write(f"lists/{number}{os.path.splitext(name)[1]}", file.read())
    return path


def chain(own):
    """An intermediate CA and a certificate by it."""
    sub = own.authority.issue("sub", usage="", is_ca=True)
    return sub, own.authority.issue("leaf", SERVER_NAMES + "," + CLIENT_NAMES, signer=sub)


def test_intermediate_revoked(bed):
    own = Revoking(bed)
    sub, leaf = chain(own)
    lists = folder(bed, own.authority.crl("root", [sub]), own.authority.crl("sub", [], sub),
                   sub.pem)
    both(own, leaf, "certificate_revoked", "revoked", f"crl = {lists}")


def test_revoked_by_intermediate(bed):
    own = Revoking(bed)
    sub, leaf = chain(own)
    lists = folder(bed, own.authority.crl("root"), own.authority.crl("sub", [leaf], sub),
                   sub.pem)
    both(own, leaf, "certificate_revoked", "revoked", f"crl = {lists}")


def test_chain_not_revoked(bed):
    own = Revoking(bed)
    sub, leaf = chain(own)
    # One file: the lists, and the certificate that vouches for the second one.
    text = b""
    for name in (own.authority.crl("sub", [own.bad], sub), own.authority.crl("root"), sub.pem):
        with open(name, "rb") as file:
            text += file.read()
    let_in(own, leaf, f"crl = {bed.write('all.pem', text)}")


def test_no_list_of_the_issuer(bed):
    own = Revoking(bed)
    _, leaf = chain(own)
    both(own, leaf, "certificate_unknown", "revocation_unknown",
         f"crl = {own.authority.crl('root')}")


def expired(own, certificate, *lines):
    """What becomes of a client when the list is out of date; its log lines."""
    with own.bed() as bed:
        server = inbound.serve(bed, identity=identity(*lines))
        answer = odd.dial(bed.port, odd.client_context(own.authority, certificate))
        one = inbound.report(server, 0)
        return answer.alert, one["end"], bed.audit("server")


def test_expired(bed):
    own = Revoking(bed)
    crl = own.authority.crl("list", [], days=(-5, -1))
    alert, end, lines = expired(own, own.bad, f"crl = {crl}")
    equal((alert, end), ("certificate_unknown", "EPROTO"), "alert and errno")
    equal([line.get("reason") for line in lines if line["event"] == "handshake_failed"],
          ["crl_expired"], "reasons")
    refuse_server(own, own.bad, "certificate_unknown", "crl_expired", f"crl = {crl}")


def test_expired_and_used(bed):
    own = Revoking(bed)
    crl = own.authority.crl("list", [own.bad], days=(-5, -1))
    other = own.authority.issue("other", SERVER_NAMES + "," + CLIENT_NAMES)
    lines = (f"crl = {crl}", "crl_expired = warn")
    let_in(own, other, *lines)
    refuse_client(own, own.bad, "certificate_revoked", "revoked", *lines)
    with own.bed() as inner:
        inbound.serve(inner, identity=identity(*lines))
        for _ in range(2):
            context = odd.client_context(own.authority, other)
            equal(odd.ask(inner.port, context), b"hello", "echo")
        inner.audited("server", event="warning")
        warnings = inner.audit("server", event="warning")
        equal([("out of date" in line["detail"]) for line in warnings], [True], "warnings")


def test_a_newer_list_beside_an_old_one(bed):
    own = Revoking(bed)
    lists = folder(bed, own.authority.crl("old", days=(-5, -1)), own.authority.crl("new"))
    let_in(own, own.bad, f"crl = {lists}")


def test_mtlsctl(bed):
    """As the documentation has users do it."""
    def ca(*words):
        subprocess.run([MTLSCTL, "ca", *words, "--dir", bed.path("ca")], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)

    class Development:
        """What Revoking offers."""
        class authority:  # pylint: disable=invalid-name
            """What a Bed wants to know."""
            folder = bed.path("ca")
            pem = bed.path("ca/ca.pem")

        @staticmethod
        def bed():
            return Bed(Development.authority)

    ca("init")
    for name, kind in (("server", "--server"), ("client", "--client"), ("bad", "--client")):
        ca("issue", name, kind, "--dns", "localhost", "--ip", "127.0.0.1")
    ca("revoke", "bad")
    ca("crl")
    refuse_client(Development, Certificate(bed.path("ca"), "bad"), "certificate_revoked",
                  "revoked", "crl = " + bed.path("ca/ca.crl"))


HANDSHAKES = [name.removeprefix("test_") for name in list(globals()) if name.startswith("test_")]

# ---- lists that are not taken ---------------------------------------------------------


def refused_at_load(bed, crl, words, own=None):
    authority = own.authority if own else bed.authority
    bed.policy("p", "", {"own": (bed.client_cert, authority.pem, f"crl = {crl}")})
    done = subprocess.run([MTLSCTL, "check", bed.path("p.ini")], capture_output=True,
                          text=True, timeout=30)
    equal(done.returncode, 78, f"status of {done.stdout}")
    lines = done.stderr.splitlines()
    equal(len(lines), 1, f"problems: {lines}")
    equal(lines[0].startswith(bed.path("p.ini") + ":10: "), True, f"line of {lines[0]}")
    equal(words in lines[0], True, f"{words} in {lines[0]}")


def test_list_of_another_ca(bed):
    foreign = Authority(bed.path("foreign"), "foreign-ca")
    refused_at_load(bed, foreign.crl("list"), "neither in trust")


def test_list_of_another_ca_of_the_same_name(bed):
    foreign = Authority(bed.path("foreign"), "ca")
    refused_at_load(bed, foreign.crl("list"), "not signed by the CA that it names")


def test_list_of_a_leaf(bed):
    leaf = bed.authority.issue("signing-leaf")
    text = b""
    for name in (bed.authority.crl("leaf", [], leaf), leaf.pem):
        with open(name, "rb") as file:
            text += file.read()
    refused_at_load(bed, bed.write("both.pem", text), "neither in trust")


def test_list_that_was_changed(bed):
    own = bed.authority.crl("changed", [bed.client_cert])
    done = subprocess.run(["openssl", "crl", "-in", own, "-outform", "DER"], check=True,
                          timeout=30, capture_output=True)
    serial = bytes.fromhex(bed.client_cert.serial.zfill(40))
    equal(done.stdout.count(serial), 1, "the serial in the list")
    changed = done.stdout.replace(serial, serial[:-1] + bytes([serial[-1] ^ 1]))
    refused_at_load(bed, bed.write("changed.crl", changed), "not signed by the CA")


def test_list_from_the_future(bed):
    refused_at_load(bed, bed.authority.crl("future", days=(1, 5)), "from the future")


def test_delta_list(bed):
    crl = bed.authority.crl("delta", extensions="2.5.29.27=critical,DER:020101\n")
    refused_at_load(bed, crl, "critical extension")


def test_anchor_revoked(bed):
    own = Revoking(bed)
    sub, _ = chain(own)
    with open(own.authority.pem, "ab") as trust, open(sub.pem, "rb") as file:
        trust.write(file.read())
    refused_at_load(bed, own.authority.crl("root", [sub]), "in trust", own)


def test_no_list(bed):
    refused_at_load(bed, bed.authority.pem, "holds no revocation list")


def test_no_file(bed):
    refused_at_load(bed, bed.path("none.crl"), "No such file")


def test_empty_folder(bed):
    refused_at_load(bed, folder(bed), "no *.pem or *.crl")


def test_garbage(bed):
    refused_at_load(bed, bed.write("x.crl", b"0\x03garbage"), "cannot be read")


def test_cut(bed):
    with open(bed.authority.crl("whole"), "rb") as file:
        text = file.read()
    refused_at_load(bed, bed.write("cut.crl", text[:len(text) // 2]), "broken PEM")


if __name__ == "__main__":
    main(globals(), needs_shim=HANDSHAKES)
