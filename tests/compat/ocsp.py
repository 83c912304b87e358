#!/usr/bin/env python3
"""OCSP: who was revoked is refused in both roles, and with `require` who cannot be vouched
for; by `openssl ocsp`, and by a responder that answers in every wrong way."""

import json
import os
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ocsp  # noqa: E402
import odd  # noqa: E402
import refused_inbound as inbound  # noqa: E402
import refused_outbound as outbound  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Authority  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

VERSIONS = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
NAMES = SERVER_NAMES + "," + CLIENT_NAMES


class Issuer:
    """An authority and a certificate of a peer by it, made once."""

    def __init__(self, bed):
        self.authority = Authority(bed.path("issuer"), "issuing-ca")
        self.peer = self.authority.issue("peer", NAMES)

    def delegate(self, name="responder", usage="OCSPSigning", **how):
        return self.authority.issue(name, usage=usage, extensions="noCheck=ignored\n", **how)


def lines(ocsp_word, url, *more):
    return "\n".join(("min_version = 1.2", f"ocsp = {ocsp_word}")
                     + ((f"ocsp_responder = {url}",) if url else ()) + more)


def client_fate(own, identity, peer=None, version=None, spoken=None):
    """What becomes of a client: (end, alert, reason, warnings)."""
    if spoken:
        spoken.set()
    with Bed(own.authority) as bed:
        server = inbound.serve(bed, identity=identity)
        context = odd.client_context(own.authority, peer or own.peer, version)
        with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as raw:
            answer = odd.Answer()
            try:
                with context.wrap_socket(raw, server_hostname="localhost") as conn:
                    conn.sendall(b"hello")
                    answer.data = conn.recv(100)
                    conn.unwrap()
            except OSError as error:
                answer.alert = odd.alert_of(error)
        one = inbound.report(server, 0)
        if one["end"] != "eof":
            bed.audited("server", event="handshake_failed")
        failed = bed.audit("server", event="handshake_failed")
        print(*[line["detail"] for line in failed])
        equal(one["got"], 0 if failed else 5, "bytes that reached the program")
        return (one["end"], answer.alert, failed[0]["reason"] if failed else None,
                [line["detail"] for line in bed.audit("server", event="warning")])


def server_fate(own, identity, peer=None, version=None, spoken=None):
    """What becomes of a server, likewise.

    spoken: is set when it has sent all that it will; what comes later would be answered
    with a reset, and the alert before that be lost.
    """
    def behave(conn, answer):
        with context.wrap_socket(conn, server_side=True) as tls:
            tls.sendall(odd.APPLICATION_DATA)
            if spoken:
                spoken.set()
            while chunk := tls.recv(4096):
                answer.data += chunk

    with Bed(own.authority) as bed:
        context = odd.server_context(own.authority, peer or own.peer, version)
        with odd.Server(behave) as server:
            report = outbound.run_client(bed, server.port, identity=identity,
                                         connect_wait="8s")
            wait_until(lambda: server.answers, "the server to see the end")
        if report["connect"] != "OK":
            bed.audited("client", event="handshake_failed")
        failed = bed.audit("client", event="handshake_failed")
        print(*[line["detail"] for line in failed])
        equal(server.answers[0].data, b"" if failed else b"MTLS-TEST-MARKER",
              "what the server was sent")
        end = report["connect"]
        return ("eof" if end == "OK" else end, server.answers[0].alert,
                failed[0]["reason"] if failed else None,
                [line["detail"] for line in bed.audit("client", event="warning")])


FATES = (client_fate, server_fate)
LET_IN = ("eof", None, None)
REVOKED = ("EPROTO", "certificate_revoked", "revoked")
FAILED = ("EPROTO", "certificate_unknown", "ocsp_failed")
UNKNOWN = ("EPROTO", "certificate_unknown", "revocation_unknown")


def in_all_ways(own, word, url, want, *more, peer=None):
    for fate in FATES:
        for version in VERSIONS:
            got = fate(own, lines(word, url, *more), peer, version)
            equal((got[0], got[2]), (want[0], want[2]),
                  f"{fate.__name__} with {version.name}, ocsp = {word}")


# ---- openssl's responder ------------------------------------------------------------------


def test_good(bed):
    own = Issuer(bed)
    responder = ocsp.OpensslResponder(bed, own.authority.root, good=[own.peer])
    in_all_ways(own, "require", responder.url, LET_IN)
    in_all_ways(own, "soft", responder.url, LET_IN)


def test_revoked(bed):
    own = Issuer(bed)
    responder = ocsp.OpensslResponder(bed, own.authority.root, revoked=[own.peer])
    in_all_ways(own, "require", responder.url, REVOKED)
    in_all_ways(own, "soft", responder.url, REVOKED)


def test_unknown(bed):
    own = Issuer(bed)
    responder = ocsp.OpensslResponder(bed, own.authority.root)
    in_all_ways(own, "require", responder.url, UNKNOWN)
    in_all_ways(own, "soft", responder.url, LET_IN)


def test_delegated(bed):
    own = Issuer(bed)
    responder = ocsp.OpensslResponder(bed, own.authority.root, good=[own.peer],
                                      signer=own.delegate())
    in_all_ways(own, "require", responder.url, LET_IN)


def test_named_by_the_certificate(bed):
    own = Issuer(bed)
    port = free_port()
    peer = own.authority.issue(
        "named", NAMES, extensions=f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/x\n")
    in_all_ways(own, "require", None, FAILED, peer=peer)


def test_off(bed):
    own = Issuer(bed)
    for fate in FATES:
        equal(fate(own, "min_version = 1.2\nocsp = off")[:3], LET_IN, "without OCSP")


# ---- every wrong way -----------------------------------------------------------------------


def check_answers(own, behave, want, soft=LET_IN):
    """What becomes of peers by the answers of one responder; returns its requests."""
    spoken = threading.Event()

    def later(body):
        spoken.wait(10)
        return behave(body)

    with ocsp.Responder(later) as responder:
        for fate in FATES:
            for word, expected in (("require", want), ("soft", soft)):
                spoken.clear()
                end = fate(own, lines(word, responder.url), spoken=spoken)
                equal(end[:3], expected, f"{fate.__name__} with ocsp = {word}")
                equal(len(end[3]), 1 if expected != want else 0, f"warnings {end[3]}")
        return responder.requests


def by_answer(own, signer=None, **how):
    signer = signer or own.authority.root
    return lambda body: ocsp.answer(ocsp.Request(body), signer, **how)


def test_own_answers(bed):
    """The yardstick for all that follow."""
    own = Issuer(bed)
    requests = check_answers(own, by_answer(own), LET_IN)
    equal({path for path, _ in requests}, {"/ocsp"}, "what was asked for")
    nonces = [ocsp.Request(body).nonce for _, body in requests]
    # Both peers, and what the server may staple: that is for everybody.
    equal((len(requests), nonces.count(None), len(set(nonces))), (6, 2, 5), "nonces")


def test_own_revoked(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, status="revoked"), REVOKED, REVOKED)


def test_no_nonce(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, nonce="none"), LET_IN)


def test_wrong_nonce(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, nonce="wrong"), FAILED)


def test_expired(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, this=-7200, until=-10), FAILED)


def test_from_the_future(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, this=600, until=7200), FAILED)


def test_undated(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, until=None), LET_IN)


def test_undated_and_old(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, this=-3600, until=None), FAILED)


def test_wrong_signature(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, break_signature=True), FAILED)


def test_signed_by_the_peer_itself(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, own.peer, certs=[own.peer]), FAILED)


def test_delegated_without_usage(bed):
    own = Issuer(bed)
    other = own.delegate(usage="serverAuth,clientAuth")
    check_answers(own, by_answer(own, other, certs=[other]), FAILED)


def test_delegated_with_usage(bed):
    own = Issuer(bed)
    other = own.delegate()
    check_answers(own, by_answer(own, other, certs=[other]), LET_IN)


def test_delegate_expired(bed):
    own = Issuer(bed)
    other = own.delegate(days=(-5, -1))
    check_answers(own, by_answer(own, other, certs=[other]), FAILED)


def test_delegate_of_another_ca(bed):
    own = Issuer(bed)
    foreign = Authority(bed.path("foreign"), "foreign-ca")
    other = foreign.issue("responder", usage="OCSPSigning")
    check_answers(own, by_answer(own, other, certs=[other]), FAILED)


def test_another_ca_of_the_same_name(bed):
    own = Issuer(bed)
    foreign = Authority(bed.path("foreign"), "issuing-ca")
    check_answers(own, by_answer(own, foreign.root, certs=[foreign.root]), FAILED)


def test_delegate_of_a_delegate(bed):
    own = Issuer(bed)
    first = own.delegate("first", is_ca=True)
    second = own.authority.issue("second", usage="OCSPSigning", signer=first)
    check_answers(own, by_answer(own, second, certs=[second, first]), FAILED)


def another_id(own, bed):
    """The CertID of another certificate, from a request for it."""
    other = own.authority.issue("other", NAMES)
    path = bed.path("other.req")
    ocsp.subprocess.run([ocsp.OPENSSL, "ocsp", "-issuer", own.authority.pem, "-cert", other.pem,
                         "-reqout", path, "-no_nonce"], check=True, timeout=30)
    with open(path, "rb") as file:
        return ocsp.Request(file.read()).cert_id


def test_about_another_certificate(bed):
    own = Issuer(bed)
    check_answers(own, by_answer(own, cert_id=another_id(own, bed)), FAILED)


def test_about_several(bed):
    own = Issuer(bed)
    other = another_id(own, bed)
    check_answers(own, by_answer(own, also=[(other, "revoked")]), LET_IN)
    check_answers(own, by_answer(own, status="revoked", also=[(other, "good")]), REVOKED,
                  REVOKED)


def test_try_later(bed):
    own = Issuer(bed)
    check_answers(own, lambda _: ocsp.refusal(3), FAILED)


def test_garbage(bed):
    own = Issuer(bed)
    check_answers(own, lambda _: b"0\x03garbage" * 100, FAILED)


def test_cut(bed):
    own = Issuer(bed)
    check_answers(own, lambda body: by_answer(own)(body)[:-20], FAILED)


def over_http(status=200, content_type="application/ocsp-response", chunks=None, length=None):
    """A good answer, sent in other ways."""
    def make(own):
        def behave(body):
            good = by_answer(own)(body)

            def send(handler):
                handler.send_response(status)
                handler.send_header("Content-Type", content_type)
                if chunks:
                    handler.send_header("Transfer-Encoding", "chunked")
                elif length:
                    handler.send_header("Content-Length", str(length))
                if status in (301, 302, 307):
                    handler.send_header("Location", "/elsewhere")
                handler.end_headers()
                if chunks:
                    parts = [good[i:i + chunks] for i in range(0, len(good), chunks)]
                    for part in parts:
                        handler.wfile.write(b"%x;x=y\r\n%s\r\n" % (len(part), part))
                    handler.wfile.write(b"0\r\n\r\n")
                else:
                    handler.wfile.write(good)
            return send
        return behave
    return make


def test_http_error(bed):
    own = Issuer(bed)
    check_answers(own, over_http(status=503)(own), FAILED)


def test_redirect(bed):
    own = Issuer(bed)
    requests = check_answers(own, over_http(status=302)(own), FAILED)
    equal({path for path, _ in requests}, {"/ocsp"}, "no redirect is followed")


def test_other_content(bed):
    own = Issuer(bed)
    check_answers(own, over_http(content_type="text/html")(own), FAILED)


def test_chunked(bed):
    own = Issuer(bed)
    check_answers(own, over_http(chunks=100)(own), LET_IN)


def test_to_the_end(bed):
    own = Issuer(bed)
    check_answers(own, over_http()(own), LET_IN)


def test_cut_short(bed):
    own = Issuer(bed)
    check_answers(own, over_http(length=5000)(own), FAILED)


def test_too_long(bed):
    own = Issuer(bed)
    check_answers(own, lambda _: b"\0" * 100000, FAILED)


def test_down(bed):
    own = Issuer(bed)
    for fate in FATES:
        url = f"http://127.0.0.1:{free_port()}/"
        equal(fate(own, lines("require", url))[2], FAILED[2], "nobody listens")
        equal(fate(own, lines("soft", url))[:3], LET_IN, "nobody listens, soft")


def test_no_responder(bed):
    own = Issuer(bed)
    for fate in FATES:
        equal(fate(own, lines("require", None))[2], FAILED[2], "none is named")
        equal(fate(own, lines("soft", None))[:3], LET_IN, "none is named, soft")


def test_silent(bed):
    own = Issuer(bed)
    over = threading.Event()

    def behave(_):
        over.wait(60)
        return b""

    with ocsp.Responder(behave) as responder:
        for fate in FATES:
            limit = "ocsp_timeout = 300ms"
            equal(fate(own, lines("require", responder.url, limit))[:3], FAILED, "silent")
            equal(fate(own, lines("soft", responder.url, limit))[:3], LET_IN, "silent, soft")
        over.set()


# ---- chains ------------------------------------------------------------------------------------


def test_intermediate_revoked(bed):
    own = Issuer(bed)
    sub = own.authority.issue("sub", usage="", is_ca=True)
    leaf = own.authority.issue("leaf", NAMES, signer=sub)

    def behave(body):
        request = ocsp.Request(body)
        serial = bytes.fromhex(leaf.serial.zfill(len(leaf.serial) + len(leaf.serial) % 2))
        is_leaf = request.cert_id.endswith(serial)
        return ocsp.answer(request, sub if is_leaf else own.authority.root,
                           status="good" if is_leaf else state)

    for state, want in (("good", LET_IN), ("revoked", REVOKED)):
        with ocsp.Responder(behave) as responder:
            for fate in FATES:
                equal(fate(own, lines("require", responder.url), leaf)[2], want[2],
                      f"an intermediate certificate that is {state}")


def test_intermediate_answers_for_itself(bed):
    """A CA that was revoked cannot say of itself that it was not."""
    own = Issuer(bed)
    sub = own.authority.issue("sub", usage="", is_ca=True)
    leaf = own.authority.issue("leaf", NAMES, signer=sub)
    with ocsp.Responder(by_answer(own, sub, certs=[sub])) as responder:
        for fate in FATES:
            equal(fate(own, lines("require", responder.url), leaf)[2], FAILED[2], "by itself")


# ---- while an answer is awaited ------------------------------------------------------------


class Held:
    """A responder that keeps a good answer back until it is let go."""

    def __init__(self, own):
        self.go = threading.Event()
        self.asked = threading.Event()
        self._own = own

    def __call__(self, body):
        self.asked.set()
        self.go.wait(20)
        return by_answer(self._own)(body)


def speaking_server(own, spoken):
    """A TLS server that greets at once, and then waits for the end."""
    context = odd.server_context(own.authority, own.peer)

    def behave(conn, answer):
        with context.wrap_socket(conn, server_side=True) as tls:
            tls.sendall(b"welcome\n")
            spoken.set()
            while chunk := tls.recv(4096):
                answer.data += chunk
    return odd.Server(behave)


def client_policy(bed, own, ports, responder):
    return bed.policy("client", f"[outbound test]\nremote = {ports}\nmode = mtls\n"
                      "identity = own\n",
                      {"own": (own.peer, own.authority.pem,
                               lines("require", responder.url, "ocsp_timeout = 20s"))},
                      handshake_timeout="60s")


def test_edge_after_the_answer(bed):
    """The server's bytes came before the answer: there is an edge all the same, and nobody
    spins until then."""
    own = Issuer(bed)
    held, spoken = Held(own), threading.Event()
    with ocsp.Responder(held) as responder, speaking_server(own, spoken) as server:
        policy = client_policy(bed, own, f"*:{server.port}", responder)
        client = bed.start("client", bed.python("wait_edge.py", server.port), policy)
        spoken.wait(20)
        held.asked.wait(20)
        threading.Timer(1, held.go.set).start()
        report = json.loads(client.ok().out)
    equal(report["data"], "welcome\n", "what the program has read")
    equal(report["cpu"] < 0.8, True, f"seconds of CPU: {report['cpu']}")


def test_blocking_read(bed):
    own = Issuer(bed)
    held, spoken = Held(own), threading.Event()
    with ocsp.Responder(held) as responder, speaking_server(own, spoken) as server:
        policy = client_policy(bed, own, f"*:{server.port}", responder)
        client = bed.start("client", bed.python("report_client.py", "127.0.0.1", server.port),
                           policy)
        spoken.wait(20)
        held.asked.wait(20)
        equal(bed.audit("client", event="handshake_ok"), [], "handshakes before the answer")
        held.go.set()
        report = json.loads(client.ok().out)
        wait_until(lambda: server.answers, "the server to see the end")
    equal((report["connect"], report["recv"]), ("OK", 8), "connect and read")
    equal(server.answers[0].data, b"MTLS-TEST-MARKER", "what the program has written early")


def test_no_loop(bed):
    """A rule for everything does not govern how a responder is asked."""
    own = Issuer(bed)
    spoken = threading.Event()
    with ocsp.Responder(by_answer(own)) as responder, speaking_server(own, spoken) as server:
        policy = client_policy(bed, own, "*:1-65535", responder)
        url = responder.url.replace("127.0.0.1", "localhost")
        with open(policy, encoding="utf-8") as file:
            text = file.read().replace(responder.url, url)
        bed.write("client.ini", text)
        client = bed.start("client", bed.python("report_client.py", "127.0.0.1", server.port),
                           policy)
        equal(json.loads(client.ok().out)["recv"], 8, "read")
        equal(len(responder.requests), 1, "requests")
    ends = [line["remote"] for line in bed.audit("client", rule="test")]
    equal(set(ends), {f"127.0.0.1:{server.port}"}, "connections in the log")


def test_fork_while_asking(bed):
    """A child does not wait for what its parent has asked."""
    own = Issuer(bed)
    held, spoken = Held(own), threading.Event()
    with ocsp.Responder(held) as responder, speaking_server(own, spoken) as server:
        policy = client_policy(bed, own, f"*:{server.port}", responder)
        script = (f"import os, socket\nsock = socket.socket()\n"
                  f"sock.connect(('127.0.0.1', {server.port}))\n"
                  "pid = os.fork()\n"
                  "if pid == 0:\n    print(sock.recv(100), flush=True)\n    os._exit(0)\n"
                  "sock.close()\nprint(os.waitpid(pid, 0)[1], flush=True)\n")
        client = bed.start("client", [sys.executable, "-c", script], policy)
        spoken.wait(20)
        wait_until(lambda: len(responder.requests) == 2, "the child to ask, too")
        held.go.set()
        equal(client.ok().out, b"b'welcome\\n'\n0\n", "what the child has read")


def test_known_answers_are_kept(bed):
    own = Issuer(bed)
    with ocsp.Responder(by_answer(own)) as responder:
        with Bed(own.authority) as inner:
            inbound.serve(inner, identity=lines("require", responder.url)
                          + "\nsession_tickets = off")
            for _ in range(3):
                context = odd.client_context(own.authority, own.peer)
                equal(odd.ask(inner.port, context), b"hello", "echo")
        nonces = [ocsp.Request(body).nonce for _, body in responder.requests]
        equal(len([nonce for nonce in nonces if nonce]), 1, "questions about the client")


def test_revoked_while_open(bed):
    """The answer has aged, the next one is "revoked": who is connected is cut."""
    own = Issuer(bed)
    state = ["good"]

    def behave(body):
        until = 3600 if not ocsp.Request(body).nonce else 3
        return by_answer(own, status=state[0], until=until)(body)

    with ocsp.Responder(behave) as responder, Bed(own.authority) as inner:
        server = inbound.serve(inner, identity=lines("require", responder.url))
        context = odd.client_context(own.authority, own.peer)
        with socket.create_connection(("127.0.0.1", inner.port), timeout=20) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as conn:
                conn.sendall(b"hello")
                equal(conn.recv(100), b"hello", "echo")
                state[0] = "revoked"
                try:
                    alert = conn.recv(100)
                except OSError as error:
                    alert = odd.alert_of(error)
        equal(alert, "certificate_revoked", "what the peer is told")
        equal(inbound.report(server, 0)["end"], "ECONNRESET", "what the program is told")
        equal(inner.audited("server", event="cut")["reason"], "revoked", "reason")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
