#!/usr/bin/env python3
"""A shimmed client refuses: each odd server gets its alert and none of the program's bytes,
the program its errno, the audit log the reason."""

import json
import os
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from certs import SERVER_NAMES, Authority  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def run_client(bed: Bed, port, rule="", identity="", host="127.0.0.1", name="client", **shim):
    """Runs the reporting client against a port; returns (report, audit lines)."""
    policy = bed.policy(
        name, f"[outbound test]\nremote = *:{port}\nmode = mtls\nidentity = own\n{rule}",
        {"own": (bed.client_cert, bed.authority.pem, identity)}, **shim)
    program = bed.start(name, bed.python("report_client.py", host, port), policy)
    return json.loads(program.ok().out)


def first_error(report):
    """The errno of the first call that failed."""
    for step in ("connect", "send", "recv"):
        if isinstance(report.get(step), str) and report[step] != "OK":
            return report[step]
    return f"none: {report}"


def check_refused(bed, report, errno, reasons):
    event = "denied" if errno == "EACCES" else "handshake_failed"
    equal(first_error(report), errno, f"errno of the first failed call in {report}")
    line = bed.audited("client", event=event)
    equal(line["reason"] in reasons, True, f"audit reason {line['reason']}, wanted {reasons}")
    equal(line.get("direction"), "outbound", "audit direction")
    equal(line.get("rule"), "test", "audit rule")
    equal(len(bed.audit("client", event=event)), 1, "lines about one refusal")
    return line


def refuse(bed, context, errno, alerts, reasons, peer=None, **how):
    with odd.tls_server(context) as server:
        report = run_client(bed, server.port, **how)
        wait_until(lambda: server.answers, "the server to see the end")
    answer = server.answers[0]
    equal(answer.data, b"", "what the refused server was sent")
    line = check_refused(bed, report, errno, reasons)
    equal(report["connect"], errno, "errno of connect, which waits for the handshake")
    equal(answer.alert in alerts, True, f"alert {answer.alert}, wanted {alerts}")
    if peer:
        equal(line.get("peer_serial"), peer.serial, "the refused peer's serial in the log")


def refuse_certificate(bed, certificate, alerts, reasons, errno="EPROTO", **how):
    for maximum in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        with Bed(bed.authority) as inner:
            refuse(inner, odd.server_context(bed.authority, certificate, maximum), errno,
                   alerts, reasons, certificate, identity="min_version = 1.2", **how)


def test_good_server(bed):
    """The yardstick: with the right papers the same server hears the program."""
    with odd.tls_server(odd.server_context(bed.authority, bed.server_cert)) as server:
        report = run_client(bed, server.port)
        wait_until(lambda: server.answers, "the server to see the end")
    equal((report["connect"], report["send"]), ("OK", 16), "connect and send")
    equal(server.answers[0].data, b"MTLS-TEST-MARKER", "what the server was sent")


def test_foreign_ca(bed):
    foreign = Authority(bed.path("foreign"), "foreign-ca").issue("stranger", SERVER_NAMES)
    refuse_certificate(bed, foreign, ["unknown_ca"], ["unknown_ca"])


def test_expired(bed):
    old = bed.authority.issue("old-server", SERVER_NAMES, "serverAuth", days=(-5, -1))
    refuse_certificate(bed, old, ["certificate_expired"], ["expired"])


def test_not_yet_valid(bed):
    new = bed.authority.issue("new-server", SERVER_NAMES, "serverAuth", days=(1, 5))
    refuse_certificate(bed, new, ["bad_certificate", "certificate_expired"],
                       ["not_yet_valid"])


def test_wrong_usage(bed):
    wrong = bed.authority.issue("wrong-server", SERVER_NAMES, "clientAuth")
    refuse_certificate(bed, wrong, ["unsupported_certificate", "bad_certificate"],
                       ["wrong_usage"])


def test_leaf_signs_leaf(bed):
    leaf = bed.authority.issue("leaf-server", SERVER_NAMES)
    forged = bed.authority.issue("forged-server", SERVER_NAMES, signer=leaf)
    refuse_certificate(bed, forged, ["unknown_ca", "bad_certificate"],
                       ["unknown_ca", "bad_certificate"])


NAME_ALERTS = ["bad_certificate", "certificate_unknown"]


def test_wrong_name(bed):
    other = bed.authority.issue("other", "DNS:other.test,IP:127.0.0.2", "serverAuth")
    refuse_certificate(bed, other, NAME_ALERTS, ["name_mismatch"])


def test_wrong_dialled_name(bed):
    """The program resolved localhost: the address in the certificate does not help."""
    other = bed.authority.issue("address", "DNS:other.test,IP:127.0.0.1", "serverAuth")
    refuse_certificate(bed, other, NAME_ALERTS, ["name_mismatch"], host="localhost")


def test_wrong_peer_name(bed):
    refuse_certificate(bed, bed.server_cert, NAME_ALERTS, ["name_mismatch"],
                       rule="peer_name = db.internal\n")


def test_name_only_in_the_subject(bed):
    """A common name is no name: only subject alternative names count."""
    plain = bed.authority.issue("localhost", "", "serverAuth")
    refuse_certificate(bed, plain, NAME_ALERTS, ["name_mismatch"], host="localhost")


def test_denied_by_allow(bed):
    refuse_certificate(bed, bed.server_cert, ["access_denied"], ["denied_by_allow"], "EACCES",
                       rule="allow = dns:db.internal\n")


def test_denied_by_deny(bed):
    refuse_certificate(bed, bed.server_cert, ["access_denied"], ["denied_by_deny"], "EACCES",
                       rule="deny = dns:server.test\n")


def test_denied_by_rule(bed):
    with odd.Server(lambda conn, answer: None) as server:
        policy = bed.policy("client", f"[outbound test]\nremote = *:{server.port}\nmode = deny\n")
        report = json.loads(bed.start(
            "client", bed.python("report_client.py", "127.0.0.1", server.port), policy).ok().out)
        equal(report["connect"], "EACCES", "connect")
        equal(bed.audited("client", event="denied")["reason"], "denied_by_rule", "reason")
        equal(server.answers, [], "connections to the server")


def test_denied_by_default(bed):
    with odd.Server(lambda conn, answer: None) as server:
        policy = bed.policy("client", "[outbound other]\nremote = *:1\nmode = plaintext\n")
        report = json.loads(bed.start(
            "client", bed.python("report_client.py", "127.0.0.1", server.port), policy).ok().out)
        equal(report["connect"], "EACCES", "connect")
        equal(server.answers, [], "connections to the server")
    line = bed.audited("client", event="denied")
    equal((line["reason"], line["rule"]), ("denied_by_rule", "default"), "reason and rule")


def test_version_too_old(bed):
    context = odd.server_context(bed.authority, bed.server_cert, ssl.TLSVersion.TLSv1_2)
    with odd.tls_server(context) as server:
        report = run_client(bed, server.port, identity="min_version = 1.3")
        wait_until(lambda: server.answers, "the server to see the end")
    # The server is the one that notices: the ClientHello offers 1.3 only.
    equal(server.answers[0].data, b"", "what the server was sent")
    equal(server.answers[0].alert in ("SSLError", "protocol_version"), True,
          f"how it went for the server: {server.answers[0].alert}")
    equal(first_error(report) in ("EPROTO", "ECONNRESET"), True, f"errno in {report}")
    line = bed.audited("client", event="handshake_failed")
    equal(line["reason"], "version_mismatch", f"audit reason, {line}")


def test_refused_by_the_server(bed):
    """The server does not trust us; connect waits long enough to hear it in TLS 1.2, in 1.3
    the alert may come after the handshake is done for us."""
    foreign = Authority(bed.path("foreign"), "foreign-ca")
    for maximum in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = odd.server_context(foreign, bed.server_cert, maximum)
        with Bed(bed.authority) as inner, odd.tls_server(context) as server:
            report = run_client(inner, server.port, identity="min_version = 1.2")
            equal(first_error(report) in ("ECONNRESET", "EPIPE"), True, f"errno in {report}")
            if maximum == ssl.TLSVersion.TLSv1_2:
                equal(report["connect"], "ECONNRESET", "connect")
                equal(inner.audited("client", event="handshake_failed")["reason"],
                      "peer_alert", "audit reason")
            wait_until(lambda: server.answers, "the server to see the end")
            equal(server.answers[0].data, b"", "what the server was sent")


def refuse_raw(bed, behave, errno, reasons, **shim):
    with odd.raw_server(behave) as server:
        start = time.monotonic()
        report = run_client(bed, server.port, **shim)
        took = time.monotonic() - start
        wait_until(lambda: server.answers, "the server to see the end", 15)
    equal(server.answers[0].data, b"", "what the server got instead of a ClientHello")
    check_refused(bed, report, errno, reasons)
    return report, took


def answer_with(data):
    def behave(conn):
        conn.sendall(data)
        try:
            got = conn.recv(1000)
            equal(b"MTLS-TEST" in got, False, "the program's bytes in clear")
        except ConnectionResetError:
            pass
    return behave


def test_plaintext_server(bed):
    refuse_raw(bed, answer_with(b"220 mail.test ESMTP\r\n"), "EPROTO", ["not_tls"])


def test_garbage_server(bed):
    refuse_raw(bed, answer_with(bytes(range(200, 256)) * 100), "EPROTO", ["not_tls"])


def test_garbage_in_a_record(bed):
    refuse_raw(bed, answer_with(b"\x16\x03\x03\x01\x00" + bytes(range(256))), "EPROTO",
               ["protocol_error"])


def test_alert_from_the_server(bed):
    refuse_raw(bed, answer_with(b"\x15\x03\x03\x00\x02\x02\x28"), "ECONNRESET", ["peer_alert"])


def test_silent_server(bed):
    """connect waits for connect_wait and returns 0; what comes after waits and times out."""
    def behave(conn):
        conn.settimeout(20)
        try:
            while conn.recv(1000):
                pass
        except OSError:
            pass
    report, took = refuse_raw(bed, behave, "ETIMEDOUT", ["handshake_timeout"],
                              connect_wait="200ms", handshake_timeout="1s")
    equal(report["connect"], "OK", "connect, as on TCP")
    equal(report["send"], 16, "bytes that send took into the buffer")
    equal(0.9 < took < 5, True, f"it took {took:.1f} s")


def test_closed_in_the_handshake(bed):
    refuse_raw(bed, lambda conn: None, "ECONNRESET", ["peer_closed"])


def test_closed_in_a_record(bed):
    refuse_raw(bed, lambda conn: conn.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76"),
               "ECONNRESET", ["peer_closed"])


def test_reset_in_the_handshake(bed):
    refuse_raw(bed, odd.reset, "ECONNRESET", ["peer_reset"])


if __name__ == "__main__":
    main(globals(), needs_shim=True)
