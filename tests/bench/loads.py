"""The load generators: each runs once against a Stack and gives figures."""

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
from variants import BUILD, HOST, cpu_of, machine_cpu

LOAD = os.path.join(BUILD, "tests", "bench", "load")


class Meter:
    """Runs a load generator against a stack and counts every process that takes part."""

    def __init__(self, stack):
        self.stack = stack
        self.cpu = 0.0     # seconds: client, server and proxies
        self.others = 0.0  # cores that anything else kept busy meanwhile
        self.wall = 0.0

    def run(self, argv, seconds, env=None, tickets=None):
        """Returns what it wrote; RuntimeError unless it ends in the seconds and some more."""
        stack = self.stack
        seconds += stack.bench.patience
        argv = stack.shimmed([str(word) for word in argv], tickets=tickets)
        before, machine, start = self._servers(), machine_cpu(), time.monotonic()
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, cwd=stack.bench.dir,
                                     env=stack.env(env), start_new_session=True)
            status, used, late = wait_bounded(child, seconds)
            out.seek(0)
            text = out.read().decode("utf-8", "replace")
        if late or status:
            raise RuntimeError(f"{os.path.basename(argv[0])} " + (
                f"did not end within {seconds:.0f} s" if late else f"ended with {status}")
                + f": {text[-300:]}")
        self.wall = time.monotonic() - start
        self.cpu = used.ru_utime + used.ru_stime + self._servers() - before
        self.others = max(0.0, (machine_cpu() - machine - self.cpu) / self.wall)
        return text

    def _servers(self):
        return sum(cpu_of(pid) for pid in self.stack.pids())


def wait_bounded(child, seconds):
    """Waits for a child, and ends its session when it is late: (status, usage, was late)."""
    late = threading.Event()

    def end():
        late.set()
        os.killpg(child.pid, signal.SIGKILL)
    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        _, status, used = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(5)
        raise
    finally:
        timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, used, late.is_set()


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
        out = meter.run(["wrk", "-t", 2, "-c", connections, "-d",
                         f"{max(1, round(stack.bench.seconds))}s",
                         f"{scheme}://{HOST}:{stack.port}/{name}"], stack.bench.seconds)
        if "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError(out[-300:])
        count = found(r"(\d+) requests in", out)
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


def load_c(*words, figure="per_s", tickets=None, resume=False):
    """load.c: see its head. With resume it must have resumed nearly all, where it can tell."""
    def load(meter, _):
        stack = meter.stack
        out = json.loads(meter.run(
            [LOAD, "-s", f"{stack.bench.seconds:.2f}", *own_tls(stack),
             *(["-R"] if resume else []), *words, HOST, stack.port],
            stack.bench.seconds, tickets=tickets))
        if resume and stack.variant == "native" and out["resumed"] < out["requests"] * 0.9:
            raise RuntimeError(f"only {out['resumed']} of {out['requests']} were resumed")
        rate = out["requests"] / out["seconds"]
        each = meter.cpu / max(1, out["requests"])
        return {"per_s": rate, **({"cpu_ms_each": each * 1e3} if figure == "per_s" and "-k" in
                words else {"cpu_s_per_M": each * 1e6, "cpu_s_per_GB":
                meter.cpu / max(1, out["bytes"]) * 1e9})}
    return load
