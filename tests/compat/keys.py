#!/usr/bin/env python3
"""Every kind of key, with certificates by `mtlsctl ca`, as the documentation has users do."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import Certificate  # noqa: E402
from harness import MTLSCTL, Bed, digest, equal, main, payload  # noqa: E402


def ctl(bed, *words):
    subprocess.run([MTLSCTL, "ca", *words, "--dir", bed.path("ca")], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)


class DevelopmentCa:
    """What a Bed wants to know of an authority."""

    def __init__(self, bed):
        self.folder = bed.path("ca")
        self.pem = bed.path("ca/ca.pem")


def prepare(bed: Bed, ca_key, key):
    ctl(bed, "init", "--name", "Test CA", "--key", ca_key)
    ctl(bed, "issue", "localhost", "--out", bed.dir, "--server", "--key", key, "--dns",
        "localhost", "--ip", "127.0.0.1")
    ctl(bed, "issue", "billing", "--out", bed.dir, "--client", "--key", key, "--uri",
        "spiffe://corp/ns/shop/sa/billing")
    bed.authority = DevelopmentCa(bed)
    bed.server_cert = Certificate(bed.dir, "localhost")
    bed.client_cert = Certificate(bed.dir, "billing")
    bed.pair(server_rule="allow = uri:spiffe://corp/ns/*/sa/billing\n")


def transfer(bed: Bed, ca_key, key):
    prepare(bed, ca_key, key)
    talk(bed)


def talk(bed):
    data = payload(300_000)
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    with open(bed.write("data", data + b"\nQUIT\n"), "rb") as file:
        got = bed.client(["nc.openbsd", "127.0.0.1", bed.relay.port], stdin=file).out
    equal(digest(got), digest(data + b"\n"), f"{len(got)} bytes of echo")
    bed.check_all()


def test_p256(bed):
    transfer(bed, "p256", "p256")


def test_p384(bed):
    transfer(bed, "p384", "p384")


def test_ed25519(bed):
    transfer(bed, "ed25519", "ed25519")


def test_rsa2048(bed):
    transfer(bed, "rsa2048", "rsa2048")


def test_rsa3072_by_p256(bed):
    transfer(bed, "p256", "rsa3072")


def use_pkcs12(bed, policy, certificate, *kinds):
    """Puts a PKCS#12 file in the place of certificate and key."""
    made = certificate.pem.replace(".pem", ".p12")
    subprocess.run(["openssl", "pkcs12", "-export", "-inkey", certificate.key, "-in",
                    certificate.pem, "-passout", "pass:very secret", "-out", made, *kinds],
                   check=True, timeout=60)
    os.chmod(made, 0o600)
    phrase = bed.write("phrase", "very secret\n")
    os.chmod(phrase, 0o600)
    with open(policy, encoding="utf-8") as file:
        text = file.read()
    text = text.replace(f"certificate = {certificate.pem}", f"pkcs12 = {made}")
    text = text.replace(f"private_key = {certificate.key}", f"passphrase_file = {phrase}")
    with open(policy, "w", encoding="utf-8") as file:
        file.write(text)
    os.remove(certificate.key)


def test_pkcs12_p256(bed):
    prepare(bed, "p256", "p256")
    use_pkcs12(bed, bed.server_policy, bed.server_cert)
    use_pkcs12(bed, bed.client_policy, bed.client_cert, "-keypbe", "AES-128-CBC")
    talk(bed)


def test_pkcs12_rsa2048(bed):
    prepare(bed, "p256", "rsa2048")
    use_pkcs12(bed, bed.server_policy, bed.server_cert)
    use_pkcs12(bed, bed.client_policy, bed.client_cert)
    talk(bed)


if __name__ == "__main__":
    main(globals())
