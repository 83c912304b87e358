"""The bed of tests/trust: a table of cases, each the outcome of real handshakes.

    CASES = [
        Case("expired", leaf(ROOT, days=(-5, -1)),
             Refused("expired", "certificate_expired")),
    ]
    main(CASES)

Each row is played with the shim as server, which judges the certificate of a client, and as
client, which judges that of a server; in TLS 1.3 and 1.2 against OpenSSL, and in 1.3 against
GnuTLS. `shim`, `versions` and `stacks` of a row choose some of them.

The shimmed programs are two for a whole file: a server (tests/trust/programs/serve.py) with
a port and a rule for each of the policies that rows ask for, and a client (dial.py) with a
rule for each of our listeners. The client sees NAMES in its /etc/hosts.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import queue
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import audit_schema
import gnutls
import papers
from harness import MTLS_RUN, PLAIN
from papers import authority, bundle, leaf
from procs import ROOT as TREE
from procs import wait_until

SCHEMA = audit_schema.load()

PROGRAMS = os.path.join(TREE, "tests", "trust", "programs")
GREETING = "MTLS-TEST-MARKER greeting\n"      # what the shimmed server says first
CLIENT_LINE = "MTLS-TEST-MARKER of the client\n"  # what the shimmed client sends
PEER_LINE = "MTLS-TEST-MARKER of the peer\n"  # what OpenSSL or GnuTLS sends
SECONDS = 2 if PLAIN else 20

ROOT = authority("root")
OWN = leaf(ROOT, subject="O=Test,CN=own", label="own",
           san=["DNS:own.test", "DNS:localhost", "IP:127.0.0.1"])

# The client's /etc/hosts, besides localhost: addresses and their names.
NAMES = """
127.0.0.1 db.test a.db.test a.b.db.test test-host xn--bcher-kva.test db.test.evil
127.0.0.1 ab.test host
127.0.0.2 many.test
127.0.0.3 many.test
127.0.0.4 one.test two.test
::1 six.test
"""


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Bytes pass both ways, and the log names the peer; log: more fields of its line."""
    log: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Refused:
    """Neither program gets a byte.

    reason   of the audit line
    alert    that the peer saw; None: it has found out by itself, or there is no way to tell;
             (for TLS 1.3, for TLS 1.2) where it differs
    errno    of the first call of the program that failed
    words    what the audit line's detail must contain
    shown    whether the log must name the peer's certificate
    """
    reason: str
    alert: "str | tuple | None"
    errno: str = "EPROTO"
    words: tuple = ()
    shown: bool = True


@dataclasses.dataclass
class Case:
    """A row.

    paper       the peer's certificate; None: it has none
    want        Accepted() or Refused(...); {"server": ..., "client": ...} where it differs
                with the shim's role
    shim        the roles that the shim plays
    versions, stacks   of TLS, of the peer
    trust       what our identity trusts: papers, or a path
    own         our own certificate
    identity    more lines of the identity's section
    rule        more lines of the rule; inbound, outbound: of that direction only
    host        what the client dials: an address, or a name that it resolves
    peer        how the peer is odd: any_version (OpenSSL: 1.2, too), priority (added, for
                GnuTLS), ciphers (for OpenSSL), trust (papers: it verifies us by them)
    """
    name: str
    paper: "papers.Paper | None"
    want: object
    shim: tuple = ("server", "client")
    versions: tuple = ("1.3", "1.2")
    stacks: tuple = ("openssl", "gnutls")
    trust: object = (ROOT,)
    own: papers.Paper = OWN
    identity: str = ""
    rule: str = ""
    inbound: str = ""
    outbound: str = ""
    host: str = "127.0.0.1"
    peer: dict = dataclasses.field(default_factory=dict)

    def runs(self):
        """What is played: GnuTLS once, in the first version."""
        for role in _tuple(self.shim):
            for stack in _tuple(self.stacks):
                versions = _tuple(self.versions)
                if stack == "gnutls" and len(_tuple(self.stacks)) > 1:
                    versions = versions[:1]
                for version in versions:
                    yield Run(self, role, stack, version)


def _tuple(value):
    return (value,) if isinstance(value, str) else tuple(value)


@dataclasses.dataclass
class Run:
    """A handshake: a case in one role, with one peer, in one version."""
    case: Case
    role: str
    stack: str
    version: str

    @property
    def name(self):
        return f"{self.case.name}: {self.role}, TLS {self.version}, {self.stack}"

    @property
    def want(self):
        want = self.case.want
        return want[self.role] if isinstance(want, dict) else want

    @property
    def alert(self):
        alert = self.want.alert
        return alert[self.version == "1.2"] if isinstance(alert, tuple) else alert


def check(condition, words):
    if not condition:
        raise AssertionError(words)


# ---- the peer -------------------------------------------------------------------------


class Answer:
    """How the peer fared: error in words, alert that it was sent, data that it got."""

    def __init__(self):
        self.alert = None
        self.error = None
        self.data = b""


def _openssl_context(run):
    peer = run.case.peer
    is_server = run.role == "client"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # What is weak is refused by the shim, not by the peer that shows it.
    context.set_ciphers(peer.get("ciphers", "ALL:@SECLEVEL=0"))
    version = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2,
               "1.1": ssl.TLSVersion.TLSv1_1}[run.version]
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if peer.get("any_version") else version
    context.maximum_version = version
    if run.case.paper is not None:
        context.load_cert_chain(run.case.paper.pem(), run.case.paper.key_path)
    if is_server or "trust" in peer:
        # A server asks for a certificate only when it verifies one.
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(bundle(*peer.get("trust", (ROOT,))))
    return context


def _openssl_alert(error):
    reason = getattr(error, "reason", None) or ""
    return reason.split("ALERT_")[1].lower() if "ALERT_" in reason else None


def _talk_openssl(run, sock, answer):
    sock.settimeout(SECONDS)
    try:
        with _openssl_context(run).wrap_socket(
                sock, server_side=run.role == "client",
                server_hostname=None) as conn:
            try:
                conn.sendall(PEER_LINE.encode())
            except ssl.SSLEOFError:
                pass  # a refusal was faster than this, and is to be read
            while _wants_more(run, answer):
                chunk = conn.recv(4096)
                if not chunk:
                    break
                answer.data += chunk
            conn.unwrap()
    except OSError as error:
        answer.error = f"{type(error).__name__}: {error}"
        answer.alert = _openssl_alert(error)


def _talk_gnutls(run, sock, answer):
    paper, peer = run.case.paper, run.case.peer
    priority = f"NORMAL:-VERS-ALL:+VERS-TLS{run.version}" + peer.get("priority", "")
    trust = bundle(*peer["trust"]) if "trust" in peer else None
    conn = gnutls.Session(sock, run.role == "client", priority, trust,
                          [one.der for one in paper.sent()] if paper else [],
                          paper and paper.key_path, paper and paper.public_key)
    try:
        conn.handshake()
        conn.send(PEER_LINE.encode())
        while _wants_more(run, answer):
            chunk = conn.recv()
            if not chunk:
                break
            answer.data += chunk
        conn.goodbye()
    except OSError as error:
        answer.error, answer.alert = str(error), getattr(error, "alert", None)
    finally:
        conn.close()


def peer_data(run):
    """What the peer gets when all is well."""
    return CLIENT_LINE if run.role == "client" else GREETING + PEER_LINE


def _wants_more(run, answer):
    return len(answer.data) < len(peer_data(run))


def _pass_on(source, sink):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _pass_on_split(source, sink, size):
    """As above, but the first record comes as several."""
    with contextlib.suppress(OSError), source.makefile("rb", buffering=0) as file:
        header = file.read(5)
        length = int.from_bytes(header[3:], "big") if len(header) == 5 else 0
        body = source.recv(length, socket.MSG_WAITALL)
        if header[:1] != b"\x16":
            size = max(len(body), 1)  # an alert is not to be split
        for at in range(0, len(body), size):
            piece = body[at:at + size]
            sink.sendall(header[:3] + len(piece).to_bytes(2, "big") + piece)
    _pass_on(source, sink)


@contextlib.contextmanager
def _split(sock, size):
    """A socket in place of this one, whose first record is split on its way."""
    near, far = socket.socketpair()
    threads = [threading.Thread(target=_pass_on_split, args=(far, sock, size), daemon=True),
               threading.Thread(target=_pass_on, args=(sock, far), daemon=True)]
    for thread in threads:
        thread.start()
    yield near
    near.close()
    for thread in threads:
        thread.join(SECONDS)
    far.close()


def talk(run, sock):
    if "split" in run.case.peer:
        with _split(sock, run.case.peer["split"]) as near:
            answer = _talk(run, near)
        sock.close()
        return answer
    return _talk(run, sock)


def _talk(run, sock):
    answer = Answer()
    (_talk_gnutls if run.stack == "gnutls" else _talk_openssl)(run, sock, answer)
    sock.close()
    return answer


# ---- the shimmed programs -------------------------------------------------------------


class Program:
    """A program under the shim that answers with JSON lines."""

    def __init__(self, folder, name, policy, *arguments, before=(), pass_fds=()):
        argv = [*before]
        if not PLAIN:
            argv += [MTLS_RUN, "-p", policy, "--"]
        argv += [sys.executable, os.path.join(PROGRAMS, name + ".py"), *map(str, arguments)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MTLS_")}
        self.name = name
        self.err = os.path.join(folder, name + ".err")
        with open(self.err, "wb") as err:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment,
                                            stdout=subprocess.PIPE, stderr=err,
                                            pass_fds=pass_fds)
        self._lines = queue.Queue()
        self._early = []
        threading.Thread(target=self._read, daemon=True).start()
        first = self._next(time.monotonic() + 20)
        check(first == "ready\n", f"{name} did not start: {first!r}, {self.errors()}")

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.decode())
        self._lines.put(None)

    def _next(self, end):
        try:
            return self._lines.get(timeout=max(0.01, end - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"{self.name} says nothing") from None

    def errors(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def answer(self, **fields):
        """The next answer with these values; others are kept for later."""
        def fits(one):
            return all(one.get(key) == value for key, value in fields.items())
        end = time.monotonic() + SECONDS + 5
        for one in self._early:
            if fits(one):
                self._early.remove(one)
                return one
        while True:
            line = self._next(end)
            check(line is not None, f"{self.name} ended: {self.errors()}")
            one = json.loads(line)
            if fits(one):
                return one
            self._early.append(one)

    def tell(self, **step):
        self.process.stdin.write(json.dumps(step).encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(10)


class Log:
    """An audit log that is read on and on."""

    def __init__(self, path):
        self.path = path
        self._at = 0
        self._lines = []

    def lines(self):
        if os.path.exists(self.path):
            with open(self.path, "rb") as file:
                file.seek(self._at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._at += len(line)
                    why = audit_schema.check_line(line, SCHEMA)
                    if why:
                        raise AssertionError(f"{self.path}: {why}: {line!r}")
                    self._lines.append(json.loads(line))
        return self._lines

    def verdicts(self, since, rule):
        return [line for line in self.lines()[since:] if line.get("rule") == rule and
                line["event"] in ("handshake_ok", "handshake_failed", "denied")]


class Policy:
    """The policy of one of the programs: an identity and a rule for whatever rows want."""

    def __init__(self, folder, direction):
        self.folder = folder
        self.direction = direction
        self.log = Log(os.path.join(folder, direction + ".jsonl"))
        self._identities = {}
        self._rules = {}
        self.ports = {}  # by the rule's name

    def rule_for(self, case, make_port):
        """The name of the rule that a row's connections fall under."""
        trust = case.trust if isinstance(case.trust, str) else bundle(*case.trust)
        # Each handshake is to show certificates, and may be in either version.
        lines = case.identity
        for key, value in (("min_version", "1.2"), ("session_tickets", "off")):
            if key not in lines:
                lines += f"\n{key} = {value}"
        identity = (case.own.pem(), case.own.key_path, trust, lines)
        name = self._identities.setdefault(identity, f"i{len(self._identities)}")
        more = getattr(case, self.direction)
        key = (name, case.rule, more)
        if key not in self._rules:
            self._rules[key] = f"r{len(self._rules)}"
            self.ports[self._rules[key]] = make_port()
        return self._rules[key]

    def write(self):
        text = (f"[shim]\nlog = {self.log.path}\nlog_level = info\nconnect_wait = 15s\n"
                "handshake_timeout = 15s\ndefault_inbound = deny\ndefault_outbound = deny\n")
        for (pem, key, trust, lines), name in self._identities.items():
            text += (f"[identity {name}]\ncertificate = {pem}\nprivate_key = {key}\n"
                     f"trust = {trust}\n{lines}\n")
        where = "local" if self.direction == "inbound" else "remote"
        for (identity, rule, more), name in self._rules.items():
            text += (f"[{self.direction} {name}]\n{where} = *:{self.ports[name]}\n"
                     f"mode = mtls\nidentity = {identity}\n{rule}\n{more}\n")
        path = os.path.join(self.folder, self.direction + ".ini")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path


def hosts_file(folder):
    """The command that runs another where NAMES are in /etc/hosts."""
    path = os.path.join(folder, "hosts")
    with open(path, "w", encoding="ascii") as out:
        out.write("127.0.0.1 localhost\n::1 localhost\n" + NAMES)
    user = [] if os.geteuid() == 0 else ["-r"]
    return ["unshare", "-m", *user, "sh", "-c",
            'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", path]


class Stage:
    """Both programs, their policies and logs, for the rows of one file."""

    def __init__(self, folder, runs):
        self.folder = folder
        self.policies = {"server": Policy(self.folder, "inbound"),
                         "client": Policy(self.folder, "outbound")}
        self.listeners = {}
        self.rules = {}
        self.programs = {}
        self._thread = 0
        for number, run in enumerate(runs):
            run.number = number
            self.rules[number] = self.policies[run.role].rule_for(run.case, self._listen)

    def __enter__(self):
        # It inherits its listeners: a port that was free may be somebody else's by now.
        fds = [self.listeners[port].fileno() for port in self.policies["server"].ports.values()]
        try:
            self._start("server", "serve", *fds, pass_fds=fds)
            self._start("client", "dial", before=hosts_file(self.folder))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, role, name, *arguments, **how):
        policy = self.policies[role]
        if policy.ports:
            self.programs[role] = Program(self.folder, name, policy.write(), *arguments, **how)

    def __exit__(self, *_):
        for program in self.programs.values():
            program.stop()
        for listener in self.listeners.values():
            listener.close()

    def _listen(self):
        listener = socket.create_server(("::", 0), family=socket.AF_INET6,
                                        dualstack_ipv6=True, backlog=16)
        port = listener.getsockname()[1]
        self.listeners[port] = listener
        return port

    def port(self, run):
        return self.policies[run.role].ports[self.rules[run.number]]

    def since(self, run):
        """Where the log is now."""
        return len(self.policies[run.role].log.lines())

    def verdict(self, run, since, number=0):
        """The line of the log about a connection since then."""
        log = self.policies[run.role].log
        return wait_until(lambda: log.verdicts(since, self.rules[run.number])[number:],
                          "the line in the audit log", 0.02 if PLAIN else SECONDS)[0]

    def accept(self, run):
        listener = self.listeners[self.port(run)]
        check(select.select([listener], [], [], SECONDS)[0], "the program does not dial")
        return listener.accept()[0]

    def thread(self):
        """A new thread of the client program."""
        self._thread += 1
        return self._thread

    def connect(self, run):
        """Has the two ends talk; returns (what the program says, the peer's Answer)."""
        if run.role == "server":
            sock = socket.create_connection(("127.0.0.1", self.port(run)), timeout=10)
            remote = sock.getsockname()[1]
            answer = talk(run, sock)
            return self.programs["server"].answer(remote=remote), answer
        thread = self.thread()
        self.programs["client"].tell(thread=thread, resolve=run.case.host,
                                     connect=self.port(run))
        answer = talk(run, self.accept(run))
        return self.programs["client"].answer(thread=thread), answer


# ---- what is checked ------------------------------------------------------------------


def check_accepted(run, said, answer, line):
    check(answer.error is None, f"the peer: {answer.error}; the program: {said}; {line}")
    check(answer.data.decode() == peer_data(run), f"the peer got {answer.data}")
    check(said["got"] == PEER_LINE, f"the program got {said}")
    check(line["event"] == "handshake_ok", f"audit line {line}")
    fields = {"version": run.version, "peer_serial": run.case.paper.hex_serial,
              "peer_sha256": hashlib.sha256(run.case.paper.der).hexdigest(), **run.want.log}
    for key, value in fields.items():
        check(line.get(key) == value, f"{key} in the log is {line.get(key)}, not {value}")


def check_refused(run, said, answer, line):
    want = run.want
    check(answer.data == b"", f"the peer got {answer.data}")
    check(said["got"] == "", f"the program got {said['got']!r}")
    check(said["end"] == want.errno, f"errno {said['end']}, not {want.errno}; {line}")
    event = "denied" if want.errno == "EACCES" else "handshake_failed"
    check((line["event"], line.get("reason")) == (event, want.reason),
          f"audit line {line['event']}, {line.get('reason')}, not {want.reason}: "
          f"{line.get('detail')}")
    direction = "inbound" if run.role == "server" else "outbound"
    check(line.get("direction") == direction, f"direction {line.get('direction')}")
    for word in _tuple(want.words):
        check(re.search(word, line["detail"]), f"no {word!r} in {line['detail']!r}")
    if want.alert is not None:
        check(answer.alert == run.alert, f"the peer saw alert {answer.alert} "
              f"({answer.error}), not {run.alert}; {line.get('reason')}: {line.get('detail')}")
    if want.shown and run.case.paper is not None:
        check(line.get("peer_serial") == run.case.paper.hex_serial,
              f"the log has peer_serial {line.get('peer_serial')}: {line}")


def play(stage, run):
    since = stage.since(run)
    said, answer = stage.connect(run)
    play_verdict(stage, run, said, answer, since)


def play_verdict(stage, run, said, answer, since):
    """Looks at how a connection went, by all who were there and by the log."""
    line = stage.verdict(run, since)
    (check_accepted if isinstance(run.want, Accepted) else check_refused)(
        run, said, answer, line)
    check(len(stage.policies[run.role].log.verdicts(since, stage.rules[run.number])) == 1,
          "more than one line about a connection")


def _play_one(stage, run, how):
    """None, or why it failed."""
    try:
        how(stage, run)
        return None
    except AssertionError as error:
        return str(error).splitlines()[0][:600]
    except Exception as error:  # whatever it is, the next one is to be played
        traceback.print_exc(file=sys.stdout)
        return f"{type(error).__name__}: {error}"[:600]


def main(cases, plays=None):
    """Plays the rows whose names contain a word of the command line; without one, all.

    cases: rows, or a function that makes them where certificates are made for that
    plays: a function of (stage, run) for a case's name that is played otherwise
    """
    with tempfile.TemporaryDirectory(prefix="mtls-trust-") as folder:
        papers.use_folder(folder)
        failed = _play_all(folder, cases() if callable(cases) else cases, plays or {})
    sys.exit(1 if failed else 0)


def _play_all(folder, cases, plays):
    words = sys.argv[1:]
    names = [case.name for case in cases]
    check(len(names) == len(set(names)), "rows of the same name")
    runs = [run for case in cases for run in case.runs()
            if not words or any(word in run.name for word in words)]
    passed = failed = 0
    start = time.monotonic()
    papers.prepare([run.case.paper for run in runs if run.case.paper is not None])
    with Stage(folder, runs) as stage:
        for run in runs:
            why = _play_one(stage, run, plays.get(run.case.name, play))
            if PLAIN:
                print(f"without the shim: {why}")
                why = None if why else "passed without the shim"
            passed += why is None
            failed += why is not None
            print(f"ok {run.name}" if why is None else f"not ok {run.name} - {why}",
                  flush=True)
    print(f"# {len({run.case.name for run in runs})} rows, {len(runs)} handshakes, "
          f"{time.monotonic() - start:.1f} s")
    print(f"{passed} passed, {failed} failed")
    return failed
