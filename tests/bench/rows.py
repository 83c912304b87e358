"""The rows. To add one: a server in programs.py if it is new, a load in loads.py, a line here,
and what is to be reached in the file targets."""

import os
import statistics
import subprocess
import time

import loads
import programs
import variants
from variants import BUILD, HOST, procs

LIBRARY = os.path.join(BUILD, "lib", "libmtls_shim.so")
SETTLE_SECONDS = 15


class Row:
    """text: what it is. figure: the one that counts, of those that load() gives; `better` is
    "more" or "less". tickets: what servers and clients allow; client_tickets: clients only.
    rounds: fewer than the run's, for what takes long. quick: also with --quick."""

    def __init__(self, text, figure, program, load, better="more", tickets=True,
                 quick=True, only=None, needs=()):
        self.text = text
        self.figure = figure
        self.program = program
        self.load = load
        self.better = better
        self.tickets = tickets
        self.quick = quick
        self.only = only
        self.needs = needs


REDIS_ASK = ["-q", "GET nothing\r\n", "-e", "$-1\r\n"]
HTTP_ASK = ["-q", "GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
SERVE_ASK = ["-q", "a request of 32 bytes, as it were", "-b", "64"]
NEW = ["-k", "-t", "16", "-c", "16"]


def handshakes(ask, **more):
    return loads.load_c(*NEW, *ask, **more)


ROWS = {
    "bulk": Row("iperf3, one stream", "GB_s", programs.Iperf(), loads.iperf),
    "http-1m": Row("nginx, 1 MiB file, wrk -c 16", "GB_s", programs.Nginx("optional"),
                   loads.wrk("big", 16), needs=("wrk",)),
    "http-small": Row("nginx, 612-byte file, keep-alive, wrk -c 64", "per_s",
                      programs.Nginx("optional"), loads.wrk("small", 64), needs=("wrk",)),
    "get-c1": Row("redis GET, 1 connection: mean round trip", "mean_us", programs.Redis(),
                  loads.redis_benchmark(1), better="less"),
    "get-c50": Row("redis GET, 50 connections", "per_s", programs.Redis(),
                   loads.redis_benchmark(50)),
    "get-p16": Row("redis GET, 50 connections, pipeline of 16", "per_s", programs.Redis(),
                   loads.redis_benchmark(50, 16)),
    "memcached": Row("memcached get, 64 connections", "per_s", programs.Memcached(),
                     loads.load_c("-c", "64", "-t", "2", "-q", "get nothing\r\n", "-e",
                                  "END\r\n", figure="rpc")),
    "pgbench": Row("PostgreSQL, prepared selects, 4 connections", "per_s",
                   programs.Postgres(), loads.pgbench),
    "full-redis": Row("full handshakes, redis", "per_s", programs.Redis(),
                      handshakes(REDIS_ASK), tickets=False),
    "full-nginx": Row("full handshakes, nginx", "per_s", programs.Nginx("on"),
                      handshakes(HTTP_ASK), tickets=False),
    "full-threads": Row("full handshakes, a thread for each connection", "per_s",
                        programs.Serve("threads", "64"), handshakes(SERVE_ASK),
                        tickets=False),
    "unused-tickets": Row("full handshakes, nginx gives tickets that nobody uses", "per_s",
                          programs.Nginx("on"), handshakes(HTTP_ASK, tickets=False)),
    "resumed-redis": Row("resumed handshakes, redis", "per_s", programs.Redis(),
                         handshakes(REDIS_ASK, resume=True)),
    "resumed-nginx": Row("resumed handshakes, nginx", "per_s", programs.Nginx("on"),
                         handshakes(HTTP_ASK, resume=True)),
    "resumed-threads": Row("resumed handshakes, a thread for each connection", "per_s",
                           programs.Serve("threads", "64"),
                           handshakes(SERVE_ASK, resume=True)),
}


# ---- rows that are measured in ways of their own: (bench, variants, rounds) -> samples -----

def idle(bench, names, _):
    """Server and proxy memory for each of 10,000 connections at rest, by resident size."""
    count = 2000 if bench.seconds < 1 else 10000
    if variants.files_max() < 3 * count:
        raise RuntimeError(f"{3 * count} open files are needed: ulimit -n")
    samples, stacks, clients = [], {}, []
    try:
        for name in names:
            stacks[name] = variants.Stack(bench, programs.Redis(), name, tickets=False)
            clients.append(hold(bench, stacks[name], 20))
        before = settled(stacks)
        for name, stack in stacks.items():
            clients.append(hold(bench, stack, count))
        after = settled(stacks)
        for name in stacks:
            server, proxies = (now - was for now, was in zip(after[name], before[name]))
            samples.append((name, 0, {"KiB": (server + proxies) / count,
                                      "server_KiB": server / count,
                                      "proxies_KiB": proxies / count}, 0.0))
    finally:
        for client in clients:
            client.stop(seconds=0)
        for stack in stacks.values():
            stack.stop()
    return samples


def settled(stacks):
    time.sleep(SETTLE_SECONDS)
    return {name: (variants.rss_of(stack.server.pid),
                   sum(variants.rss_of(proxy.pid) for proxy in stack.proxies))
            for name, stack in stacks.items()}


def hold(bench, stack, count):
    """A client with so many connections, each of which has had an answer; it stays."""
    bench.count += 1
    argv = stack.shimmed([loads.LOAD, "-i", "-c", str(count), "-t", "8",
                          *loads.own_tls(stack), *REDIS_ASK, HOST, str(stack.port)])
    client = procs.Program(bench.dir, f"hold-{bench.count}", argv, env=stack.env(),
                           stdin=subprocess.PIPE)
    try:
        client.says("ready", seconds=60)
    except BaseException:
        client.stop(seconds=0)
        raise
    return client


def preloaded(bench, name):
    """The environment of a program without network, with or without the library."""
    env = {"PATH": os.environ["PATH"]}
    if name == "shim":
        policy = bench.write("alone.ini", variants.POLICY.format(
            port=1, relay=2, suite=variants.SUITE, tickets="on"))
        env.update(LD_PRELOAD=LIBRARY, MTLS_SHIM_POLICY=policy)
    return env


def ungoverned(bench, names, rounds):
    """read(2) beyond the bare system call, in ns: only the difference stands still."""
    argv = [os.path.join(BUILD, "tests", "bench", "ungoverned"), "150", "2000"]
    samples = []
    for number in range(rounds):
        for name in names:
            runs = [subprocess.run(argv, env=preloaded(bench, name), check=True, timeout=30,
                                   capture_output=True, text=True).stdout.split()
                    for _ in range(3)]
            ns = statistics.median(float(read) - float(bare) for read, bare in runs)
            samples.append((name, number, {"ns": ns}, 0.0))
    return samples


def start(bench, names, rounds):
    """Processor time of /bin/true, in ms: the median of 40 starts in turns."""
    samples = []
    for number in range(rounds):
        times = {name: [] for name in names}
        for _ in range(40):
            for name in names:
                pid = os.posix_spawn("/bin/true", ["/bin/true"], preloaded(bench, name))
                used = os.wait4(pid, 0)[2]
                times[name].append((used.ru_utime + used.ru_stime) * 1e3)
        samples += [(name, number, {"ms": statistics.median(times[name])}, 0.0)
                    for name in names]
    return samples


def size(bench, names, _):
    """The library without debugging information, in KiB."""
    path = bench.path("stripped.so")
    subprocess.run(["strip", "-o", path, LIBRARY], check=True, timeout=30)
    return [(name, 0, {"KiB": os.path.getsize(path) / 1024 if name == "shim" else 0.0}, 0.0)
            for name in names]


OWN_WAY = {
    "idle": Row("redis, 10,000 idle connections: memory for each, 15 s later", "KiB",
                programs.Redis(), idle, better="less"),
    "ungoverned": Row("read(2) that no policy governs, beyond the bare system call", "ns",
                      None, ungoverned, better="less", only=("plain", "shim")),
    "start": Row("start of /bin/true, processor time", "ms", None, start, better="less",
                 only=("plain", "shim")),
    "size": Row("size of the library, stripped", "KiB", None, size, better="less",
                only=("plain", "shim")),
}
ALL = {**ROWS, **OWN_WAY}


def why_not(name, row, variant):
    """Why a row has no figure for a variant; None when it can be measured."""
    if row.only and variant not in row.only:
        return "not for this row"
    if variant == "native" and row.program and not row.program.native:
        return "the program has no TLS of its own"
    gone = variants.missing(variant) or (row.program and programs.lacking(row.program))
    return gone or next((f"{tool} is not installed" for tool in row.needs
                         if not variants.shutil.which(tool)), None)
