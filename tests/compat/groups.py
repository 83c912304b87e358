#!/usr/bin/env python3
"""Groups of the key exchange: what the policy names is what is used, with OpenSSL and GnuTLS
at the other end and between two shimmed programs; and a HelloRetryRequest, either way."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import interop  # noqa: E402
from harness import BUILD, Bed, LeftOut, digest, equal, main, payload  # noqa: E402

SUITE = "TLS_AES_128_GCM_SHA256"
# RFC 8446, section 4.1.3: the random of a HelloRetryRequest.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
HYBRID = "X25519MLKEM768 X25519 P-256"


def newer():
    """OpenSSL with the hybrid group, which tools/setup.sh has fetched."""
    command = os.path.join(BUILD, "compat/openssl/openssl")
    if not os.path.exists(command):
        raise LeftOut("OpenSSL 3.5 could not be fetched")
    return command


def prepare(bed: Bed, server="", client="", version="1.3"):
    def lines(groups):
        return f"min_version = {version}\n" + (f"groups = {groups}\n" if groups else "")
    bed.pair(server_identity=lines(server), client_identity=lines(client))


def check(bed, name, group, retries):
    equal(bed.audited(name, event="handshake_ok")["group"], group, f"{name}'s group")
    equal(sum(r.server.count(RETRY) for r in bed.relay.recordings), retries,
          "HelloRetryRequests on the wire")


def openssl_client(bed, ours, theirs, group, retries=0, command="openssl"):
    prepare(bed, server=ours)
    interop.talk_as_client(bed, SUITE, [
        command, "s_client", "-quiet", "-connect", f"127.0.0.1:{bed.relay.port}",
        "-cert", bed.client_cert.pem, "-key", bed.client_cert.key, "-CAfile", bed.authority.pem,
        "-verify_return_error", "-verify_hostname", "localhost",
        *(("-groups", theirs) if theirs else ()), *interop.openssl_words(SUITE)])
    check(bed, "server", group, retries)


def openssl_server(bed, ours, theirs, group, retries=0, command="openssl"):
    prepare(bed, client=ours)
    data = payload(100_000)
    bed.write("file", data)
    bed.start("peer", [
        command, "s_server", "-WWW", "-accept", f"127.0.0.1:{bed.port}", "-cert",
        bed.server_cert.pem, "-key", bed.server_cert.key, "-CAfile", bed.authority.pem,
        "-Verify", "2", "-verify_return_error",
        *(("-groups", theirs) if theirs else ()), *interop.openssl_words(SUITE)], cwd=bed.dir).listens(bed.port)
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*",
                      f"http://127.0.0.1:{bed.relay.port}/file"]).out
    equal(digest(got), digest(data), f"{len(got)} bytes of the file")
    check(bed, "client", group, retries)


def both_shimmed(bed, server, client, group, retries=0, version="1.3"):
    prepare(bed, server, client, version)
    data = payload(100_000)
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    with open(bed.write("data", data + b"\nQUIT\n"), "rb") as file:
        got = bed.client(["nc.openbsd", "127.0.0.1", bed.relay.port], stdin=file).out
    equal(digest(got), digest(data + b"\n"), f"{len(got)} bytes of echo")
    bed.check_all()
    check(bed, "server", group, retries)
    check(bed, "client", group, retries)


def test_default(bed):
    """With a ClientHello nearly as long as a segment."""
    both_shimmed(bed, "", "", "X25519MLKEM768")


def test_hybrid(bed):
    both_shimmed(bed, HYBRID, HYBRID, "X25519MLKEM768")


def test_hybrid_alone(bed):
    both_shimmed(bed, "X25519MLKEM768", "X25519MLKEM768", "X25519MLKEM768")


def test_p256(bed):
    both_shimmed(bed, "P-256", "P-256", "P-256")


def test_p384(bed):
    both_shimmed(bed, "P-384", "P-384", "P-384")


def test_p521(bed):
    both_shimmed(bed, "P-521", "P-521", "P-521")


def test_retry_between_us(bed):
    both_shimmed(bed, "P-256", "X25519 P-256", "P-256", 1)


def test_no_retry_where_the_server_has_no_hybrid(bed):
    """The key for the other group is there already."""
    both_shimmed(bed, "X25519 P-256", "", "X25519")


def test_no_retry_where_the_client_has_no_hybrid(bed):
    both_shimmed(bed, "", "X25519 P-256", "X25519")


def test_retry_from_default(bed):
    both_shimmed(bed, "P-256", "", "P-256", 1)


def test_retry_to_hybrid(bed):
    """A client that has it, but does not begin with it."""
    both_shimmed(bed, "X25519MLKEM768", "P-256 X25519MLKEM768", "X25519MLKEM768", 1)


def test_hybrid_beside_p256(bed):
    both_shimmed(bed, "P-256", "X25519MLKEM768 P-256", "P-256")


def test_default_with_tls12_at_most(bed):
    prepare(bed, server="", client="", version="1.2\nmax_version = 1.2")
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    with open(bed.write("data", payload(1000) + b"\nQUIT\n"), "rb") as file:
        bed.client(["nc.openbsd", "127.0.0.1", bed.relay.port], stdin=file)
    line = bed.audited("client", event="handshake_ok")
    equal((line["version"], line["group"]), ("1.2", "X25519"), "version and group")


def test_none_in_common(bed):
    prepare(bed, "P-256", "P-384")
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    client = bed.start("client", ["nc.openbsd", "127.0.0.1", bed.relay.port],
                       bed.client_policy, stdin=subprocess.DEVNULL)
    client.wait()
    equal(bed.audited("client", event="handshake_failed")["reason"], "peer_alert",
          "the client's reason")
    equal(bed.audited("server", event="handshake_failed")["reason"], "cipher_mismatch",
          "the server's reason")


def test_openssl_client(bed):
    openssl_client(bed, "", "X25519:P-256", "X25519")


def test_openssl_client_is_asked_again(bed):
    openssl_client(bed, "P-384", "X25519:P-384", "P-384", 1)


def test_openssl_client_of_a_hybrid_server(bed):
    openssl_client(bed, HYBRID, "X25519:P-256", "X25519")


def test_openssl_server(bed):
    openssl_server(bed, "", "X25519:P-256", "X25519")


def test_openssl_server_asks_again(bed):
    openssl_server(bed, "X25519 P-384", "P-384", "P-384", 1)


def test_openssl_server_asks_default_again(bed):
    openssl_server(bed, "", "P-256", "P-256", 1)


def test_openssl_client_of_default_is_asked_again(bed):
    openssl_client(bed, "P-256", "X25519:P-256", "P-256", 1)


def test_openssl_server_p521(bed):
    openssl_server(bed, "P-521 P-256", "P-521", "P-521")


# With OpenSSL 3.5: (what we are given, what it is given, the group, retries). The defaults
# of both are the hybrid group.
AS_CLIENT = {
    "": ("", "", "X25519MLKEM768", 0),
    "_of_the_hybrid_alone": ("", "X25519MLKEM768", "X25519MLKEM768", 0),
    "_without_the_hybrid": ("", "X25519", "X25519", 0),
    "_is_asked_for_the_hybrid": ("X25519MLKEM768", "*P-256:X25519MLKEM768",
                                 "X25519MLKEM768", 1),
}
AS_SERVER = {
    "": ("", "", "X25519MLKEM768", 0),
    "_of_the_hybrid_alone": ("", "X25519MLKEM768", "X25519MLKEM768", 0),
    "_without_the_hybrid": ("", "X25519", "X25519", 0),
    "_asks_for_the_hybrid": ("P-256 X25519MLKEM768", "X25519MLKEM768", "X25519MLKEM768", 1),
}


def add_tests(role, other_end, rows):
    for name, row in rows.items():
        def test(bed, row=row):
            other_end(bed, *row, newer())
        globals()[f"test_newer_openssl_{role}{name}"] = test


add_tests("client", openssl_client, AS_CLIENT)
add_tests("server", openssl_server, AS_SERVER)


def gnutls(bed, ours, group):
    prepare(bed, server=ours)
    interop.talk_as_client(bed, SUITE, [
        "gnutls-cli", "--logfile", bed.path("gnutls.log"), "--x509cafile", bed.authority.pem,
        "--x509certfile", bed.client_cert.pem, "--x509keyfile", bed.client_cert.key,
        "--sni-hostname", "localhost", "--verify-hostname", "localhost",
        *interop.gnutls_words(SUITE), "-p", bed.relay.port, "127.0.0.1"])
    equal(bed.audited("server", event="handshake_ok")["group"], group, "group")


def test_gnutls_client(bed):
    gnutls(bed, "", "X25519")


def test_gnutls_client_of_a_hybrid_server(bed):
    gnutls(bed, "X25519MLKEM768 P-256", "P-256")


def test_gnutls_client_p521(bed):
    gnutls(bed, "P-521", "P-521")


TLS12 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


def tls12_client(bed, groups):
    return ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{bed.relay.port}",
            "-cert", bed.client_cert.pem, "-key", bed.client_cert.key, "-CAfile",
            bed.authority.pem, "-groups", groups, *interop.openssl_words(TLS12)]


def test_tls12(bed):
    prepare(bed, server="P-384 P-256", version="1.2")
    interop.talk_as_client(bed, TLS12, tls12_client(bed, "P-256"))
    check(bed, "server", "P-256", 0)


def test_tls12_outside_the_list(bed):
    prepare(bed, server="P-384", version="1.2")
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    bed.start("peer", tls12_client(bed, "P-256"), stdin=subprocess.PIPE).wait()
    equal(bed.audited("server", event="handshake_failed")["reason"], "cipher_mismatch",
          "reason")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
