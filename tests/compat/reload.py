#!/usr/bin/env python3
"""Certificates, keys, trust and the policy change on disk under running servers: new
connections get the new, open ones are not disturbed, and what is broken changes nothing."""

import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from bisect import bisect
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import users  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES  # noqa: E402
from harness import BUILD, MTLSCTL, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402

STALE_SECONDS = 2  # for so long after a change the old may still be seen
STORM = os.path.join(BUILD, "tests", "helpers", "storm")
STORM_THREADS = 16
STORM_ROUNDS = 20
STORM_SECONDS = 1.2  # longer than it takes to be looked at


class Live:
    """A server whose identity's files change, and clients of it."""

    def __init__(self, bed, how="threads", layout="flat", user=(), identity="", rule="",
                 **shim):
        self.bed = bed
        self.layout = layout
        self.generation = 0
        self.authority = bed.authority
        self.context = odd.client_context(bed.authority, bed.client_cert)
        self.folder = bed.path("live")
        os.mkdir(self.folder)
        self.put(bed.server_cert)
        if layout == "kubernetes":
            for name in ("tls.crt", "tls.key"):
                os.symlink(f"..data/{name}", os.path.join(self.folder, name))
        bed.server_cert = type(bed.server_cert)(self.folder, "tls")
        bed.server_cert.pem = bed.server_cert.chain = os.path.join(self.folder, "tls.crt")
        bed.server_cert.key = os.path.join(self.folder, "tls.key")
        bed.pair(server_identity=identity, server_rule=rule, **shim)
        self.port = bed.port
        self.server = bed.serve(bed.python("keeper.py", how, bed.port, *user))

    # ---- the three ways of renewal -----------------------------------------------------

    def put(self, certificate):
        {"flat": self.rename, "kubernetes": self.swap}[self.layout](certificate)

    def rename(self, certificate):
        """As ACME clients do it: each file by rename, the key first."""
        for source, name in ((certificate.key, "tls.key"), (certificate.chain, "tls.crt")):
            path = os.path.join(self.folder, name)
            shutil.copy(source, path + ".new")
            os.rename(path + ".new", path)

    def swap(self, certificate):
        """As Kubernetes does it with a secret volume: one symbolic link is replaced."""
        self.generation += 1
        new = os.path.join(self.folder, f"..{self.generation}")
        os.mkdir(new)
        shutil.copy(certificate.key, os.path.join(new, "tls.key"))
        shutil.copy(certificate.chain, os.path.join(new, "tls.crt"))
        data = os.path.join(self.folder, "..data")
        os.symlink(os.path.basename(new), data + "_tmp")
        os.rename(data + "_tmp", data)
        old = os.path.join(self.folder, f"..{self.generation - 1}")
        shutil.rmtree(old, ignore_errors=True)

    def write(self, certificate, between=lambda: None):
        """In place, piece by piece, with a pause wherever it hurts."""
        for source, name in ((certificate.chain, "tls.crt"), (certificate.key, "tls.key")):
            with open(source, "rb") as file:
                data = file.read()
            with open(os.path.join(self.folder, name), "wb", buffering=0) as file:
                file.write(data[:len(data) // 2])
                between()
                file.write(data[len(data) // 2:])
            between()

    def server_pid(self):
        """mtls-run has become the program."""
        return str(self.server.pid)

    # ---- clients -----------------------------------------------------------------------

    def open(self, context=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        conn = (context or self.context).wrap_socket(raw, server_hostname="localhost")
        self.ping(conn)
        return conn

    @staticmethod
    def ping(conn):
        conn.sendall(b"ping")
        equal(conn.recv(100), b"ping", "echo")

    def serial(self):
        with self.open() as conn:
            return conn.getpeercert()["serialNumber"].lower().lstrip("0")

    def settles(self, certificate, changed):
        """From STALE_SECONDS after the change on, the certificate is the new one, of
        whichever process of the server answers."""
        time.sleep(max(0, changed + STALE_SECONDS - time.monotonic()))
        for _ in range(12):
            equal(self.serial(), certificate.serial, "the serial from then on")

    def ends(self, conn):
        """What the server's program is told of the connection's end, when it is."""
        peer = conn.getsockname()[1]
        for line in self.server.out.splitlines():
            one = json.loads(line)
            if one["peer"] == peer:
                return one["end"]
        return None


def replace(path, source):
    shutil.copy(source, path + ".new")
    os.rename(path + ".new", path)


def renew(bed, how, layout, way):
    live = Live(bed, how, layout)
    new = bed.authority.issue("renewed", SERVER_NAMES, "serverAuth")
    old = live.serial()
    open_before = live.open()
    way(live, new)
    live.settles(new, time.monotonic())
    live.ping(open_before)
    open_before.close()
    line = bed.audited("server", event="certificate_reloaded")
    equal((line["own_serial"], line["identity"]), (new.serial, "own"), "what is logged")
    equal(old != new.serial, True, "another serial")
    equal(bed.audit("server", event="reload_failed"), [], "failures")
    equal(bed.audit("server", event="handshake_failed"), [], "failed handshakes")


def in_steps(live, new):
    """Handshakes all the time; each pause is longer than it takes to be looked at."""
    stop = threading.Event()
    failed = []

    def dial():
        while not stop.is_set():
            try:
                live.serial()
            except OSError as error:
                failed.append(error)
            time.sleep(0.02)
    dialler = threading.Thread(target=dial)
    dialler.start()
    live.write(new, between=lambda: time.sleep(1.3))
    stop.set()
    dialler.join()
    equal(failed, [], "failed handshakes while the files were written")


def test_renamed_threads(bed):
    renew(bed, "threads", "flat", Live.rename)


def test_renamed_prefork(bed):
    renew(bed, "prefork", "flat", Live.rename)


def test_renamed_forking(bed):
    renew(bed, "forking", "flat", Live.rename)


def test_renamed_loop(bed):
    renew(bed, "loop", "flat", Live.rename)


def test_kubernetes_threads(bed):
    renew(bed, "threads", "kubernetes", Live.swap)


def test_kubernetes_prefork(bed):
    renew(bed, "prefork", "kubernetes", Live.swap)


def test_written_in_steps_threads(bed):
    renew(bed, "threads", "flat", in_steps)


def test_written_in_steps_loop(bed):
    renew(bed, "loop", "flat", in_steps)


def test_idle_server_needs_no_second_connection(bed):
    """Nobody has looked for long: the first to come gets the new certificate."""
    live = Live(bed)
    new = bed.authority.issue("renewed", SERVER_NAMES, "serverAuth")
    live.rename(new)
    time.sleep(STALE_SECONDS)
    equal(live.serial(), new.serial, "the first connection's serial")


def test_broken_keeps_the_old(bed):
    live = Live(bed)
    old = live.serial()
    path = os.path.join(live.folder, "tls.crt")
    bed.write("live/tls.crt", b"-----BEGIN CERTIFICATE-----\nMIIB\n")
    kept = live.open()
    line = bed.audited("server", event="reload_failed")
    equal((path in line["detail"], line["identity"]), (True, "own"), f"words of {line}")
    equal(line["detail"].startswith(bed.path("server.ini") + ":7: "), True, "line of policy")
    for _ in range(3):
        time.sleep(1)
        equal(live.serial(), old, "the serial")
    live.ping(kept)
    equal(len(bed.audit("server", event="reload_failed")), 1, "lines about one state")
    new = bed.authority.issue("renewed", SERVER_NAMES, "serverAuth")
    live.rename(new)
    live.settles(new, time.monotonic())


def test_pair_that_does_not_match(bed):
    live = Live(bed)
    old = live.serial()
    new = bed.authority.issue("renewed", SERVER_NAMES, "serverAuth")
    replace(os.path.join(live.folder, "tls.crt"), new.chain)
    for _ in range(4):
        equal(live.serial(), old, "the serial while the key is missing")
        time.sleep(0.5)
    replace(os.path.join(live.folder, "tls.key"), new.key)
    live.settles(new, time.monotonic())
    equal(bed.audit("server", event="reload_failed"), [], "failures")


def test_policy_takes_effect(bed):
    """Another port is let in, one is no longer."""
    live = Live(bed)
    live.open().close()
    text = open(bed.server_policy, encoding="utf-8").read()
    bed.write("server.ini.new", text.replace("mode = mtls", "mode = deny"))
    os.rename(bed.path("server.ini.new"), bed.server_policy)

    def is_denied():
        try:
            live.serial()
            return False
        except OSError:
            return True
    wait_until(is_denied, "the new rule", STALE_SECONDS)
    equal(len(bed.audit("server", event="policy_loaded")), 2, "policies loaded")


def test_policy_that_is_broken(bed):
    live = Live(bed)
    kept = live.open()
    good = open(bed.server_policy, encoding="utf-8").read()
    bed.write("server.ini", good + "nonsense = 1\n")
    live.serial()
    line = bed.audited("server", event="reload_failed")
    wanted = f"{bed.server_policy}:{len(good.splitlines()) + 1}: "
    equal(line["detail"].startswith(wanted), True, f"{wanted} in {line['detail']}")
    live.serial()
    live.ping(kept)
    equal(len(bed.audit("server", event="policy_loaded")), 1, "policies loaded")


def test_key_that_may_not_be_read_any_more(bed):
    """Keys are read before the program drops its privileges; what is public goes on."""
    users.open_folders(bed)
    crl = bed.write("live.crl", open(bed.authority.crl("unread-1"), "rb").read())
    live = Live(bed, user=("nobody",), identity=f"crl = {crl}",
                log=bed.path("server.jsonl"))
    old = live.serial()
    kept = live.open()
    new = bed.authority.issue("renewed", SERVER_NAMES, "serverAuth")
    live.rename(new)
    line = bed.audited("server", event="reload_failed")
    equal("Permission denied" in line["detail"], True, f"words of {line}")
    equal(live.serial(), old, "the serial")
    live.ping(kept)
    replace(crl, bed.authority.crl("unread-2", [bed.client_cert]))
    bed.audited("server", event="cut", reason="revoked")


def test_certificate_about_to_end(bed):
    """Warned of once, not with every reload; and again when the next one ends, too."""
    soon = bed.authority.issue("soon", SERVER_NAMES, "serverAuth", days=(-1, 5.5))
    live = Live(bed, expiry_warning="6d")
    live.rename(soon)
    live.settles(soon, time.monotonic())
    line = bed.audited("server", event="certificate_expiring")
    equal((line["own_serial"], line["identity"]), (soon.serial, "own"), "what is logged")
    equal("in 5 days" in line["detail"], True, line["detail"])
    later = bed.authority.issue("later", SERVER_NAMES, "serverAuth", days=(-1, 5.7))
    live.rename(later)
    live.settles(later, time.monotonic())
    bed.audited("server", event="certificate_expiring", own_serial=later.serial)
    equal(len(bed.audit("server", event="certificate_expiring")), 2, "warnings")
    done = subprocess.run([MTLSCTL, "check", bed.server_policy], capture_output=True,
                          text=True, timeout=20)
    wanted = "warning: [identity own]: the certificate ends in 5 days"
    equal((done.returncode, wanted in done.stdout), (0, True), done.stdout)


def traced(live, seconds, during):
    """The system calls that the server makes meanwhile, a line each."""
    path = live.bed.path("trace")
    trace = live.bed.start("strace", ["strace", "-f", "-tt", "-o", path, "-p",
                                      live.server_pid()])
    wait_until(lambda: "attached" in trace.err, "strace to be there")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        during()
    trace.stop(signal.SIGINT)
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def test_looks_once_a_second(bed):
    """However many connections there are."""
    live = Live(bed)
    kept = live.open()
    lines = traced(live, 5, lambda: live.serial())
    for path in (bed.server_policy, bed.server_cert.pem, bed.server_cert.key):
        count = sum(f'"{path}"' in line for line in lines)
        equal(4 <= count <= 6, True, f"{count} looks at {path} in 5 s")
    live.ping(kept)


def test_no_calls_of_a_program_without_connections(bed):
    live = Live(bed)
    live.open().close()
    bed.audited("server", event="closed")
    time.sleep(3)  # lingering for the closed one, and the last look, take a second each
    lines = traced(live, 3, lambda: time.sleep(0.1))
    waits = ("accept4(", "restart_syscall(", "epoll_wait(")  # begun before that
    calls = [line for line in lines if not any(wait in line for wait in waits)]
    equal((calls, len(lines) <= 2), ([], True), f"calls in {lines}")


def seconds_of(line):
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


class Renewed:
    """A certificate in use: where it stands, and when which one was put there."""

    def __init__(self, bed, name, first, made):
        self.certificate = type(first)(bed.path(name), name)
        # Serials are asked for beforehand: openssl takes seconds to start in a storm.
        self.made = [(certificate, certificate.serial) for certificate in made]
        self.swaps = []  # (time, serial)
        os.mkdir(bed.path(name))
        self.put(first, first.serial)

    def put(self, certificate, serial):
        """As `mtlsctl ca renew` does it."""
        replace(self.certificate.key, certificate.key)
        replace(self.certificate.pem, certificate.chain)
        self.swaps.append((time.time(), serial))

    def swap(self):
        self.put(*self.made.pop(0))

    def fresh(self, lines, field):
        """Every handshake that began STALE_SECONDS after a swap shows what was put there,
        and each certificate has been seen."""
        ends = [swap[0] for swap in self.swaps[1:]] + [float("inf")]
        for line in lines:
            begun = seconds_of(line) - line["duration_ms"] / 1000
            fit = [serial for (_, serial), until in zip(self.swaps, ends)
                   if until + STALE_SECONDS >= begun]
            equal(line[field] in fit, True, f"{field} is not stale: {line}")
        equal({serial for _, serial in self.swaps} - {line[field] for line in lines}, set(),
              f"{field}: never seen")


class Moment(NamedTuple):
    at: float      # seconds
    own_s: float   # of processor time, of the programs so far
    idle_s: float  # of all processors, since they run


def moment(*programs):
    tick = os.sysconf("SC_CLK_TCK")
    own = 0
    for program in programs:
        with open(f"/proc/{program.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        own += int(fields[11]) + int(fields[12])
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return Moment(time.time(), own / tick, (int(fields[4]) + int(fields[5])) / tick)


class Pace(NamedTuple):
    """Of handshakes, at these times, in windows from a moment to another."""
    per_second: float
    per_own_second: float
    idle: float  # processors that had nothing to do


def pace(times, windows):
    count = sum(bisect(times, end.at) - bisect(times, start.at) for start, end in windows)
    lasted, own, idle = (sum(end[i] - start[i] for start, end in windows) for i in range(3))
    return Pace(count / lasted, count / own, idle / lasted)


def storm(bed, tickets):
    """Connections as fast as they go, while the certificates of both ends are renewed 20
    times. How fast that is depends on the machine, and on what else it does: compared with
    what the same threads do between renewals, a handshake is not much dearer meanwhile, and
    the processors do not wait."""
    made = {end: [bed.authority.issue(f"{end}-{tickets}-{i}", names, usage)
                  for i in range(STORM_ROUNDS)]
            for end, names, usage in (("server", SERVER_NAMES, "serverAuth"),
                                      ("client", CLIENT_NAMES, "clientAuth"))}
    server = Renewed(bed, "live-server", bed.server_cert, made["server"])
    client = Renewed(bed, "live-client", bed.client_cert, made["client"])
    bed.server_cert, bed.client_cert = server.certificate, client.certificate
    identity = f"session_tickets = {tickets}"
    bed.pair(server_identity=identity, client_identity=identity)
    # Who makes the load gives way to who renews and looks at the clock.
    busy = ["nice", "-n", "10", STORM]
    server_program = bed.serve([*busy, "server", bed.port, STORM_THREADS])
    load = bed.start("client", [*busy, "client", bed.port, STORM_THREADS], bed.client_policy)
    bed.audited("client", event="handshake_ok")
    windows = {"renewed": [], "quiet": []}
    for number in range(STORM_ROUNDS):
        start = moment(server_program, load)
        server.swap()
        client.swap()
        time.sleep(STORM_SECONDS)
        windows["renewed"].append((start, moment(server_program, load)))
        if number % 2 == 1:
            time.sleep(STORM_SECONDS)
            windows["quiet"].append((windows["renewed"][-1][1], moment(server_program, load)))
    spent = windows["quiet"][-1][1].own_s
    load.process.terminate()
    load.ok()
    shaken = {}
    for name in ("client", "server"):
        lines = bed.audit(name)
        bed.written.add(bed.path(name + ".jsonl"))  # too long to be held against the schema
        bad = [line for line in lines if line["event"] in ("handshake_failed", "reload_failed")]
        equal(bad[:1], [], f"failures of the {name}")
        shaken[name] = [line for line in lines if line["event"] == "handshake_ok"]
        equal(len(shaken[name]), int(load.out), f"handshakes of the {name}")
    server.fresh(shaken["client"], "peer_serial")
    server.fresh(shaken["server"], "own_serial")
    client.fresh(shaken["client"], "own_serial")
    client.fresh(shaken["server"], "peer_serial")
    resumed = sum(line["resumed"] for line in shaken["client"])
    equal(resumed > 0, tickets == "on", f"some are resumed: {resumed}")
    times = sorted(seconds_of(line) for line in shaken["client"])
    renewed, quiet = (pace(times, windows[name]) for name in ("renewed", "quiet"))
    print(f"{len(times)} handshakes, {resumed} resumed; {renewed.per_second:.0f} a second while "
          f"the certificates were renewed, {quiet.per_second:.0f} in between; "
          f"{1000 * spent / len(times):.2f} ms of CPU each, both ends; "
          f"idle {renewed.idle:.2f} and {quiet.idle:.2f} of {os.cpu_count()} processors")
    equal(renewed.per_own_second >= 0.7 * quiet.per_own_second, True,
          f"as cheap while certificates are renewed: {renewed}, {quiet}")
    equal(renewed.idle <= quiet.idle + 0.15 * os.cpu_count(), True,
          f"as busy while certificates are renewed: {renewed}, {quiet}")


def test_storm(bed):
    storm(bed, "off")


def test_storm_resumed(bed):
    storm(bed, "on")


def test_killed_client(bed):
    """Handshakes that a client's end breaks off are told as just that, and harm nobody."""
    bed.pair(server_identity="session_tickets = off", log_rate=0)
    bed.serve([STORM, "server", bed.port, STORM_THREADS])

    def kill():
        """In the midst of it, whatever it is doing just then."""
        before = len(bed.audit("server", event="handshake_ok"))
        load = bed.start("client", [STORM, "client", bed.port, STORM_THREADS],
                         bed.client_policy)
        wait_until(lambda: len(bed.audit("server", event="handshake_ok")) > before,
                   "handshakes")
        load.stop(signal.SIGKILL)
        return bed.audit("server", event="handshake_failed")
    wait_until(kill, "a handshake that is broken off", 30)
    last = bed.start("client", [STORM, "client", bed.port, 1], bed.client_policy)
    before = len(bed.audit("client", event="handshake_ok"))
    wait_until(lambda: len(bed.audit("client", event="handshake_ok")) > before, "another")
    last.process.terminate()
    last.ok()
    broken = bed.audit("server", event="handshake_failed")
    equal({line["reason"] for line in broken} - {"peer_closed", "peer_reset"}, set(),
          "other reasons")
    equal(bed.audit("client", event="handshake_failed"), [], "failures of the client")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
