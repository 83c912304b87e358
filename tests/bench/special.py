"""Rows that are measured in ways of their own: memory at rest, calls that no policy governs,
instructions, start-up, size. Each yields (variant, round, figures, cores that others kept
busy); an exception in place of the figures says why there are none."""

import os
import re
import statistics
import subprocess
import time

import loads
import programs
import variants
from machine import BUILD, HOST, SUITE, files_max, procs, rss_of

LIBRARY = os.path.join(BUILD, "lib", "libmtls_shim.so")
SETTLE_SECONDS = 15


def idle(bench, names, _):
    """Server and proxy memory for each of 10,000 connections at rest, by resident size."""
    count = min(2000 if bench.seconds < 1 else 10000, files_max() // 2 - 500)
    stacks, clients = {}, []
    try:
        for name in names:
            stacks[name] = variants.Stack(bench, programs.Redis(), name, tickets=False)
            clients.append(hold(bench, stacks[name], 20))
        before = settled(stacks)
        for name, stack in list(stacks.items()):
            try:
                clients.append(hold(bench, stack, count))
            except AssertionError as error:
                yield name, 0, error, 0.0
                stacks.pop(name).stop()
        after = settled(stacks)
        for name in stacks:
            server, proxies = (now - was for now, was in zip(after[name], before[name]))
            yield name, 0, {"KiB": (server + proxies) / count, "server_KiB": server / count,
                            "proxies_KiB": proxies / count, "connections": count}, 0.0
    finally:
        for client in clients:
            client.stop(seconds=0)
        for stack in stacks.values():
            stack.stop()


def settled(stacks):
    time.sleep(SETTLE_SECONDS)
    return {name: (rss_of(stack.server.pid),
                   sum(rss_of(proxy.pid) for proxy in stack.proxies))
            for name, stack in stacks.items()}


def hold(bench, stack, count):
    """A client with so many connections, each of which has had an answer; it stays."""
    bench.count += 1
    argv = stack.shimmed([loads.LOAD, "-w", "-c", str(count), "-t", "8",
                          *loads.own_tls(stack), *loads.REDIS_ASK, HOST, str(stack.port)])
    client = procs.Program(bench.dir, f"hold-{bench.count}", argv, env=stack.env(),
                           stdin=subprocess.PIPE)
    try:
        client.says("ready", seconds=bench.patience + count / 100)
    except BaseException:
        client.stop(seconds=0)
        raise
    return client


def preloaded(bench, name):
    """The environment of a program without network, with or without the library."""
    env = {"PATH": os.environ["PATH"]}
    if name == "shim":
        policy = bench.write("alone.ini", variants.POLICY.format(
            port=1, relay=2, suite=SUITE, tickets="on"))
        env.update(LD_PRELOAD=LIBRARY, MTLS_SHIM_POLICY=policy)
    return env


def ungoverned(bench, names, rounds):
    """read(2) beyond the bare system call, in ns: only the difference stands still."""
    argv = [os.path.join(BUILD, "tests", "bench", "ungoverned"),
            "50" if bench.seconds < 1 else "150", "2000"]
    for number in range(rounds):
        for name in names:
            runs = [subprocess.run(argv, env=preloaded(bench, name), check=True, timeout=30,
                                   capture_output=True, text=True).stdout.split()
                    for _ in range(3)]
            ns = statistics.median(float(read) - float(bare) for read, bare in runs)
            yield name, number, {"ns": ns}, 0.0


def start(bench, names, rounds):
    """Processor time of /bin/true, in ms: the median of 40 starts in turns."""
    for number in range(rounds):
        times = {name: [] for name in names}
        for _ in range(40):
            for name in names:
                pid = os.posix_spawn("/bin/true", ["/bin/true"], preloaded(bench, name))
                used = os.wait4(pid, 0)[2]
                times[name].append((used.ru_utime + used.ru_stime) * 1e3)
        for name in names:
            yield name, number, {"ms": statistics.median(times[name])}, 0.0


def size(bench, names, _):
    """The library without debugging information, in KiB."""
    path = bench.path("stripped.so")
    subprocess.run(["strip", "-o", path, LIBRARY], check=True, timeout=30)
    for name in names:
        yield name, 0, {"KiB": os.path.getsize(path) / 1024 if name == "shim" else 0.0}, 0.0


PARTS = {"recv": "recv", "send": "send", "record_read": "record_read",
         "record_write": "record_write", "record_protect_open": "open",
         "record_protect_seal": "seal"}


def instructions(bench, names, _):
    """Instructions of a client's send and recv for each request, by callgrind; and within
    them of reading, writing, opening and sealing a record. It is the same in every round."""
    count = 1000
    for name in names:
        figures = {}
        for size in (64, 16384):
            stack = variants.Stack(bench, programs.Serve("threads", str(size)), name)
            try:
                spent = callgrind(bench, stack, count, size)
            finally:
                stack.stop()
            figures.update({f"{PARTS[part]}, {size} bytes": ir / count
                            for part, ir in spent.items()})
        figures["instructions"] = figures["recv, 64 bytes"] + figures["send, 64 bytes"]
        yield name, 0, figures, 0.0


def callgrind(bench, stack, count, size):
    """{a function of PARTS: what it and all that it calls have spent}."""
    path = bench.path("callgrind")
    env = stack.env()
    if stack.variant == "shim":
        env.update(LD_PRELOAD=LIBRARY, MTLS_SHIM_POLICY=stack.shimmed([])[2])
    subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + path, loads.LOAD,
                    "-n", str(count), "-q", "a request", "-b", str(size), HOST,
                    str(stack.port)], env=env, check=True, capture_output=True, timeout=120)
    listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100",
                              "--auto=no", path], check=True, capture_output=True, text=True,
                             timeout=60).stdout
    spent = {}
    for number, part in re.findall(r"^ *([\d,]+) .*:(\w+)(?: \[.*)?$", listing, re.MULTILINE):
        if part in PARTS:
            spent[part] = max(spent.get(part, 0), int(number.replace(",", "")))
    return spent
