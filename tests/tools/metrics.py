#!/usr/bin/env python3
"""What the shim counts: right after known exchanges, with processes that come and go in every
way, and as Prometheus itself and its tools read it."""
import errno
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certs  # noqa: E402
import odd  # noqa: E402
import users  # noqa: E402
from harness import BUILD, MTLS_RUN, equal, main  # noqa: E402
from procs import free_port, is_listening, wait_until  # noqa: E402

MTLSCTL = os.path.join(BUILD, "bin", "mtlsctl")
RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo",
                     "prometheus")
SERVICE = {"MTLS_SHIM_SERVICE": "echo"}
LABELS = 'service="echo",rule="test",direction="inbound"'


class Counted:
    """A server that is counted, and clients of it."""

    def __init__(self, bed, how="threads", user=(), rule="", more="", **shim):
        self.bed = bed
        self.dir = bed.path("metrics")
        if not os.path.exists(self.dir):
            os.mkdir(self.dir)
            os.chmod(self.dir, 0o1777)
        self.port = bed.port = free_port()
        self.policy = bed.server_policy = bed.policy(
            "server", f"[inbound test]\nlocal = *:{self.port}\nidentity = own\n"
            + (rule or "mode = mtls\n") + more, {"own": bed.server_cert},
            metrics_dir=self.dir, **shim)
        self.context = odd.client_context(bed.authority, bed.client_cert)
        self.server = bed.serve(bed.python("keeper.py", how, self.port, *user), env=SERVICE)

    def open(self, context=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        conn = (context or self.context).wrap_socket(raw, server_hostname="localhost")
        self.ping(conn, b"ping")
        return conn

    @staticmethod
    def ping(conn, data):
        conn.sendall(data)
        got = b""
        while len(got) < len(data):
            got += conn.recv(65536)
        equal(got, data, "echo")

    def text(self):
        return subprocess.run([MTLSCTL, "metrics", "-p", self.policy], check=True,
                              capture_output=True, text=True).stdout

    def values(self):
        return read(self.text())

    def get(self, name, labels=LABELS, more=""):
        return self.values().get(f"mtls_shim_{name}{{{labels}{more}}}")

    def becomes(self, name, want, labels=LABELS, more=""):
        """The server's thread may be behind the client: it is waited for."""
        seen = []

        def look():
            seen.append(self.get(name, labels, more))
            return seen[-1] == want
        try:
            wait_until(look, f"{name} = {want}")
        except AssertionError:
            raise AssertionError(f"{name} {more}: {seen[-1]}, not {want}") from None

    def files(self, suffix=".live"):
        return [name for name in os.listdir(self.dir) if name.endswith(suffix)]

    def top(self):
        return json.loads(subprocess.run([MTLSCTL, "top", "-d", self.dir, "--json"],
                                         check=True, capture_output=True).stdout)


def read(text):
    values = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            key, value = line.rsplit(" ", 1)
            values[key] = float(value)
    return values


def refused(counted, context):
    """A client that is not let in."""
    try:
        with counted.open(context):
            pass
    except OSError:
        return
    raise AssertionError("it was let in")


# ---- what is counted -----------------------------------------------------------------------


def test_counts_are_right(bed):
    counted = Counted(bed)
    with counted.open() as conn:
        counted.ping(conn, b"x" * 100000)
        counted.becomes("received_bytes_total", 100004)
        counted.becomes("sent_bytes_total", 100004)
        equal(counted.get("open_connections"), 1, "open")
        if not 7 <= counted.get("received_records_total") <= 20:
            raise AssertionError(f"records {counted.get('received_records_total')}")
        if counted.get("sent_records_total") < 8:
            raise AssertionError(f"records {counted.get('sent_records_total')}")
    counted.becomes("open_connections", 0)
    for _ in range(4):
        counted.open().close()
    counted.becomes("connections_total", 5)
    counted.becomes("received_bytes_total", 100004 + 4 * 4)
    counted.becomes("handshakes_total", 5, more=',result="ok"')
    values = counted.values()
    equal(values[f"mtls_shim_handshake_duration_seconds_count{{{LABELS}}}"], 5, "histogram")
    equal(values[f'mtls_shim_handshake_duration_seconds_bucket{{{LABELS},le="+Inf"}}'], 5,
          "+Inf")
    took = values[f"mtls_shim_handshake_duration_seconds_sum{{{LABELS}}}"]
    if not 0.0005 < took < 30:
        raise AssertionError(f"five handshakes took {took} s")
    buckets = [value for key, value in values.items() if "seconds_bucket" in key]
    equal(buckets, sorted(buckets), "cumulative buckets")
    equal(values['mtls_shim_processes{service="echo"}'], 1, "processes")
    end = certs_end(bed.server_cert.pem)
    equal(values['mtls_shim_certificate_not_after_timestamp_seconds'
                 '{service="echo",identity="own"}'], end, "certificate's end")


def certs_end(pem):
    out = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", pem], check=True,
                         capture_output=True, text=True).stdout
    return ssl.cert_time_to_seconds(out.strip().split("=", 1)[1])


def test_rules_count_from_zero(bed):
    """Prometheus sees an increase only of what it has seen before."""
    counted = Counted(bed, more="[inbound others]\nservice = others\nmode = deny\n")
    for result in ("ok", "failed", "denied"):
        equal(counted.get("handshakes_total", more=f',result="{result}"'), 0, result)
    equal(counted.get("plaintext_connections_total"), 0, "plaintext")
    equal([key for key in counted.values() if "others" in key], [], "another service's")
    with open(counted.policy, encoding="utf-8") as file:
        policy = file.read()
    path = bed.write("server.ini.new", policy.replace("service = others\n", ""))
    os.rename(path, counted.policy)

    def look():
        counted.open().close()
        return counted.get("plaintext_connections_total", LABELS.replace("test", "others"))
    wait_until(lambda: look() == 0, "the series of a rule that now applies")


def test_failures_have_reasons(bed):
    counted = Counted(bed, more="allow = cn:nobody\n")
    refused(counted, None)  # not on the list
    counted.becomes("handshakes_total", 1, more=',result="denied"')
    counted.becomes("denied_connections_total", 1, more=',reason="denied_by_allow"')
    refused(counted, odd.client_context(bed.authority))
    counted.becomes("handshake_failures_total", 1, more=',reason="no_certificate"')
    with socket.create_connection(("127.0.0.1", counted.port)) as conn:
        conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while conn.recv(100):
            pass
    counted.becomes("handshake_failures_total", 1, more=',reason="not_tls"')
    counted.becomes("handshakes_total", 2, more=',result="failed"')
    counted.becomes("connections_total", 0)


def test_plaintext_is_counted(bed):
    counted = Counted(bed, rule="mode = permissive\n")
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", counted.port), timeout=10) as conn:
            Counted.ping(conn, b"plain")
    counted.becomes("plaintext_connections_total", 3)
    counted.open().close()
    counted.becomes("connections_total", 1)
    equal(counted.get("plaintext_connections_total"), 3, "plaintext")


def test_rules_that_deny(bed):
    counted = Counted(bed, rule="mode = deny\n")
    for _ in range(2):
        try:
            with socket.create_connection(("127.0.0.1", counted.port), timeout=10) as conn:
                conn.sendall(b"x")
                conn.recv(1)
        except ConnectionResetError:
            pass
    counted.becomes("denied_connections_total", 2, more=',reason="denied_by_rule"')
    equal(counted.get("handshakes_total", more=',result="denied"'), 0, "handshakes")


def test_resumption_is_counted(bed):
    counted = Counted(bed)
    conn = counted.open()
    session = conn.session
    conn.close()
    raw = socket.create_connection(("127.0.0.1", counted.port), timeout=10)
    with counted.context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
        Counted.ping(again, b"ping")
        counted.becomes("resumed_handshakes_total", 1 if again.session_reused else 0)
    counted.becomes("connections_total", 2)


def test_reloads(bed):
    folder = bed.path("live")
    os.mkdir(folder)
    first = bed.server_cert
    for name, source in (("tls.crt", first.chain), ("tls.key", first.key)):
        with open(source, "rb") as file:
            bed.write(f"live/{name}", file.read())
    bed.server_cert = certs.Certificate(folder, "tls")
    bed.server_cert.chain = os.path.join(folder, "tls.crt")
    os.chmod(bed.server_cert.key, 0o600)
    counted = Counted(bed)
    name = "certificate_not_after_timestamp_seconds"
    labels = 'service="echo",identity="own"'
    equal(counted.get(name, labels), certs_end(first.pem), "the first's end")
    equal(counted.get("last_reload_successful", 'service="echo"'), 1, "so far")
    new = bed.authority.issue("renewed", certs.SERVER_NAMES, "serverAuth")
    for target, source in (("tls.key", new.key), ("tls.crt", new.chain)):
        with open(source, "rb") as file:
            data = file.read()
        path = bed.write(f"live/{target}.new", data)
        os.chmod(path, 0o600)
        os.rename(path, os.path.join(folder, target))

    def look():
        counted.open().close()  # who accepts looks at the files
        return counted.get("reloads_total", 'service="echo"', ',result="ok"') >= 1
    wait_until(look, "the new certificate")
    equal(counted.get(name, labels), certs_end(new.pem), "the new one's end")
    if time.time() - counted.get("last_reload_timestamp_seconds", 'service="echo"') > 60:
        raise AssertionError("the time of the last reload")
    bed.write("live/tls.crt", "nonsense")

    def fails():
        counted.open().close()
        return counted.get("last_reload_successful", 'service="echo"') == 0
    wait_until(fails, "a reload that fails", 20)


def test_an_identity_that_is_gone(bed):
    counted = Counted(bed)
    own = f"[identity other]\ncertificate = {bed.client_cert.chain}\n" \
          f"private_key = {bed.client_cert.key}\ntrust = {bed.authority.pem}\n"
    with open(counted.policy, encoding="utf-8") as file:
        first = file.read()
    name = "certificate_not_after_timestamp_seconds"

    def change(text, want):
        path = bed.write("server.ini.new", text)
        os.rename(path, counted.policy)

        def look():
            counted.open().close()
            return (counted.get(name, 'service="echo",identity="other"') is not None) == want
        wait_until(look, "the new policy")
    change(first + own, True)
    change(first, False)
    equal(counted.get(name, 'service="echo",identity="own"'), certs_end(bed.server_cert.pem),
          "the one that stays")


# ---- processes -----------------------------------------------------------------------------


def test_a_child_for_each_connection(bed):
    counted = Counted(bed, "forking")
    with counted.open(), counted.open():
        equal(counted.get("open_connections"), 2, "open")
    counted.becomes("open_connections", 0)
    for _ in range(8):
        counted.open().close()
    counted.becomes("received_bytes_total", 40)
    counted.becomes("sent_bytes_total", 40)
    counted.becomes("connections_total", 10)
    wait_until(lambda: counted.get("processes", 'service="echo"') == 1, "one process")
    wait_until(lambda: len(counted.files()) == 1, "one file")


def test_a_connection_of_two_processes(bed):
    """It is one, and each counts what it has carried itself."""
    counted = Counted(bed)
    port = free_port()
    policy = bed.policy("shared", f"[inbound test]\nlocal = *:{port}\nmode = mtls\n"
                        "identity = own\n", {"own": bed.server_cert},
                        metrics_dir=counted.dir)
    script = ("import os, socket\n"
              f"s = socket.create_server(('127.0.0.1', {port}))\n"
              "c, _ = s.accept()\n"
              "c.sendall(c.recv(100))\n"
              "if os.fork() == 0:\n"
              "    c.sendall(c.recv(100))\n"
              "    s.accept()\n"
              "    os._exit(0)\n"
              "os.wait()\n"
              "c.sendall(c.recv(100))\n"
              "s.accept()\n")
    bed.start("sharing", [sys.executable, "-c", script], policy,
              env={"MTLS_SHIM_SERVICE": "two"}).listens(port)
    labels = LABELS.replace("echo", "two")
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with counted.context.wrap_socket(raw, server_hostname="localhost") as conn:
        Counted.ping(conn, b"one")
        Counted.ping(conn, b"three")
        counted.becomes("received_bytes_total", 8, labels)
        equal(counted.get("open_connections", labels), 1, "open")
        equal(counted.get("processes", 'service="two"'), 2, "processes")
        equal(sorted(row["bytes_in"] for row in counted.top()["connections"]), [3, 5], "rows")
        socket.create_connection(("127.0.0.1", port)).close()  # the child goes
        Counted.ping(conn, b"seven..")
        counted.becomes("received_bytes_total", 15, labels)
        equal(counted.get("connections_total", labels), 1, "connections")


def test_prefork_adds_up(bed):
    counted = Counted(bed, "prefork")
    conns = [counted.open() for _ in range(12)]
    counted.becomes("open_connections", 12)
    counted.becomes("connections_total", 12)
    counted.becomes("received_bytes_total", 48)
    for conn in conns:
        conn.close()
    counted.becomes("open_connections", 0)
    equal(counted.get("received_bytes_total"), 48, "after the end")


def test_killed_and_ended(bed):
    """No total goes down, whichever way a process ends, and nothing is left behind."""
    counted = Counted(bed)
    conn = counted.open()
    counted.becomes("received_bytes_total", 4)
    counted.server.stop(signal.SIGKILL)
    equal(len(counted.files()), 1, "the file of the dead")
    equal(counted.get("received_bytes_total"), 4, "of the dead")
    equal(counted.get("connections_total"), 1, "of the dead")
    equal(counted.get("open_connections"), 0, "of the dead")
    equal(counted.get("processes", 'service="echo"'), None, "processes")
    equal(counted.files(), [], "files")
    equal(counted.get("received_bytes_total"), 4, "added up")
    conn.close()
    second = Counted(bed)
    second.open().close()
    second.becomes("connections_total", 2)


def test_short_lives_leave_nothing(bed):
    counted = Counted(bed)
    for _ in range(100):
        subprocess.run([MTLS_RUN, "-p", counted.policy, "true"], check=True)
    script = "import os,signal; os.kill(os.getpid(), signal.SIGKILL)"
    for _ in range(10):
        subprocess.run([MTLS_RUN, "-p", counted.policy, sys.executable, "-c", script],
                       check=False)
    subprocess.run([MTLS_RUN, "-p", counted.policy, "true"], check=True)
    equal(len(counted.files()), 1, "files of processes")
    equal(len(os.listdir(counted.dir)), 2, "files")


def test_exec_goes_on_counting(bed):
    counted = Counted(bed)
    script = f"exec {MTLS_RUN} -p {counted.policy} true"
    subprocess.run([MTLS_RUN, "-p", counted.policy, "sh", "-c", f"{script}"], check=True)
    equal(len(counted.files()), 1, "files")
    values = counted.values()
    equal([key for key in values if "processes" in key], ['mtls_shim_processes{service="echo"}'],
          "processes")


def test_fewer_rights_later(bed):
    """A server that gives its privileges up, and its children, go on counting."""
    users.open_folders(bed)
    counted = Counted(bed, "forking", user=("nobody",))
    counted.open().close()
    counted.becomes("connections_total", 1)
    counted.becomes("received_bytes_total", 4)
    counted.server.stop(signal.SIGTERM)
    wait_until(lambda: counted.get("received_bytes_total") == 4, "totals")


def test_chroot(bed):
    """The directory is out of reach, and yet children count."""
    counted = Counted(bed)
    counted.open().close()
    port = free_port()
    policy = bed.policy("chroot", f"[inbound test]\nlocal = *:{port}\nmode = mtls\n"
                        "identity = own\n", {"own": bed.server_cert},
                        metrics_dir=counted.dir)
    os.mkdir(bed.path("empty"))
    script = ("import os, socket, sys\n"
              f"s = socket.create_server(('127.0.0.1', {port}))\n"
              f"os.chroot({bed.path('empty')!r})\n"
              "os.chdir('/')\n"
              "while True:\n"
              "    c, _ = s.accept()\n"
              "    if os.fork() == 0:\n"
              "        c.sendall(c.recv(100))\n"
              "        os._exit(0)\n"
              "    c.close()\n"
              "    os.wait()\n")
    bed.start("chrooted", [sys.executable, "-c", script], policy,
              env={"MTLS_SHIM_SERVICE": "jail"}).listens(port)
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with counted.context.wrap_socket(raw, server_hostname="localhost") as conn:
        Counted.ping(conn, b"ping")
    labels = LABELS.replace("echo", "jail")
    counted.becomes("received_bytes_total", 4, labels)
    counted.becomes("connections_total", 1, labels)
    wait_until(lambda: len(counted.files()) == 2, "the child's file is gone")


def test_no_directory_is_no_obstacle(bed):
    bed.pair(metrics_dir=bed.path("not-there"))
    bed.serve(bed.python("keeper.py", "threads", bed.port))
    context = odd.client_context(bed.authority, bed.client_cert)
    raw = socket.create_connection(("127.0.0.1", bed.port), timeout=10)
    with context.wrap_socket(raw, server_hostname="localhost") as conn:
        Counted.ping(conn, b"ping")
    line = bed.audited("server", event="warning")
    if "metrics_dir" not in line["detail"]:
        raise AssertionError(line)


def test_what_others_have_written(bed):
    """Files in the directory that are none of ours, or lie, hurt nobody."""
    counted = Counted(bed)
    counted.open().close()
    counted.becomes("connections_total", 1)
    with open(os.path.join(counted.dir, counted.files()[0]), "rb") as file:
        real = bytearray(file.read())
    for at in range(0, 4096, 8):
        real[at:at + 8] = b"\xff" * 8
    for name, data in (("1.1.live", b"nonsense" * 100), ("2.2.live", b"tlsmlive" + b"\xff" * 99),
                       ("3.3.live", b"tlsmlive" + bytes(real[8:])), ("ended.1", b"x" * 5000)):
        with open(os.path.join(counted.dir, name), "wb") as file:
            file.write(data)
    os.symlink("/etc/passwd", os.path.join(counted.dir, "4.4.live"))
    os.mkfifo(os.path.join(counted.dir, "5.5.live"))
    equal(counted.get("connections_total"), 1, "connections")
    if counted.values()["mtls_shim_unreadable_files"] < 4:
        raise AssertionError("what cannot be read is not told")


# ---- how it is shown -----------------------------------------------------------------------


def test_top_shows_connections(bed):
    counted = Counted(bed)
    with counted.open() as conn:
        counted.ping(conn, b"y" * 1000)
        counted.becomes("sent_bytes_total", 1004)
        top = counted.top()
        one = top["connections"][0]
        equal(len(top["connections"]), 1, "connections")
        equal((one["rule"], one["direction"], one["version"], one["bytes_in"],
               one["bytes_out"], one["service"], one["pid"]),
              ("test", "inbound", "1.3", 1004, 1004, "echo", counted.server.pid), "it")
        equal(one["remote"], "127.0.0.1:%d" % conn.getsockname()[1], "remote")
        if bed.client_cert.name not in one["peer"] and "DNS:" not in one["peer"]:
            raise AssertionError(one["peer"])
        table = subprocess.run([MTLSCTL, "top", "-d", counted.dir, "--once"], check=True,
                               capture_output=True, text=True).stdout
        if one["remote"] not in table or one["peer"][:20] not in table:
            raise AssertionError(table)
    counted.becomes("open_connections", 0)
    equal(counted.top()["connections"], [], "connections at the end")


def test_the_name_that_it_was_started_by(bed):
    """Not that of the file, which is python3.11 here, and redis-check-rdb for a redis-server."""
    link = bed.path("ordersd")
    os.symlink(os.path.realpath(sys.executable), link)
    counted = Counted(bed)
    counted.server.stop()
    counted.port = bed.port = free_port()
    with open(counted.policy, encoding="utf-8") as file:
        policy = file.read()
    bed.write("server.ini", policy.replace("local = *:", f"local = *:{counted.port}, *:"))
    counted.server = bed.start("server", [link, *bed.python("keeper.py", "threads",
                                                            counted.port)[1:]],
                               bed.server_policy).listens(counted.port)
    with counted.open():
        one = counted.top()["connections"][0]
        equal((one["command"], one["service"], one["program"]),
              ("ordersd", "ordersd", os.path.realpath(sys.executable)), "in top")
        line = bed.audited("server", event="handshake_ok")
        equal((line["command"], line["program"]),
              ("ordersd", os.path.realpath(sys.executable)), "in the log")
        table = subprocess.run([MTLSCTL, "top", "-d", counted.dir], check=True,
                               capture_output=True, text=True).stdout
        equal("ordersd" in table and "python3" not in table, True, table)
    equal(counted.get("processes", 'service="ordersd"'), 1, "processes")


def test_textfile(bed):
    counted = Counted(bed)
    counted.open().close()
    counted.becomes("connections_total", 1)
    path = bed.path("mtls.prom")
    subprocess.run([MTLSCTL, "metrics", "-d", counted.dir, "--textfile", path], check=True)
    with open(path, encoding="utf-8") as file:
        equal(read(file.read())[f"mtls_shim_connections_total{{{LABELS}}}"], 1, "in the file")
    equal([name for name in os.listdir(bed.dir) if name.startswith("mtls.prom")],
          ["mtls.prom"], "what is left")


def serve(bed, directory):
    """mtlsctl metrics --listen. Returns its port."""
    port = free_port()
    bed.start("exporter", [MTLSCTL, "metrics", "-d", directory, "--listen",
                           f"127.0.0.1:{port}"]).listens(port)
    return port


def test_http(bed):
    counted = Counted(bed)
    port = serve(bed, counted.dir)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        equal(page.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "type")
        if b"mtls_shim_processes" not in page.read():
            raise AssertionError("no metrics")
    for request, want in ((b"GET /x HTTP/1.1\r\n\r\n", b"404"),
                          (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
                          (b"nonsense\r\n\r\n", b"400"), (b"\0\r\n\r\n", b""),
                          (b"x" * 20000, b"")):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=15) as conn:
                conn.sendall(request)
                conn.shutdown(socket.SHUT_WR)
                equal(conn.recv(100)[9:12], want, request[:20])
        except OSError as error:  # cut; what that breaks depends on when
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                raise
            equal(want, b"", request[:20])
    # Clients that say nothing do not keep others out.
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=40) as page:
        equal(page.status, 200, "with idle clients")
    for conn in idle:
        conn.close()


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0 or (arguments[1] == "metrics" and done.stdout + done.stderr):
        raise AssertionError(f"promtool {arguments}: {done.stdout}{done.stderr}")


def test_promtool_accepts_all(bed):
    counted = Counted(bed, more="allow = cn:nobody\n")
    refused(counted, None)
    refused(counted, odd.client_context(bed.authority))
    counted.becomes("handshakes_total", 1, more=',result="failed"')
    promtool("check", "metrics", text=counted.text())
    promtool("check", "rules", os.path.join(RULES, "alerts.yml"))
    promtool("test", "rules", os.path.join(RULES, "alerts_test.yml"))


def test_rules_and_dashboard_name_real_metrics(bed):
    counted = Counted(bed)
    names = set(re.findall(r"^# TYPE (\S+)", counted.text(), re.M))
    for file in ("alerts.yml", "dashboard.json"):
        with open(os.path.join(RULES, file), encoding="utf-8") as text:
            content = text.read()
        if file.endswith(".json"):
            json.loads(content)
        used = set(re.findall(r"mtls_shim_[a-z_]+", content))
        unknown = {name for name in used
                   if name not in names and re.sub("_(bucket|sum|count)$", "", name)
                   not in names}
        equal(unknown, set(), file)
        if len(used) < 4:
            raise AssertionError(f"{file} uses {used} only")


def test_prometheus_scrapes(bed):
    counted = Counted(bed)
    counted.open().close()
    counted.becomes("connections_total", 1)
    port = serve(bed, counted.dir)
    own = free_port()
    config = bed.write("prometheus.yml", "global:\n  scrape_interval: 1s\n"
                       f"rule_files: [{os.path.abspath(os.path.join(RULES, 'alerts.yml'))}]\n"
                       "scrape_configs:\n  - job_name: mtls\n    static_configs:\n"
                       f"      - targets: ['127.0.0.1:{port}']\n")
    bed.start("prometheus", ["prometheus", f"--config.file={config}",
                             f"--storage.tsdb.path={bed.path('tsdb')}",
                             f"--web.listen-address=127.0.0.1:{own}"])
    wait_until(lambda: is_listening(own), "Prometheus", 30)

    def ask(query):
        url = f"http://127.0.0.1:{own}/api/v1/query?query={query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as page:
                rows = json.load(page)["data"]["result"]
        except urllib.error.HTTPError:  # it is starting
            rows = []
        return {row["metric"].get("rule"): row["value"][1] for row in rows}
    wait_until(lambda: ask("mtls_shim_connections_total").get("test") == "1", "a scrape", 30)
    for _ in range(3):
        counted.open().close()
    counted.becomes("connections_total", 4)
    wait_until(lambda: ask("mtls_shim_connections_total").get("test") == "4", "the next", 30)
    quantile = "histogram_quantile(0.9,mtls_shim_handshake_duration_seconds_bucket)"
    if not 0 < float(ask(quantile)["test"]) < 10:
        raise AssertionError(f"quantile {ask(quantile)}")


main(globals(), needs_shim=True)
