#!/usr/bin/env python3
"""What `mtlsctl ca` makes, in use: chains of a CA below the root, PKCS#12 and name constraints
with a running shim, and renewal under a running server."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certs import Certificate  # noqa: E402
from harness import MTLSCTL, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

EVIL = """[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = p
[p]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost
"""


def ca(bed, *words):
    done = subprocess.run([MTLSCTL, "ca", *words], cwd=bed.dir, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"ca {words}: {done.stdout}{done.stderr}")


def write_policy(bed, name, rule, identity):
    return bed.write(name, "[shim]\nlog = none\ndefault_inbound = deny\n"
                     f"default_outbound = deny\n[identity own]\ntrust = ca/ca.pem\n{identity}"
                     f"{rule}mode = mtls\nidentity = own\n")


def pem(name, folder="ca"):
    return f"certificate = {folder}/{name}.pem\nprivate_key = {folder}/{name}.key\n"


def serve(bed, identity, name="server"):
    port = free_port()
    policy = write_policy(bed, name + ".ini", f"[inbound in]\nlocal = *:{port}\n", identity)
    bed.start(name, bed.python("echo_server.py", "threading", port), policy).listens(port)
    return port


def probe(bed, port, identity):
    policy = write_policy(bed, "probe.ini", f"[outbound out]\nremote = *:{port}\n", identity)
    done = subprocess.run([MTLSCTL, "probe", f"localhost:{port}", "-p", policy],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def make(bed):
    ca(bed, "init", "--path-length", "1")
    ca(bed, "sub", "site", "--permit", "dns:localhost", "--permit", "dns:client.internal")
    ca(bed, "issue", "localhost", "--dir", "ca/site", "--server")
    ca(bed, "issue", "client.internal", "--dir", "ca/site", "--client")


def test_chain(bed):
    make(bed)
    port = serve(bed, pem("localhost", "ca/site"))
    status, text = probe(bed, port, pem("client.internal", "ca/site"))
    equal(status, 0, f"both chains are accepted ({text})")


def test_pkcs12(bed):
    make(bed)
    os.close(os.open(bed.path("pass"), os.O_CREAT | os.O_WRONLY, 0o600))
    with open(bed.path("pass"), "w", encoding="ascii") as file:
        file.write("open sesame\n")
    lines = "pkcs12 = ca/site/{}.p12\npassphrase_file = pass\n"
    for name in ("localhost", "client.internal"):
        ca(bed, "p12", name, "--dir", "ca/site", "--passphrase-file", "pass")
    port = serve(bed, lines.format("localhost"))
    status, text = probe(bed, port, lines.format("client.internal"))
    equal(status, 0, f"both are accepted, with their chains ({text})")


def test_name_constraints(bed):
    """What the CA's key signed against its constraints is refused in the handshake."""
    ca(bed, "init", "--path-length", "1")
    ca(bed, "sub", "site", "--permit", "dns:site.internal")
    ca(bed, "issue", "mine", "--client")
    bed.write("ca.cnf", EVIL)
    bed.write("index.txt", "")
    run = {"cwd": bed.dir, "check": True, "capture_output": True}
    subprocess.run(["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-keyout", "evil.key", "-out", "evil.csr",
                    "-subj", "/CN=localhost"], **run)
    subprocess.run(["openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", "evil.csr",
                    "-cert", "ca/site/ca.pem", "-keyfile", "ca/site/ca.key", "-days", "9",
                    "-extensions", "leaf", "-out", "evil.pem"], **run)
    port = free_port()
    server = bed.start("evil", ["openssl", "s_server", "-accept", port, "-cert", bed.path("evil.pem"),
                                "-key", bed.path("evil.key"), "-cert_chain", bed.path("ca/site/ca.pem"),
                                "-quiet"], stdin=subprocess.PIPE).listens(port)
    status, text = probe(bed, port, pem("mine"))
    equal(status, 1, f"it is refused ({text})")
    wait_until(lambda: "bad certificate" in server.err, "the server to get the alert")


def test_renewal_under_a_running_server(bed):
    """The server goes on and comes to show the new pair; whoever starts afterwards has it."""
    make(bed)
    identity = pem("localhost", "ca/site")
    client = pem("client.internal", "ca/site")
    port = serve(bed, identity)
    for words in ([], ["--keep-key"]):
        ca(bed, "renew", "localhost", "--dir", "ca/site", *words)
        ca(bed, "renew", "client.internal", "--dir", "ca/site", *words)
        status, text = probe(bed, port, client)
        equal(status, 0, f"the running server and a renewed client ({text})")
        wanted = Certificate(bed.path("ca/site"), "localhost").serial
        wait_until(lambda: wanted in probe(bed, port, client)[1],
                   "the running server to show the renewed certificate", 30)
    status, text = probe(bed, serve(bed, identity, "later"), client)
    equal(status, 0, f"a server that starts with the renewed pair ({text})")


if __name__ == "__main__":
    main(globals(), needs_shim=("chain", "pkcs12", "renewal_under_a_running_server"))
