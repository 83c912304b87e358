"""What processes and the whole machine have spent, and what a process may have."""

import json
import os
import platform
import re
import resource
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import procs  # noqa: E402

BUILD = os.path.join(procs.ROOT, os.environ.get("BUILD", "build"))
LIMITS = os.path.join(BUILD, "tests", "bench", "limits")  # tests/bench/limits.c
HOST = "127.0.0.1"
SUITE = "TLS_AES_128_GCM_SHA256"
TICKS = os.sysconf("SC_CLK_TCK")
FILES = 50000
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


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


def limits(seconds):
    """What the machine's cores can do: see limits.c."""
    out = subprocess.run([LIMITS, f"{seconds:.2f}"],
                         check=True, capture_output=True, text=True, timeout=60).stdout
    return json.loads(out)


def describe():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return {"cpu": found[1] if found else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release()}
