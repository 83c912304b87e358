"""Rows that are measured in ways of their own: memory at rest, calls that no policy governs,
start-up, size. Each gives [(variant, round, figures, cores that others kept busy)]."""

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


def idle(bench, names, _):
    """Server and proxy memory for each of 10,000 connections at rest, by resident size."""
    count = min(2000 if bench.seconds < 1 else 10000, variants.files_max() // 2 - 500)
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
            samples.append((name, 0, {"connections": count, "KiB": (server + proxies) / count,
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
    argv = stack.shimmed([loads.LOAD, "-w", "-c", str(count), "-t", "8",
                          *loads.own_tls(stack), *loads.REDIS_ASK, HOST, str(stack.port)])
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
