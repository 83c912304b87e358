#!/usr/bin/env python3
"""What the library costs a program that uses no network: its start, and nothing after it."""

import difflib
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import BUILD, PLAIN, SHIM, equal, main  # noqa: E402

NO_NETWORK = os.path.join(BUILD, "tests", "helpers", "no_network")
# Or twice what the program's own start takes, where that alone is slower than on the
# machines that the 3 ms are for: mostly page faults, here as there.
START_MS_MAX = 3
START_RATIO_MAX = 2
STARTS = 150
# What depends on who was first, and on what malloc() has at hand.
CHANCE = {"futex", "restart_syscall", "brk", "getrandom"}
# One call for another.
SAME = {"dup3": "dup2", "epoll_pwait": "epoll_wait"}
WORD = re.compile(r"(\w+)\(")


def environment(bed, shimmed):
    """Without other variables, so that both programs have the same to look at."""
    env = {"PATH": os.environ["PATH"]}
    if shimmed:
        policy = bed.policy("client", "[outbound test]\nremote = *:1\nmode = mtls\n"
                            "identity = own\n", {"own": bed.client_cert})
        env.update(LD_PRELOAD=SHIM, MTLS_SHIM_POLICY=policy)
    return env


def traces(bed, name, env):
    """The names of the system calls from the first mark to the end, a list per thread in the
    order in which they were started."""
    prefix = bed.path(name)
    subprocess.run(["strace", "-ff", "-o", prefix, "-E", "PATH",
                    *[word for key in env for word in ("-E", f"{key}={env[key]}")], NO_NETWORK],
                   env={"PATH": env["PATH"]}, cwd=bed.dir, check=True)
    numbers = sorted(int(file.rsplit(".", 1)[1]) for file in os.listdir(bed.dir)
                     if file.startswith(name + "."))
    found = []
    for number in numbers:
        with open(f"{prefix}.{number}", encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
        start = [at for at, line in enumerate(lines) if '"begin"' in line]
        words = [WORD.match(line) for line in lines[start[0] if start else 0:]]
        names = [SAME.get(word[1], word[1]) for word in words if word]
        found.append([name for name in names if name not in CHANCE])
    return found


def test_no_system_call_more(bed):
    plain = traces(bed, "plain", environment(bed, False))
    shimmed = traces(bed, "shimmed", environment(bed, not PLAIN))
    equal(len(plain), 3, "threads and processes")
    equal(len(plain[0]) > 60, True, "a trace worth the name")
    for number, (want, got) in enumerate(zip(plain, shimmed)):
        changes = list(difflib.unified_diff(want, got, "plain", "shimmed", n=2, lineterm=""))
        equal(changes, [], f"system calls of thread {number}")
    equal(len(shimmed), len(plain), "threads and processes")


def cpu_ms(argv, env):
    """Time on a processor, its own and the kernel's for it: what others use does not count."""
    pid = os.posix_spawn(argv[0], argv, env)
    _, status, used = os.wait4(pid, 0)
    equal(status, 0, "status")
    return (used.ru_utime + used.ru_stime) * 1000


def test_start(bed):
    """In turns, so that whatever slows the machine down meets both."""
    ways = [environment(bed, False), environment(bed, not PLAIN)]
    times = [[], []]
    for _ in range(STARTS):
        for way in (0, 1):
            times[way].append(cpu_ms(["/bin/true"], ways[way]))
    plain, shimmed = map(statistics.median, times)
    print(f"# plain {plain:.2f} ms, shimmed {shimmed:.2f} ms")
    limit = max(START_MS_MAX, START_RATIO_MAX * plain)
    equal(shimmed - plain < limit, True,
          f"{shimmed - plain:.2f} ms more than {plain:.2f}, limit {limit:.2f}")


if __name__ == "__main__":
    main(globals())
