"""The ways of getting mutual TLS under a program, each up and ready to be dialled.

One certificate (ECDSA P-256, one root) serves both ends everywhere, with TLS 1.3,
AES-128-GCM and X25519: options say so where there are any, OPENSSL_CONF where not. (Only
PostgreSQL's own TLS knows no X25519, and takes P-256.)
"""

import os
import shutil
import tempfile

import proxies
from machine import BUILD, HOST, SUITE, procs
import certs  # the path to it is machine's

VARIANTS = ["plain", "shim", "native", *proxies.PROXIES]

POLICY = """\
[shim]
log = none
handshake_timeout = 60s
default_inbound = deny
default_outbound = deny
[identity bench]
certificate = bench.pem
private_key = bench.key
trust = ca.pem
ciphers = {suite}
groups = X25519
session_tickets = {tickets}
[inbound bench]
local = *:{port}
mode = mtls
identity = bench
[outbound bench]
remote = *:{port}, *:{relay}
mode = mtls
identity = bench
"""

OPENSSL_CNF = """\
openssl_conf = a
[a]
ssl_conf = b
[b]
system_default = c
[c]
MinProtocol = TLSv1.3
Ciphersuites = {suite}
Groups = X25519:P-256
"""


class Bench:
    """The folder of a run: certificates, and whatever else is written for programs."""

    def __init__(self, seconds, patience):
        self.seconds = seconds    # that a load generator is to run
        self.patience = patience  # that it may take longer
        self.dir = tempfile.mkdtemp(prefix="mtls-bench-")
        os.chmod(self.dir, 0o755)
        authority = certs.Authority(self.dir)
        authority.issue("bench", "DNS:localhost,IP:" + HOST)
        with open(self.path("both.pem"), "wb") as both:
            for name in ("bench.pem", "bench.key"):
                with open(self.path(name), "rb") as file:
                    both.write(file.read())
        os.chmod(self.path("both.pem"), 0o600)
        self.write("openssl.cnf", OPENSSL_CNF.format(suite=SUITE))
        self.count = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def folder_for(self, user):
        """A folder with the key and the certificates, all of them the user's."""
        path = self.path("of-" + user)
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            for name in ("bench.pem", "bench.key", "ca.pem"):
                shutil.copy(self.path(name), path)
                shutil.chown(os.path.join(path, name), user, user)
            shutil.chown(path, user, user)
        return path

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def missing(variant):
    """Why a variant cannot be measured on this machine; None when it can."""
    if variant in proxies.PROXIES:
        return proxies.missing(variant)
    return None if variant in VARIANTS else f"there is no variant {variant}"


class Stack:
    """A served program in one variant, listening. Clients dial `port`; between the ends of
    TLS the bytes pass `wire`, which may be a relay's port that leads to `wire_end`."""

    def __init__(self, bench, program, variant, tickets=True, relay=None):
        self.bench = bench
        self.variant = variant
        self.program = program
        self.server = None
        self.proxies = []
        self.tickets = tickets
        bench.count += 1
        self.number = bench.count
        own = procs.free_port()
        self.wire_end = procs.free_port() if variant in proxies.PROXIES else own
        self.wire = relay(self.wire_end) if relay else self.wire_end
        self.port = procs.free_port() if variant in proxies.PROXIES else self.wire
        try:
            self._start(own)
        except BaseException:
            self.stop()
            raise

    def _start(self, own):
        argv = self.program.argv(self.bench, own, self.variant == "native", self.tickets)
        user = self.program.user
        self.server = self._run("server", self.shimmed(argv, user), own, user)
        if self.variant in proxies.PROXIES:
            for role, listen, target in (("server", self.wire_end, own),
                                         ("client", self.port, self.wire)):
                half = proxies.PROXIES[self.variant](self.bench, role, listen, target, self.tickets)
                self.proxies.append(self._run(role, half, listen))

    def _run(self, name, argv, port, user=None):
        started = procs.Program(self.bench.dir, f"{self.number}-{self.variant}-{name}", argv,
                                env=self.env(), cwd=self.bench.dir, user=user, group=user)
        try:
            return started.listens(port)
        except BaseException:
            started.stop(seconds=0.5)
            raise

    def env(self, more=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("MTLS_")}
        if self.variant not in ("plain", "shim"):
            env["OPENSSL_CONF"] = self.bench.path("openssl.cnf")
        return {**env, **(more or {})}

    def shimmed(self, argv, user=None, tickets=None):
        """The command line, under mtls-run where the variant is the shim."""
        if self.variant != "shim":
            return argv
        tickets = self.tickets if tickets is None else tickets
        folder = self.bench.folder_for(user) if user else self.bench.dir
        name = os.path.join(folder, f"{self.wire_end}-{'on' if tickets else 'off'}.ini")
        self.bench.write(name, POLICY.format(port=self.wire_end, relay=self.wire, suite=SUITE,
                                             tickets="on" if tickets else "off"))
        return [os.path.join(BUILD, "bin", "mtls-run"), "-p", name, "--", *argv]

    def pids(self):
        return [started.pid for started in [self.server, *self.proxies]]

    def stop(self):
        for started in [*self.proxies, self.server]:
            if started:
                started.stop(self.program.stop_by, seconds=self.program.stop_seconds
                             if started is self.server else 0.5)
                for path in (started.out_path, started.err_path):
                    if os.path.exists(path):
                        os.unlink(path)
