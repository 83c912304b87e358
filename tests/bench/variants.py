"""The ways of getting mutual TLS under a program, each up and ready to be dialled.

One certificate (ECDSA P-256, one root) serves both ends everywhere, with TLS 1.3,
AES-128-GCM and X25519: options say so where there are any, OPENSSL_CONF where not. (Only
PostgreSQL's own TLS knows no X25519, and takes P-256.)
"""

import os
import re
import resource
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certs  # noqa: E402
import procs  # noqa: E402

BUILD = os.path.join(procs.ROOT, os.environ.get("BUILD", "build"))
HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
SUITE = "TLS_AES_128_GCM_SHA256"
FILES = 50000
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

POLICY = """\
[shim]
log = none
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


# ---- processes, and what they cost --------------------------------------------------------

def family(root):
    """The process and its living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_of(root):
    """User and system seconds of a process family, children that have ended included."""
    ticks = 0
    for pid in family(root):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    return ticks / TICKS


def rss_of(root):
    """Resident KiB of a process family."""
    total = 0
    for pid in family(root):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
        except (OSError, TypeError):
            pass
    return total


def machine_cpu():
    """Busy CPU seconds of the whole machine so far; stolen time counts as busy."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def files_max():
    """How many files a program may have open; as root, made enough for every row."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = max(hard, FILES) if os.geteuid() == 0 else hard
    if soft < want:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, want))
        except (ValueError, OSError):
            return soft
    return want


# ---- the proxies: the half beside the client, and the half beside the server ---------------

def stunnel(bench, role, listen, target, tickets):
    ends = "client = yes\ncheckHost = localhost" if role == "client" else "requireCert = yes"
    return ["stunnel4", bench.write(f"stunnel-{listen}.conf", f"""\
foreground = yes
pid =
syslog = no
debug = 0
[bench]
accept = {HOST}:{listen}
connect = {HOST}:{target}
cert = {bench.path("bench.pem")}
key = {bench.path("bench.key")}
CAfile = {bench.path("ca.pem")}
verifyChain = yes
{ends}
sslVersionMin = TLSv1.3
ciphersuites = {SUITE}
curves = X25519
sessionResume = {"yes" if tickets else "no"}
{"" if tickets else "options = NO_TICKET"}
sessionCacheSize = {20000 if tickets else 1}
socket = a:TCP_NODELAY=1
""")]


def haproxy(bench, role, listen, target, tickets):
    tls = f"crt {bench.path('both.pem')} ca-file {bench.path('ca.pem')} verify required"
    if role == "client":
        ends = (f"    bind {HOST}:{listen}\n    server s {HOST}:{target} ssl {tls} "
                f"verifyhost localhost {'' if tickets else 'no-ssl-reuse'}")
    else:
        ends = (f"    bind {HOST}:{listen} ssl {tls} {'' if tickets else 'no-tls-tickets'}\n"
                f"    server s {HOST}:{target}")
    return ["haproxy", "-db", "-f", bench.write(f"haproxy-{listen}.cfg", f"""\
global
    maxconn {min(12000, files_max() // 2 - 100)}
    {"" if tickets else "tune.ssl.cachesize 0"}
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
    ssl-default-bind-ciphersuites {SUITE}
    ssl-default-server-ciphersuites {SUITE}
    ssl-default-bind-curves X25519
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen bench
{ends}
""")]


def nginx_tls(bench, tickets, verify):
    return f"""ssl_protocols TLSv1.3; ssl_certificate {bench.path("bench.pem")};
        ssl_certificate_key {bench.path("bench.key")}; ssl_verify_client {verify};
        ssl_client_certificate {bench.path("ca.pem")}; ssl_ecdh_curve X25519;
        ssl_conf_command Ciphersuites {SUITE}; ssl_session_tickets {"on" if tickets else "off"};
        ssl_session_cache {"shared:s:8m" if tickets else "off"};"""


def nginx_stream(bench, role, listen, target, tickets):
    if role == "client":
        tls = f"""listen {HOST}:{listen} backlog=4096; proxy_ssl on; proxy_ssl_verify on;
        proxy_ssl_protocols TLSv1.3; proxy_ssl_name localhost;
        proxy_ssl_certificate {bench.path("bench.pem")};
        proxy_ssl_certificate_key {bench.path("bench.key")};
        proxy_ssl_trusted_certificate {bench.path("ca.pem")};
        proxy_ssl_session_reuse {"on" if tickets else "off"};
        proxy_ssl_conf_command Ciphersuites {SUITE};"""
    else:
        tls = f"listen {HOST}:{listen} ssl backlog=4096; {nginx_tls(bench, tickets, 'on')}"
    return ["nginx", "-c", bench.write(f"stream-{listen}.conf", f"""\
load_module {STREAM_MODULE};
daemon off; worker_processes 2; pid {bench.path(f"stream-{listen}.pid")};
error_log stderr error; worker_rlimit_nofile 50000; events {{ worker_connections 25000; }}
stream {{ proxy_timeout 1h; server {{ {tls}
    proxy_pass {HOST}:{target}; }} }}
""")]


def ghostunnel(bench, role, listen, target, tickets):
    argv = ["ghostunnel", "--cert", bench.path("bench.pem"), "--key", bench.path("bench.key"),
            "--cacert", bench.path("ca.pem"), "--quiet=conns", "--quiet=conn-errs",
            "--quiet=handshake-errs", role, "--listen", f"{HOST}:{listen}",
            "--target", f"{HOST}:{target}"]
    return argv + (["--override-server-name", "localhost"] if role == "client"
                   else ["--allow-all"])


PROXIES = {"stunnel": stunnel, "haproxy": haproxy, "nginx-stream": nginx_stream,
           "ghostunnel": ghostunnel}
VARIANTS = ["plain", "shim", "native", *PROXIES]


def missing(variant):
    """Why a variant cannot be measured on this machine; None when it can."""
    program = {"stunnel": "stunnel4", "nginx-stream": "nginx"}.get(variant, variant)
    if variant in PROXIES and not shutil.which(program):
        return f"{program} is not installed"
    if variant == "nginx-stream" and not os.path.exists(STREAM_MODULE):
        return "nginx's stream module is not installed"
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
        self.wire_end = procs.free_port() if variant in PROXIES else own
        self.wire = relay(self.wire_end) if relay else self.wire_end
        self.port = procs.free_port() if variant in PROXIES else self.wire
        try:
            self._start(own)
        except BaseException:
            self.stop()
            raise

    def _start(self, own):
        argv = self.program.argv(self.bench, own, self.variant == "native", self.tickets)
        user = self.program.user
        self.server = self._run("server", self.shimmed(argv, user), own, user)
        if self.variant in PROXIES:
            for role, listen, target in (("server", self.wire_end, own),
                                         ("client", self.port, self.wire)):
                half = PROXIES[self.variant](self.bench, role, listen, target, self.tickets)
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
