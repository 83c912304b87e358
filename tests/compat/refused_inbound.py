#!/usr/bin/env python3
"""A shimmed server refuses: each odd client gets its alert, the program its errno and not
one byte, the audit log the reason; and the next good client is served."""

import json
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Authority  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def serve(bed: Bed, rule="", identity="", **shim):
    bed.pair(server_rule=rule, server_identity=identity, **shim)
    return bed.serve(bed.python("report_server.py", bed.port))


def report(server, number, seconds=10):
    def find():
        for line in server.out.splitlines():
            one = json.loads(line)
            if one["number"] == number:
                return one
        return None
    return wait_until(find, f"the server's report on connection {number}", seconds)


def check_refused(bed, server, errno, reasons):
    """The first connection was refused; a good client is served all the same."""
    event = "denied" if errno == "EACCES" else "handshake_failed"
    one = report(server, 0)
    equal(one["got"], 0, "bytes that reached the program")
    equal(one["end"], errno, "errno of the first read")
    line = bed.audited("server", event=event)
    equal(line["reason"] in reasons, True, f"audit reason {line['reason']}, wanted {reasons}")
    equal(line.get("direction"), "inbound", "audit direction")
    equal(line.get("rule"), "test", "audit rule")
    good = odd.client_context(bed.authority, bed.client_cert)
    equal(odd.ask(bed.port, good), b"hello", "what a good client is echoed")
    equal(report(server, 1)["got"], 5, "bytes from the good client")
    equal(len(bed.audit("server", event=event)), 1, "lines about one refusal")
    return line


def refuse(bed, context, errno, alerts, reasons, rule="", identity="", peer=None):
    server = serve(bed, rule, identity)
    answer = odd.dial(bed.port, context)
    equal(answer.data, b"", "what the refused client was sent")
    line = check_refused(bed, server, errno, reasons)
    equal(answer.alert in alerts, True, f"alert {answer.alert}, wanted {alerts}")
    if peer:
        equal(line.get("peer_serial"), peer.serial, "the refused peer's serial in the log")
        equal(f"CN={peer.name}" in line.get("peer_subject", ""), True,
              f"the refused peer's subject {line.get('peer_subject')}")


def refuse_certificate(bed, certificate, alerts, reasons, errno="EPROTO", rule=""):
    for maximum in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        with Bed(bed.authority) as inner:
            refuse(inner, odd.client_context(bed.authority, certificate, maximum), errno,
                   alerts, reasons, rule, "min_version = 1.2", certificate)


def test_no_certificate_tls13(bed):
    refuse(bed, odd.client_context(bed.authority), "EPROTO", ["certificate_required"],
           ["no_certificate"])


def test_no_certificate_tls12(bed):
    refuse(bed, odd.client_context(bed.authority, None, ssl.TLSVersion.TLSv1_2), "EPROTO",
           ["handshake_failure"], ["no_certificate"], identity="min_version = 1.2")


def test_foreign_ca(bed):
    foreign = Authority(bed.path("foreign"), "foreign-ca").issue("stranger", CLIENT_NAMES)
    refuse_certificate(bed, foreign, ["unknown_ca"], ["unknown_ca"])


def test_same_name_ca(bed):
    """A CA that has our CA's name but not its key."""
    foreign = Authority(bed.path("foreign"), "ca").issue("stranger", CLIENT_NAMES)
    refuse_certificate(bed, foreign, ["unknown_ca", "bad_certificate", "decrypt_error"],
                       ["unknown_ca", "bad_certificate"])


def test_expired(bed):
    old = bed.authority.issue("old", CLIENT_NAMES, "clientAuth", days=(-5, -1))
    refuse_certificate(bed, old, ["certificate_expired"], ["expired"])


def test_not_yet_valid(bed):
    new = bed.authority.issue("new", CLIENT_NAMES, "clientAuth", days=(1, 5))
    refuse_certificate(bed, new, ["bad_certificate", "certificate_expired"],
                       ["not_yet_valid"])


def test_wrong_usage(bed):
    wrong = bed.authority.issue("wrong", CLIENT_NAMES, "serverAuth")
    refuse_certificate(bed, wrong, ["unsupported_certificate", "bad_certificate"],
                       ["wrong_usage"])


def test_leaf_signs_leaf(bed):
    leaf = bed.authority.issue("leaf", CLIENT_NAMES)
    forged = bed.authority.issue("forged", CLIENT_NAMES, signer=leaf)
    refuse_certificate(bed, forged, ["unknown_ca", "bad_certificate"],
                       ["unknown_ca", "bad_certificate"])


def test_denied_by_allow(bed):
    mallory = certificate_of_mallory(bed)
    refuse_certificate(bed, mallory, ["access_denied"], ["denied_by_allow"], "EACCES",
                       "allow = uri:spiffe://test/client\n")


def certificate_of_mallory(bed):
    return bed.authority.issue("mallory", "URI:spiffe://test/mallory,DNS:mallory.test",
                               "clientAuth")


def test_denied_by_deny(bed):
    mallory = certificate_of_mallory(bed)
    refuse(bed, odd.client_context(bed.authority, mallory), "EACCES", ["access_denied"],
           ["denied_by_deny"], f"allow = uri:spiffe://test/*\ndeny = serial:{mallory.serial}\n",
           peer=mallory)


def test_denied_by_rule(bed):
    """A rule of mode deny: whatever accept says, no byte passes either way."""
    bed.pair()
    bed.server_policy = bed.policy(
        "server", f"[inbound test]\nlocal = *:{bed.port}\nmode = deny\n")
    server = bed.serve(bed.python("report_server.py", bed.port))
    for _ in range(2):
        try:
            with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as sock:
                sock.sendall(odd.APPLICATION_DATA)
                equal(sock.recv(100), b"", "what the client was sent")
        except (ConnectionResetError, BrokenPipeError):
            pass  # it comes when it comes: to connect, send or recv
    equal(bed.audited("server", event="denied")["reason"], "denied_by_rule", "audit reason")
    equal(server.process.poll(), None, "the server's exit status")
    for line in server.out.splitlines():
        equal(json.loads(line)["got"], 0, "bytes that reached the program")


def test_version_too_old(bed):
    refuse(bed, odd.client_context(bed.authority, bed.client_cert, ssl.TLSVersion.TLSv1_2),
           "EPROTO", ["protocol_version"], ["version_mismatch"],
           identity="min_version = 1.3")


def test_no_cipher_in_common(bed):
    server = serve(bed, identity="ciphers = TLS_AES_128_GCM_SHA256")
    bed.start("odd", ["openssl", "s_client", "-connect", f"127.0.0.1:{bed.port}", "-tls1_3",
                      "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]).wait()
    check_refused(bed, server, "EPROTO", ["cipher_mismatch"])
    equal("alert handshake failure" in bed.programs[-1].err, True,
          f"s_client's alert in {bed.programs[-1].err}")


def refuse_raw(bed, data, reasons, errno="EPROTO", ending="wait"):
    """A client that sends these bytes and then waits, closes or resets."""
    server = serve(bed)
    with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as sock:
        sock.sendall(data)
        if ending == "reset":
            # Not before the server has read what was sent.
            wait_until(lambda: unread(bed.port) == 0, "the server to read")
            odd.reset(sock)
        else:
            if ending == "close":
                sock.shutdown(socket.SHUT_WR)
            try:
                answer = sock.recv(1000)
                equal(b"MTLS-TEST" in answer, False, "an answer in clear")
                equal(answer == b"" or answer[0] == 21, True, f"answer {answer[:20]!r}")
            except ConnectionResetError:
                pass
    check_refused(bed, server, errno, reasons)


def unread(port):
    """Bytes waiting in receive queues of connections to a local port; None = none there."""
    waiting = None
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[3] == "01":
                waiting = (waiting or 0) + int(fields[4].split(":")[1], 16)
    return waiting


def test_plaintext_client(bed):
    refuse_raw(bed, b"GET / HTTP/1.0\r\n\r\n", ["not_tls"])


def test_short_plaintext_client(bed):
    refuse_raw(bed, b"QUIT\n", ["not_tls"])


def test_garbage(bed):
    refuse_raw(bed, bytes(range(200, 256)) * 100, ["not_tls"])


def test_garbage_in_a_record(bed):
    refuse_raw(bed, b"\x16\x03\x01\x01\x00" + bytes(range(256)), ["protocol_error"])


def test_hello_of_impossible_length(bed):
    """Nobody waits for what would not be taken."""
    refuse_raw(bed, b"\x16\x03\x01\x00\x06\x01\xff\xff\xff\x03\x03", ["protocol_error"])


def test_application_data_first(bed):
    refuse_raw(bed, b"\x17\x03\x03\x00\x40" + bytes(64), ["protocol_error", "not_tls"])


def test_oversized_record(bed):
    refuse_raw(bed, b"\x16\x03\x01\xff\xff" + bytes(1000), ["protocol_error", "not_tls"])


def test_closed_in_a_record(bed):
    refuse_raw(bed, odd.client_hello(bed.authority)[:100], ["peer_closed"], "ECONNRESET",
               "close")


def test_closed_at_once(bed):
    refuse_raw(bed, b"", ["peer_closed"], "ECONNRESET", "close")


def test_reset_in_a_record(bed):
    refuse_raw(bed, odd.client_hello(bed.authority)[:100], ["peer_reset"], "ECONNRESET",
               "reset")


def test_silent_client(bed):
    server = serve(bed, handshake_timeout="1s")
    good = odd.client_context(bed.authority, bed.client_cert)
    with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as sock:
        # While it says nothing the others are served.
        for number in range(3):
            equal(odd.ask(bed.port, good), b"hello", f"echo {number}")
            equal(report(server, 1 + number)["got"], 5, f"client {number}")
        equal(server.out.count(b'"number": 0'), 0, "reports on the silent one so far")
        one = report(server, 0, 5)
        equal(one["got"], 0, "bytes that reached the program")
        equal(one["end"], "ETIMEDOUT", "errno of the first read")
        equal(bed.audited("server", event="handshake_failed")["reason"], "handshake_timeout",
              "audit reason")
        try:
            equal(sock.recv(100)[:1] in (b"", b"\x15"), True, "the end")
        except ConnectionResetError:
            pass


def test_slow_client(bed):
    """A byte of the ClientHello now and then does not keep a handshake alive for ever."""
    server = serve(bed, handshake_timeout="1s")
    hello = odd.client_hello(bed.authority)
    with socket.create_connection(("127.0.0.1", bed.port), timeout=0.2) as sock:
        for number in range(40):
            try:
                sock.sendall(hello[number:number + 1])
                if not sock.recv(100):
                    break
            except socket.timeout:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        else:
            raise AssertionError("the handshake went on for ever")
    equal(report(server, 0)["end"], "ETIMEDOUT", "errno of the first read")


def test_server_certificate_as_client(bed):
    """A certificate with both usages is let in: the refusals above are not for the names."""
    serve(bed)
    both = bed.authority.issue("both", SERVER_NAMES)
    equal(odd.ask(bed.port, odd.client_context(bed.authority, both)), b"hello", "echo")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
