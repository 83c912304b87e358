#!/usr/bin/env python3
"""mode = permissive: one port takes TLS, which must pass every check, and plaintext, which
is served and logged; a client whose own rule says mtls is never talked out of it. And mode =
observe, which leaves everything as it is."""

import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from certs import CLIENT_NAMES, Authority  # noqa: E402
from harness import MTLS_RUN, PLAIN, Bed, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402

LATE_HELLO = b"\x16\x03\x01 are bytes like any others by now"
BANNER = b"220 banner MTLS-TEST-MARKER\r\n"
LARGE = (b"%06d|" * 1000 % tuple(range(1000))) * 300


def permissive(bed: Bed, more="", mode="permissive", **shim):
    bed.port = bed.port or free_port()
    bed.server_policy = bed.policy(
        "server", f"[inbound test]\nlocal = *:{bed.port}\nmode = {mode}\nidentity = own\n"
        + more, {"own": bed.server_cert}, **shim)


def serve(bed, *argv, more="", **how):
    permissive(bed, more)
    return bed.serve(bed.python(*argv, bed.port, *how.pop("after", ())), **how)


def plaintext(bed, words="", number=1):
    """As many connections were logged as plaintext that came out so."""
    lines = wait_until(lambda: len(found := bed.audit("server", event="plaintext")) >= number
                       and found, f"{number} lines about plaintext")
    equal(len(lines), number, "lines about plaintext")
    for line in lines:
        equal((line["mode"], line["rule"], line["direction"], line["level"]),
              ("permissive", "test", "inbound", "info"), "the line")
        equal(line["remote"].startswith("127.0.0.1:"), True, "the peer's address")
        equal(line["detail"].startswith(words), True, f"the words: {line['detail']}")
    return lines


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def dial_tls(bed, port=None):
    context = odd.client_context(bed.authority, bed.client_cert)
    return context.wrap_socket(dial(port or bed.port), server_hostname="localhost")


def read_all(sock):
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


def read(sock, length):
    data = b""
    while len(data) < length and (chunk := sock.recv(length - len(data))):
        data += chunk
    return data


def run(*argv, stdin=b""):
    done = subprocess.run([str(word) for word in argv], input=stdin, timeout=30,
                          capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


# ---- real programs -----------------------------------------------------------------------

def test_http(bed):
    bed.write("page", "the page")
    permissive(bed)
    bed.start("server", [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", bed.port],
              bed.server_policy, cwd=bed.dir).listens(bed.port)
    url = f"://localhost:{bed.port}/page"
    tls = ["--cacert", bed.authority.pem, "--cert", bed.client_cert.chain, "--key",
           bed.client_cert.key]
    equal(run("curl", "-sS4", "http" + url)[:2], (0, b"the page"), "plaintext")
    equal(run("curl", "-sS4", *tls, "https" + url)[:2], (0, b"the page"), "TLS")
    equal(run("curl", "-sS4", "http" + url)[:2], (0, b"the page"), "plaintext after TLS")
    plaintext(bed, "first byte", 2)
    line = bed.audited("server", event="handshake_ok")
    equal("CN=client" in line["peer_subject"], True, "who has TLS")


def test_redis(bed):
    permissive(bed)
    bed.serve(["redis-server", "--port", bed.port, "--bind", "127.0.0.1", "--save", ""])
    ask = ["redis-cli", "-h", "127.0.0.1", "-p", bed.port]
    tls = ["--tls", "--cacert", bed.authority.pem, "--cert", bed.client_cert.chain, "--key",
           bed.client_cert.key]
    equal(run(*ask, "set", "a", "1")[:2], (0, b"OK\n"), "plaintext")
    equal(run(*ask, *tls, "incr", "a")[:2], (0, b"2\n"), "TLS")
    equal(run(*ask, "get", "a")[:2], (0, b"2\n"), "plaintext")
    plaintext(bed, "first byte", 2)


def test_openssl_without_certificate(bed):
    server = serve(bed, "report_server.py")
    status, out, err = run("openssl", "s_client", "-quiet", "-connect",
                           f"127.0.0.1:{bed.port}", stdin=b"hello\n" * 10)
    equal((status != 0, out), (True, b""), f"what s_client got: {err[-300:]}")
    equal(bed.audited("server", event="handshake_failed")["reason"], "no_certificate", "why")
    equal(b'"got": 0' in server.out, True, "what the program got")
    equal(bed.audit("server", event="plaintext"), [], "plaintext")


def test_nc(bed):
    serve(bed, "report_server.py")
    equal(run("nc", "-N", "127.0.0.1", bed.port, stdin=b"hello")[:2], (0, b"hello"), "echo")
    plaintext(bed, "first byte")


def test_shimmed_client(bed):
    permissive(bed)
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    bed.relay = bed.open_relay(bed.port)
    bed.client_policy = bed.policy(
        "client", f"[outbound test]\nremote = *:{bed.relay.port}\nmode = mtls\n"
        "identity = own\n", {"own": bed.client_cert})
    bed.client(bed.python("echo_client.py", bed.relay.port))
    bed.check_all()
    equal(bed.audit("server", event="plaintext"), [], "plaintext")


# ---- every check -------------------------------------------------------------------------

def refuse(bed, context, reason, event="handshake_failed", errno="EPROTO", more=""):
    server = serve(bed, "report_server.py", more=more)
    answer = odd.dial(bed.port, context)
    equal(answer.data, b"", "what the refused client was sent")
    equal(bed.audited("server", event=event)["reason"], reason, "why")
    server.says('"number": 0')
    equal(b'"got": 0' in server.out, True, "what the program got")
    equal(errno.encode() in server.out, True, f"errno: {server.out}")
    equal(bed.audit("server", event="plaintext"), [], "plaintext")


def test_foreign_certificate(bed):
    foreign = Authority(bed.path("foreign"), "foreign-ca").issue("stranger", CLIENT_NAMES)
    refuse(bed, odd.client_context(bed.authority, foreign), "unknown_ca")


def test_no_certificate(bed):
    refuse(bed, odd.client_context(bed.authority), "no_certificate")


def test_not_allowed(bed):
    refuse(bed, odd.client_context(bed.authority, bed.client_cert), "denied_by_allow",
           "denied", "EACCES", "allow = cn:somebody-else\n")


def test_denied(bed):
    refuse(bed, odd.client_context(bed.authority, bed.client_cert), "denied_by_deny",
           "denied", "EACCES", "deny = cn:client\n")


def test_old_version(bed):
    refuse(bed, odd.client_context(bed.authority, bed.client_cert, ssl.TLSVersion.TLSv1_2),
           "version_mismatch")


def test_no_way_back(bed):
    """What begins as TLS is never plaintext again, whatever follows, and whenever."""
    server = serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 50ms\n")
    hello = odd.client_hello(bed.authority)
    beginnings = [b"\x16", b"\x16GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff", hello,
                  hello + b"GET / HTTP/1.0\r\n\r\n", hello[:20]]
    for number, beginning in enumerate(beginnings):
        with dial(bed.port) as sock:
            sock.sendall(beginning)
            sock.shutdown(socket.SHUT_WR)
            try:
                data = read_all(sock)
            except ConnectionResetError:
                data = b""
        equal(BANNER in data, False, f"what {beginning[:20]!r} was sent")
        wait_until(lambda n=number: len(bed.audit("server", event="handshake_failed")) > n,
                   "the refusal")
    equal(bed.audit("server", event="plaintext"), [], "plaintext")
    equal(b"MARKER" in server.out, False, "what the program said")


def test_slow_hello(bed):
    """The first byte decides, however long the rest takes."""
    serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 50ms\n")
    hello = odd.client_hello(bed.authority)
    with dial(bed.port) as sock:
        sock.sendall(hello[:1])
        time.sleep(0.3)
        sock.sendall(hello[1:])
        equal(sock.recv(1), b"\x16", "the answer to the ClientHello")
    bed.audited("server", event="handshake_failed")
    equal(bed.audit("server", event="plaintext"), [], "plaintext")


# ---- who speaks first --------------------------------------------------------------------

def test_speaks_first(bed):
    serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 400ms\n")
    start = time.monotonic()
    with dial(bed.port) as sock:
        equal(read(sock, len(BANNER)), BANNER, "the banner")
        took = time.monotonic() - start
        sock.sendall(LATE_HELLO)
        equal(read(sock, len(LATE_HELLO)), LATE_HELLO, "the echo")
    equal(PLAIN or 0.3 < took < 2, True, f"the time that it took: {took}")
    plaintext(bed, "waited")
    start = time.monotonic()
    with dial_tls(bed) as sock:
        equal(read(sock, len(BANNER)), BANNER, "the banner in TLS")
        took = time.monotonic() - start
        sock.sendall(b"hello")
        equal(read(sock, 5), b"hello", "the echo in TLS")
    equal(took < 0.3, True, f"the time that it took: {took}")
    equal(len(bed.audit("server", event="plaintext")), 1, "plaintext")


def both(bed, how, more="permissive_wait = 100ms\n", after=b"hello", banner=BANNER, **server):
    """A plain client and one with TLS see the same of a server of speaks_first.py."""
    program = serve(bed, "speaks_first.py", after=[how], more=more, **server)
    for number, connect in enumerate([lambda: dial(bed.port), lambda: dial_tls(bed)]):
        with connect() as sock:
            equal(read(sock, len(banner)) == banner, True, f"the banner of client {number}")
            if after:
                sock.sendall(after)
                equal(read(sock, len(after)), after, "the echo")
            elif how != "half":
                equal(sock.recv(1), b"", "the end")
            else:
                equal(sock.recv(1), b"", "the end")
                sock.sendall(b"a word %d" % number)
        if how == "half":
            program.says(f"heard a word {number}")
    plaintext(bed, "waited")
    bed.audited("server", event="handshake_ok")
    return program


def test_close_at_once(bed):
    both(bed, "close", after=b"")


def test_half_close(bed):
    both(bed, "half", "permissive_wait = 100ms\ntruncation = eof\n", after=b"")


def test_epoll(bed):
    both(bed, "epoll")


def test_fork(bed):
    both(bed, "fork")


def test_handed_over(bed):
    """Who has closed it still sends what it wrote, and takes nothing from the others."""
    serve(bed, "speaks_first.py", after=["hand"], more="permissive_wait = 1m\n")
    for connect in (lambda: dial(bed.port), lambda: dial_tls(bed)):
        with connect() as sock:
            sock.sendall(b"hello")
            equal(read(sock, len(BANNER) + 5), BANNER + b"hello", "banner and echo")
    plaintext(bed, "first byte")


def test_exec(bed):
    both(bed, "exec")


def test_pass(bed):
    both(bed, "pass")


def test_large(bed):
    both(bed, "large", banner=LARGE)


def test_exit_at_once(bed):
    for connect in (lambda: dial(bed.port), lambda: dial_tls(bed)):
        server = serve(bed, "speaks_first.py", after=["exit"])
        with connect() as sock:
            equal(read_all(sock), BANNER, "the banner")
        server.ok()
    plaintext(bed, "waited")
    bed.audited("server", event="handshake_ok")


def test_client_ends_first(bed):
    """A client that has nothing to say is told what there is."""
    serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 1m\n")
    with dial(bed.port) as sock:
        sock.shutdown(socket.SHUT_WR)
        equal(read_all(sock), BANNER, "the banner")
    plaintext(bed, "the peer has ended")


def test_client_resets(bed):
    serve(bed, "speaks_first.py", after=["epoll"], more="permissive_wait = 1m\n")
    odd.reset(dial(bed.port))
    plaintext(bed, "the peer has ended")
    with dial(bed.port) as sock:
        sock.sendall(b"hello")
        equal(read(sock, len(BANNER) + 5), BANNER + b"hello", "what the next one gets")


def test_no_wait(bed):
    serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 0\n")
    with dial(bed.port) as sock:
        equal(read(sock, len(BANNER)), BANNER, "the banner")
    plaintext(bed, "waited")


def test_no_wait_for_who_listens(bed):
    """permissive_wait is for programs that speak: TLS may come late where none does."""
    serve(bed, "report_server.py", more="permissive_wait = 0\n")
    with dial(bed.port) as raw:
        time.sleep(0.2)
        context = odd.client_context(bed.authority, bed.client_cert)
        with context.wrap_socket(raw, server_hostname="localhost") as sock:
            sock.sendall(b"hello")
            equal(read(sock, 5), b"hello", "the echo")
    bed.audited("server", event="handshake_ok")
    equal(bed.audit("server", event="plaintext"), [], "plaintext")


def test_silent_connections_cost_nothing(bed):
    """The service thread lets go of them, with its descriptors, and sleeps."""
    server = serve(bed, "report_server.py", more="permissive_wait = 50ms\n")
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    silent = [dial(bed.port) for _ in range(20)]
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) >= descriptors + 20,
               "the connections to be accepted")
    # The service thread's epoll and eventfd are two, and the sessions' memory the rest.
    wait_until(lambda: sockets_of(server.pid) == 21, "the service to let go of them")
    for sock in silent:
        sock.sendall(b"hello")
        equal(read(sock, 5), b"hello", "the echo")
        sock.close()
    plaintext(bed, "first byte", 20)


def sockets_of(pid):
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    # One of the service's own is connected to nothing (fd.c).
    inet = [line.split() for line in open(f"/proc/{pid}/net/tcp", encoding="ascii")]
    inodes = {f"socket:[{columns[9]}]" for columns in inet[1:]}
    return len([link for link in links if link in inodes])


# ---- plaintext is plain TCP --------------------------------------------------------------

PASSES_ON = """
import os, socket, subprocess, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        conn, _ = listener.accept()
        conn.recv(5)
        env = dict(os.environ, MTLS_SHIM="off")
        subprocess.run(["cat"], stdin=conn, stdout=conn, env=env)
        conn.close()
"""


def test_to_a_program_without_the_shim(bed):
    """What is in plaintext goes wherever a plain connection goes, TLS does not."""
    permissive(bed)
    script = bed.write("passes_on.py", PASSES_ON)
    bed.start("server", [sys.executable, script, bed.port], bed.server_policy).listens(bed.port)
    with dial(bed.port) as sock:
        sock.sendall(b"hello, world")
        equal(read(sock, 7), b", world", "the echo of the other program")
    plaintext(bed, "first byte")
    with dial_tls(bed) as sock:
        sock.sendall(b"hello, world")
        equal(sock.recv(1), b"", "what TLS gets of it")


def test_inetd(bed):
    permissive(bed, "permissive_wait = 100ms\n")
    under = [] if PLAIN else [MTLS_RUN, "-p", bed.server_policy, "--"]
    for speaks_first in (False, True):
        command = "echo hello; cat" if speaks_first else "cat"
        for tls in (False, True):
            with socket.create_server(("127.0.0.1", bed.port)) as listener:
                got = []

                def talk(tls=tls, got=got, first=speaks_first):
                    with dial_tls(bed) if tls else dial(bed.port) as sock:
                        want = b"hello\n" if first else b""
                        got.append(read(sock, len(want)) == want)
                        sock.sendall(b"a word\n")
                        got.append(read(sock, 7) == b"a word\n")
                client = threading.Thread(target=talk)
                client.start()
                conn, _ = listener.accept()
            with conn:
                child = subprocess.Popen([*under, "sh", "-c", command], stdin=conn,
                                         stdout=conn)
            client.join(20)
            child.wait(20)
            equal(got, [True, True], f"TLS {tls}, speaks first {speaks_first}")
    # sh and cat each say so of what they are started with.
    equal({line["mode"] for line in bed.audit("server", event="plaintext")}, {"permissive"},
          "the rule's mode")
    equal(len({line["remote"] for line in bed.audit("server", event="plaintext")}), 2,
          "plain clients")
    equal(len(bed.audit("server", event="handshake_ok")), 2, "handshakes")


# ---- clients whose rule says mtls --------------------------------------------------------

def strip(bed, serve_one):
    """A client with mode = mtls meets somebody in between who wants it in plaintext."""
    heard = bytearray()

    def behave(conn, _answer):
        serve_one(conn, heard)
    with odd.Server(behave) as between:
        policy = bed.policy(
            "client", f"[outbound test]\nremote = *:{between.port}\nmode = mtls\n"
            "identity = own\n", {"own": bed.client_cert})
        client = bed.start("client", bed.python("report_client.py", "127.0.0.1", between.port), policy)
        client.wait(30)
        equal(b"MARKER" in heard or b"hello" in heard, False, "what was heard in between")
        equal(b'"got": 0' in client.out or b"got" not in client.out, True,
              f"what the client took for an answer: {client.out}")
        return bed.audited("client", event="handshake_failed")


def test_plaintext_answer(bed):
    def answer(conn, heard):
        heard += conn.recv(65536)
        conn.sendall(b"HTTP/1.0 200 OK\r\n\r\nplease go on in plaintext MTLS-TEST-MARKER")
        while chunk := conn.recv(65536):
            heard += chunk
    equal(strip(bed, answer)["reason"], "not_tls", "why")


def test_banner_in_between(bed):
    def banner(conn, heard):
        conn.sendall(BANNER)
        while chunk := conn.recv(65536):
            heard += chunk
    equal(strip(bed, banner)["reason"], "not_tls", "why")


def test_stripping(bed):
    """The one in between keeps the ClientHello from a permissive server, and passes on what
    that says in plaintext."""
    serve(bed, "speaks_first.py", after=["echo"], more="permissive_wait = 50ms\n")

    def pass_on(conn, heard):
        heard += conn.recv(65536)
        with dial(bed.port) as onward:
            conn.sendall(read(onward, len(BANNER)))
            while chunk := conn.recv(65536):
                heard += chunk
    equal(strip(bed, pass_on)["reason"], "not_tls", "why")
    plaintext(bed, "waited")


# ---- observe -----------------------------------------------------------------------------

def test_observe(bed):
    permissive(bed, mode="observe")
    bed.relay = bed.open_relay(bed.port)
    bed.client_policy = bed.policy(
        "client", f"[outbound test]\nremote = *:{bed.relay.port}\nmode = observe\n"
        "identity = own\npeer_name = db.internal\n[outbound rest]\nremote = *:*\n"
        "mode = plaintext\n", {"own": bed.client_cert})
    bed.serve(bed.python("report_server.py", bed.port))
    equal(run(*([] if PLAIN else [MTLS_RUN, "-p", bed.client_policy, "--"]), "nc", "-N",
              "127.0.0.1", bed.relay.port, stdin=b"hello")[:2], (0, b"hello"), "the echo")
    client = bed.audited("client", event="observed")
    equal((client["mode"], client["direction"]), ("observe", "outbound"), "the client's line")
    equal("prove that it is db.internal" in client["detail"], True, client["detail"])
    server = bed.audited("server", event="observed")
    equal((server["mode"], server["direction"]), ("observe", "inbound"), "the server's line")
    equal("have to prove who it is" in server["detail"], True, server["detail"])
    for name in ("client", "server"):
        equal(len(bed.audit(name, event="observed")), 1, "lines about one connection")
    equal([bytes(recording.client) for recording in bed.relay.recordings], [b"hello"],
          "what was on the wire")


LATE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        sys.stdin.readline()
        conn, _ = listener.accept()
        conn.recv(100)
        conn.close()
"""


def test_observe_who_has_spoken(bed):
    permissive(bed, mode="observe")
    script = bed.write("late.py", LATE)
    server = bed.start("server", [sys.executable, script, bed.port], bed.server_policy,
                       stdin=subprocess.PIPE).listens(bed.port)
    for first, words in ((b"hello", "begins in plaintext"),
                         (odd.client_hello(bed.authority), "begins with TLS")):
        with dial(bed.port) as sock:
            sock.sendall(first)
            server.feed(b"\n")
            wait_until(lambda w=words: [line for line in bed.audit("server", event="observed")
                                        if w in line["detail"]], words)


# ---- TLS in TLS --------------------------------------------------------------------------

TLS_SERVER = """
import http.server, ssl, sys
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
                                         http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def test_twice(bed):
    bed.pair()
    bed.write("page", "the page")
    script = bed.write("tls_server.py", TLS_SERVER)
    bed.start("server", [sys.executable, script, bed.port, bed.server_cert.chain,
                         bed.server_cert.key], bed.server_policy, cwd=bed.dir).listens(bed.port)
    url = f"https://localhost:{bed.port}/page"
    client = bed.client(["curl", "-sS4", "--no-keepalive", "-H", "Connection: close",
                         "--cacert", bed.authority.pem, url, url])
    equal(client.out, b"the pagethe page", "what curl got")
    equal(len(bed.audit("client", event="handshake_ok")), 2, "connections")
    warnings = bed.audit("client", event="warning")
    equal([line["rule"] for line in warnings], ["test"], "warnings")
    equal("encrypted once more" in warnings[0]["detail"], True, warnings[0]["detail"])
    equal(bed.audit("server", event="warning"), [], "the server's warnings")


if __name__ == "__main__":
    main(globals(), needs_shim=[name.removeprefix("test_") for name in globals()
                                if name.startswith("test_") and "shimmed" not in name])
