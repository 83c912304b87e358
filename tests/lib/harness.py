"""The bed of a test with real programs: certificates, policies, programs, a wire tap.

A test is a function that gets a Bed; main() runs a file's tests and counts them.

With MTLS_TEST_PLAIN=1 the programs run without the shim. Everything must work then, too,
but for one thing: the wire check must fail, and a test passes only if it does. Tests whose
other end speaks TLS or that are about refusal must fail altogether. That shows that each
test can tell the shim from plain TCP.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

import audit_schema
import certs
import procs
import tls_wire
from relay import Relay

PLAIN = os.environ.get("MTLS_TEST_PLAIN") == "1"
BUILD = os.path.join(procs.ROOT, os.environ.get("BUILD", "build"))
MTLS_RUN = os.path.join(BUILD, "bin", "mtls-run")
MTLSCTL = os.path.join(BUILD, "bin", "mtlsctl")
SHIM = os.path.join(BUILD, "lib", "libmtls_shim.so")
# tests/sanitize.sh: what is preloaded beside the library, and the programs and tests that
# cannot bear it.
PRELOAD = os.environ.get("MTLS_TEST_PRELOAD")
LEAVE_OUT = os.environ.get("MTLS_TEST_LEAVE_OUT", "").split()
if PRELOAD:
    SHIM += ":" + PRELOAD
PROGRAMS = os.path.join(procs.ROOT, "tests", "compat", "programs")
TEST_SECONDS = 90
PLAIN_SECONDS = 4  # for a test that is to fail without the shim, be it by waiting in vain
MARKER = b"MTLS-TEST-MARKER"


class TimedOut(Exception):
    pass


class LeftOut(Exception):
    """The test needs a program that cannot be run in this way."""


def payload(size, seed=0):
    """Bytes that are hard to get right by accident, with the marker all over them."""
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(128))
    out = bytearray()
    number = 0
    while len(out) < size:
        out += MARKER + number.to_bytes(8, "big") + block[:4072]
        number += 1
    return bytes(out[:size])


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Bed:
    """What one test needs, in a temporary folder; gone at the end of the with block."""

    def __init__(self, authority):
        self.authority = authority
        self.dir = tempfile.mkdtemp(prefix="mtls-test-")
        self.server_cert = self._standard("server")
        self.client_cert = self._standard("client")
        self.programs = []
        self.relays = []
        self.written = set()  # files of the test's own
        self.server_policy = self.client_policy = None
        self.port = None   # where the server listens
        self.relay = None  # where the client dials: relay.port

    def __enter__(self):
        return self

    def stop(self):
        for program in reversed(self.programs):
            program.stop()

    def __exit__(self, *_):
        self.stop()
        for relay in self.relays:
            relay.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _standard(self, name):
        """The everyday certificates are made once a test file."""
        made = certs.Certificate(self.authority.folder, name)
        if not os.path.exists(made.pem):
            names = certs.SERVER_NAMES if name == "server" else certs.CLIENT_NAMES
            usage = "serverAuth" if name == "server" else "clientAuth"
            made = self.authority.issue(name, names, usage)
        return made

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        path = self.path(name)
        self.written.add(path)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    # ---- policies --------------------------------------------------------------------

    def policy(self, name, sections, identities=None, **shim):
        """Writes NAME.ini: sections is the text of the rules, identities maps names to
        certificates or to (certificate, trust file, more lines). Returns its path."""
        settings = {"log": self.path(name + ".jsonl"), "log_level": "info",
                    "default_inbound": "deny", "default_outbound": "deny", **shim}
        lines = ["[shim]"] + [f"{key} = {value}" for key, value in settings.items()]
        for identity, given in (identities or {}).items():
            if not isinstance(given, tuple):
                given = (given, self.authority.pem, "")
            certificate, trust, more = given
            lines += [f"[identity {identity}]", f"certificate = {certificate.chain}",
                      f"private_key = {certificate.key}", f"trust = {trust}", more]
        return self.write(name + ".ini", "\n".join(lines) + "\n" + sections)

    def pair(self, port=None, server_rule="", client_rule="", server_identity="",
             client_identity="", **shim):
        """The usual case: one server, one client, the relay between them, all mtls."""
        self.port = port or procs.free_port()
        self.relay = self.open_relay(self.port)
        self.server_policy = self.policy(
            "server", f"[inbound test]\nlocal = *:{self.port}\nmode = mtls\nidentity = own\n"
            + server_rule, {"own": (self.server_cert, self.authority.pem, server_identity)},
            **shim)
        self.client_policy = self.policy(
            "client", f"[outbound test]\nremote = *:{self.relay.port}, *:{self.port}\n"
            "mode = mtls\nidentity = own\n" + client_rule,
            {"own": (self.client_cert, self.authority.pem, client_identity)}, **shim)
        return self

    def open_relay(self, port, host="127.0.0.1"):
        relay = Relay((host, port))
        self.relays.append(relay)
        return relay

    # ---- programs --------------------------------------------------------------------

    def start(self, name, argv, policy=None, env=None, **how):
        """Starts a program: under mtls-run with a policy, as it is without one."""
        argv = [str(word) for word in argv]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MTLS_")}
        environment.update(env or {})
        if policy and not PLAIN:
            if os.path.basename(argv[0]) in LEAVE_OUT:
                raise LeftOut(f"{argv[0]} does not run with {PRELOAD}")
            if PRELOAD:
                environment["LD_PRELOAD"] = PRELOAD
            argv = [MTLS_RUN, "-p", policy, "--", *argv]
        program = procs.Program(self.dir, name, argv, env=environment, **how)
        self.programs.append(program)
        return program

    def serve(self, argv, name="server", **how):
        """Starts the server of a pair and waits until it listens."""
        return self.start(name, argv, self.server_policy, **how).listens(self.port)

    def client(self, argv, name="client", seconds=40, **how):
        """Runs a client of a pair to its end, which must be a good one."""
        return self.start(name, argv, self.client_policy, **how).ok(seconds)

    def python(self, script, *arguments):
        """The command line of one of tests/compat/programs."""
        return [sys.executable, os.path.join(PROGRAMS, script), *arguments]

    # ---- what is checked ---------------------------------------------------------------

    def audit(self, name, **fields):
        """The lines of NAME's audit log whose fields have these values."""
        try:
            with open(self.path(name + ".jsonl"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            lines = []
        return [line for line in lines
                if all(line.get(key) == value for key, value in fields.items())]

    def audited(self, name, seconds=10, **fields):
        """Waits for such a line and returns the first one."""
        try:
            return procs.wait_until(lambda: self.audit(name, **fields),
                                    f"{fields} in {name}'s audit log", seconds)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {self.audit(name)[-5:]}") from None

    def check_logs(self):
        """Every line that the test's programs have logged is as the schema says."""
        self.stop()
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if ".jsonl" in name and path not in self.written and os.path.isfile(path):
                    audit_schema.check_file(path)

    def check_identities(self):
        """Both ends have logged the handshake with the other's certificate and their own."""
        if PLAIN:
            return
        for name, own, other in (("server", self.server_cert, self.client_cert),
                                 ("client", self.client_cert, self.server_cert)):
            line = self.audited(name, event="handshake_ok")
            for key, want in (("own_serial", own.serial), ("peer_serial", other.serial)):
                if line.get(key) != want:
                    raise AssertionError(f"{name}: {key} is {line.get(key)}, not {want}")
            if f"CN={other.name}" not in line.get("peer_subject", ""):
                raise AssertionError(f"{name}: peer_subject is {line.get('peer_subject')}")

    def check_wire(self, relay=None, at_least=1, markers=(MARKER,), allow_cut=False):
        """All that passed the relay was TLS. Returns the connections' Wire objects."""
        relay = relay or self.relay
        try:
            wires = [tls_wire.check_connection(r.client, r.server, markers, allow_cut)
                     for r in relay.recordings]
        except tls_wire.WireError:
            if PLAIN:
                return []
            raise
        if PLAIN:
            raise AssertionError("plain TCP went through the wire check")
        wires = [wire for wire in wires if wire and wire.has_data]
        if len(wires) < at_least:
            raise AssertionError(f"{len(wires)} protected connections, not {at_least}")
        return wires

    def check_all(self, **how):
        self.check_identities()
        return self.check_wire(**how)

    def logs(self):
        """The end of every program's output and of every audit log, for a failed test."""
        parts = []
        for name in sorted(os.listdir(self.dir)):
            if name.endswith((".out", ".err", ".jsonl")) and os.path.getsize(self.path(name)):
                parts.append(f"---- {name}\n{procs.tail(self.path(name))}")
        for relay in self.relays:
            for number, recording in enumerate(relay.recordings[:5]):
                parts.append(f"---- connection {number}: client {len(recording.client)} bytes,"
                             f" server {len(recording.server)} bytes,"
                             f" {'reset' if recording.reset else 'fin'}"
                             f" {'done' if recording.done else 'open'}")
        return "\n".join(parts)


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:500]}, not {str(want)[:500]}")


def run_test(test, authority, seconds):
    """Returns None, or why the test failed."""
    with Bed(authority) as bed:
        signal.alarm(seconds)
        try:
            test(bed)
            bed.check_logs()
            return None
        except LeftOut:
            raise
        except Exception as error:  # whatever it is, the next test is to run
            signal.alarm(0)
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
            print(bed.logs())
            return (str(error).splitlines() or [type(error).__name__])[0][:300]
        finally:
            signal.alarm(0)


def _on_alarm(*_):
    raise TimedOut("the test took too long")


def _on_term(*_):
    raise SystemExit(143)


def main(tests, needs_shim=False):
    """Runs the functions called test_... of a module's globals(); words on the command
    line choose some of them.

    needs_shim: without the shim each of them must fail; some means their names.
    """
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.signal(signal.SIGTERM, _on_term)
    words = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-test-ca-") as folder:
        authority = certs.Authority(folder)
        for key, test in list(tests.items()):
            name = key.removeprefix("test_")
            if not key.startswith("test_") or (words and not any(w in name for w in words)):
                continue
            start = time.monotonic()
            must_fail = PLAIN and (needs_shim is True or needs_shim and name in needs_shim)
            try:
                if name in LEAVE_OUT:
                    raise LeftOut(f"not with {PRELOAD}")
                why = run_test(test, authority, PLAIN_SECONDS if must_fail else TEST_SECONDS)
            except LeftOut as reason:
                print(f"# left out: {name} - {reason}", flush=True)
                continue
            took = time.monotonic() - start
            if must_fail:
                print(f"without the shim: {why}")
                why = None if why else "passed without the shim"
            if why is None:
                passed += 1
                print(f"ok {name} ({took:.1f} s)", flush=True)
            else:
                failed += 1
                print(f"not ok {name} - {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
