"""The load generators: each runs once against a Stack and gives figures."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from programs import BIG
from machine import BUILD, HOST, cpu_of, machine_cpu

LOAD = os.path.join(BUILD, "tests", "bench", "load")
REDIS_ASK = ["-q", "GET nothing\r\n", "-e", "$-1\r\n"]
HTTP_ASK = ["-q", "GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
SERVE_ASK = ["-q", "a request of 32 bytes, as it were", "-b", "64"]


class Meter:
    """Runs a load generator against a stack and counts every process that takes part."""

    def __init__(self, stack):
        self.stack = stack
        self.cpu = 0.0     # seconds: client, server and proxies
        self.others = 0.0  # cores that anything else kept busy meanwhile
        self.wall = 0.0

    def run(self, argv, seconds, env=None, tickets=None, steady=None):
        """Returns what it wrote; RuntimeError unless it ends in the seconds and some more.

        steady: it is load.c with -w: only what is between its "ready" and its result counts,
        and that is run in this context."""
        stack, name = self.stack, os.path.basename(argv[0])
        argv = stack.shimmed([str(word) for word in argv], tickets=tickets)
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(argv, stdin=subprocess.PIPE if steady else
                                     subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                     cwd=stack.bench.dir, env=stack.env(env),
                                     start_new_session=True, bufsize=0)
            with bounded(child, seconds + stack.bench.patience) as late:
                if steady:
                    wait_says(child, out, b"ready")
                    with steady:
                        self._begin(child.pid)
                        child.stdin.write(b"!")
                        wait_says(child, out, b"}")
                        self._end(cpu_of(child.pid))
                    child.stdin.close()
                else:
                    self._begin()
                _, status, used = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            if not steady:
                self._end(used.ru_utime + used.ru_stime)
            out.seek(0)
            text = out.read().decode("utf-8", "replace")
        if late.is_set() or child.returncode:
            raise RuntimeError(f"{name} " + ("did not end in time" if late.is_set() else
                                             f"ended with {child.returncode}")
                               + f": {text[-300:]}")
        return text

    def _begin(self, client=None):
        self.cpu = -self._servers() - (cpu_of(client) if client else 0)
        self.others = -machine_cpu()
        self.wall = -time.monotonic()

    def _end(self, client_cpu):
        self.cpu += client_cpu + self._servers()
        self.wall += time.monotonic()
        self.others = max(0.0, (self.others + machine_cpu() - self.cpu) / self.wall)

    def _servers(self):
        return sum(cpu_of(pid) for pid in self.stack.pids())


@contextlib.contextmanager
def bounded(child, seconds):
    """Ends the child's session when the time is over, or when the block is left early."""
    late = threading.Event()

    def end():
        late.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield late
    except BaseException as error:
        if late.is_set() and isinstance(error, RuntimeError):
            raise RuntimeError("did not end in time") from None
        end()
        child.wait(5)
        raise
    finally:
        timer.cancel()


def wait_says(child, out, word):
    """Until the child has written the word, or has ended: RuntimeError. bounded() ends one
    that does neither."""
    while word not in os.pread(out.fileno(), 1000, 0):
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            child.wait(5)
            raise RuntimeError(f"ended with {child.returncode}: "
                               f"{os.pread(out.fileno(), 300, 0).decode('utf-8', 'replace')}")
        time.sleep(0.01)


def found(pattern, text):
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise RuntimeError(f"no {pattern} in {text[-300:]}")
    return float(match[1])


def own_tls(stack):
    """What load.c is told for a server with TLS of its own."""
    path = stack.bench.path
    return ["-A", path("ca.pem"), "-C", path("bench.pem"), "-K", path("bench.key")] \
        if stack.variant == "native" else []


def iperf(meter, _):
    stack = meter.stack
    argv = ["iperf3", "-c", HOST, "-p", stack.port, "-J", "-t",
            max(1, round(stack.bench.seconds))]
    for attempt in range(5):
        try:
            end = json.loads(meter.run(argv, stack.bench.seconds))["end"]
            break
        except RuntimeError as error:  # it serves one test at a time, and ends them late
            if "busy" not in str(error) or attempt == 4:
                raise
            time.sleep(0.3)
    got = end["sum_received"]
    return {"GB_s": got["bits_per_second"] / 8e9,
            "cpu_s_per_GB": meter.cpu / (got["bytes"] / 1e9)}


def wrk(name, connections):
    def load(meter, _):
        stack = meter.stack
        scheme = "https" if stack.variant == "native" else "http"
        # Its clock includes opening the connections: so it runs longer than the others.
        seconds = max(1, round(stack.bench.seconds * 2))
        out = meter.run(["wrk", "-t", 2, "-c", connections, "-d", f"{seconds}s",
                         f"{scheme}://{HOST}:{stack.port}/{name}"], seconds)
        count = found(r"(\d+) requests in", out)
        if "Non-2xx" in out or "Socket errors" in out or not count:
            raise RuntimeError(f"wrk: {out[-300:]}")
        rate = found(r"Requests/sec:\s+([\d.]+)", out)
        if name == "big":
            return {"GB_s": rate * BIG / 1e9, "cpu_s_per_GB": meter.cpu / (count * BIG / 1e9)}
        return {"per_s": rate, "cpu_s_per_M": meter.cpu / count * 1e6}
    return load


def redis_benchmark(connections, pipeline=1):
    """GETs of established connections: the benchmark's clock includes opening them, so that
    one round of requests is measured beforehand, and taken off."""
    first = connections * pipeline

    def once(meter, count):
        stack, path = meter.stack, meter.stack.bench.path
        tls = ["--tls", "--cert", path("bench.pem"), "--key", path("bench.key"), "--cacert",
               path("ca.pem")] if stack.variant == "native" else []
        out = meter.run(["redis-benchmark", "-h", HOST, "-p", stack.port, "-t", "get", "-c",
                         connections, "-n", count, "-P", pipeline, "--csv", *tls],
                        stack.bench.seconds * 5)
        return count / found(r'^"GET","([\d.]+)"', out) if '"inf"' not in out else 0.0

    def load(meter, memory):
        if "count" not in memory:
            warm = [(once(meter, first), meter.cpu) for _ in range(3)]
            memory["setup"] = statistics.median(took for took, _ in warm)
            memory["cpu"] = statistics.median(cpu for _, cpu in warm)
            count = first * 20 + 2000
            rate = count / once(meter, count)
            memory["count"] = first * 2 + int(rate * meter.stack.bench.seconds)
        count = memory["count"]
        total = once(meter, count)
        # Where opening took most of it the difference would be noise: then nothing is taken off.
        steady = total - memory["setup"] if memory["setup"] < total * 0.6 else total
        return {"per_s": (count - first) / steady, "mean_us": steady / (count - first) * 1e6
                * connections * pipeline,
                "setup_ms": memory["setup"] * 1e3, "cpu_s_per_M":
                max(0.0, meter.cpu - memory["cpu"]) / (count - first) * 1e6}
    return load


def pgbench(meter, memory):
    """Prepared selects by 4 connections; pgbench's rate leaves out connecting."""
    stack, folder = meter.stack, meter.stack.bench.path
    env = {"PGHOST": HOST, "PGPORT": str(stack.port), "PGUSER": "bench", "PGDATABASE":
           "postgres", "PGGSSENCMODE": "disable", "PGSSLMODE": "disable"}
    if stack.variant == "native":
        env.update(PGSSLMODE="verify-ca", PGSSLROOTCERT=folder("ca.pem"),
                   PGSSLCERT=folder("bench.pem"), PGSSLKEY=folder("bench.key"))
    if not memory:
        meter.run(["pgbench", "-i", "-q", "-s", 1], 20, env)
        memory["filled"] = True
    out = meter.run(["pgbench", "-S", "-M", "prepared", "-c", 4, "-j", 1, "-n", "-T",
                     max(1, round(stack.bench.seconds))], stack.bench.seconds, env)
    return {"per_s": found(r"^tps = ([\d.]+)", out), "cpu_s_per_M":
            meter.cpu / found(r"actually processed: (\d+)", out) * 1e6}


def run_load(meter, *words, tickets=None, more_seconds=0, steady=None):
    """load.c: see its head. Returns what it counted."""
    stack = meter.stack
    wait = [] if "-k" in words else ["-w"]
    out = meter.run([LOAD, "-s", f"{stack.bench.seconds:.2f}", *own_tls(stack), *wait, *words,
                     HOST, stack.port], stack.bench.seconds + more_seconds, tickets=tickets,
                    steady=(steady or contextlib.nullcontext()) if wait else None)
    return json.loads(out[out.index("{"):])


def requests(*words):
    """Requests over connections that stay."""
    def load(meter, _):
        got = run_load(meter, *words)
        return {"per_s": got["requests"] / got["seconds"],
                "cpu_s_per_M": meter.cpu / got["requests"] * 1e6}
    return load


def handshakes(*ask, tickets=None, resume=False):
    """A new connection for each request, by 16 threads; tickets: what the client allows.
    With resume nearly all must have been resumed, where load.c can tell."""
    def load(meter, _):
        got = run_load(meter, "-k", "-t", "16", "-c", "16", *(["-R"] if resume else []), *ask,
                       tickets=tickets)
        if resume and meter.stack.variant == "native" and \
                got["resumed"] < got["requests"] * 0.9:
            raise RuntimeError(f"only {got['resumed']} of {got['requests']} were resumed")
        return {"per_s": got["requests"] / got["seconds"],
                "cpu_ms_each": meter.cpu / got["requests"] * 1e3}
    return load
