"""What a byte costs with ever more connections and threads, and whether they contend; and the
plot of it."""

import math
import os
import re
import signal
import subprocess

import loads
import programs
import variants
from machine import procs

BYTES = "16384"  # of an answer
ASK = ["-q", "a request", "-b", BYTES]
CONNECTIONS = (1, 10, 100, 1000, 10000)
THREADS = (1, 2, 4, 16, 64)
COLOURS = {"plain": "#777777", "shim": "#c03020"}


def curve(bench, names, rounds, words, points, load_words):
    """Processor time for each GB at each point; growth: the last point's over the cheapest."""
    stacks = {}
    program = programs.Serve(*words)
    try:
        for name in names:
            stacks[name] = variants.Stack(bench, program, name)
        for number in range(rounds):
            costs = {name: {} for name in names}
            others = 0.0
            for point in points:
                for name in names if number % 2 == 0 else reversed(names):
                    meter = loads.Meter(stacks[name])
                    got = loads.run_load(meter, *load_words(point), *ASK, more_seconds=60)
                    costs[name][point] = meter.cpu / got["bytes"] * 1e9
                    others = max(others, meter.others)
            for name in names:
                figures = {f"cpu_s_per_GB@{n}": cost for n, cost in costs[name].items()}
                figures["growth"] = costs[name][points[-1]] / min(costs[name].values())
                yield name, number, figures, others
    finally:
        for stack in stacks.values():
            stack.stop()


def connections(bench, names, rounds):
    return curve(bench, names, rounds, ("epoll", BYTES), CONNECTIONS,
                 lambda n: ["-c", str(n), "-t", str(min(n, 4))])


def threads(bench, names, rounds):
    return curve(bench, names, rounds, ("threads", BYTES), THREADS,
                 lambda n: ["-c", str(n), "-t", str(n)])


def contention(bench, names, rounds):
    """The server's futex calls, by strace, while 64 threads serve a connection each."""
    for name in names:
        stack = variants.Stack(bench, programs.Serve("threads", BYTES), name)
        try:
            for number in range(min(rounds, 3)):
                counted = Futexes(bench, stack.server.pid)
                got = loads.run_load(loads.Meter(stack), "-c", "64", "-t", "64", *ASK,
                                     steady=counted)
                yield name, number, {"calls": counted.calls / got["requests"] * 1e3}, 0.0
        finally:
            stack.stop()


class Futexes:
    """Counts a process's futex calls in a block, by strace."""

    def __init__(self, bench, pid):
        self.path = bench.path("futex")
        self.pid = pid
        self.calls = 0
        self.strace = None

    def __enter__(self):
        self.strace = subprocess.Popen(["strace", "-f", "-c", "-e", "trace=futex", "-o",
                                        self.path, "-p", str(self.pid)],
                                       stderr=subprocess.DEVNULL)
        procs.wait_until(self._all_traced, "strace to be attached")

    def _all_traced(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status", encoding="ascii") as file:
                if "TracerPid:\t0\n" in file.read():
                    return False
        return True

    def __exit__(self, *_):
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(10)
        with open(self.path, encoding="ascii", errors="replace") as file:
            found = re.search(r"(\d+)(?: +\d+)? +futex", file.read())
        self.calls = int(found[1]) if found else 0


# ---- the plot --------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 640, 360, 60, 40


def plot(title, curves):
    """An SVG of {name: {x: y}}, x by its logarithm, y from 0."""
    every_x = sorted({x for curve in curves.values() for x in curve})
    top = max(y for curve in curves.values() for y in curve.values()) * 1.1
    span = math.log(every_x[-1]) or 1

    def place(x, y):
        return (LEFT + math.log(x) / span * (WIDTH - LEFT - 90),
                HEIGHT - TOP - y / top * (HEIGHT - 2 * TOP))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="20" font-size="14">{title}</text>']
    for x in every_x:
        at, low = place(x, 0)
        parts.append(f'<text x="{at:.0f}" y="{low + 16:.0f}" text-anchor="middle">{x}</text>')
    for step in range(5):
        value = top * step / 4
        _, at = place(1, value)
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - 90}" y1="{at:.0f}" y2="{at:.0f}" '
                  'stroke="#dddddd"/>',
                  f'<text x="{LEFT - 6}" y="{at + 4:.0f}" text-anchor="end">{value:.2f}</text>']
    for name, curve_of in curves.items():
        colour = COLOURS.get(name, "#3060a0")
        spots = [place(x, y) for x, y in sorted(curve_of.items())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts += [f'<polyline points="{line}" fill="none" stroke="{colour}" '
                  'stroke-width="2"/>',
                  f'<text x="{spots[-1][0] + 8:.0f}" y="{spots[-1][1] + 4:.0f}" '
                  f'fill="{colour}">{name}</text>']
    return "\n".join([*parts, "</svg>", ""])


def write_plots(figures, rows, folder):
    """One for each row that has figures at points; returns their names."""
    written = []
    for row in rows:
        points = {}
        for (of, figure), by_variant in figures.by.items():
            name, _, at = figure.partition("@")
            if of == row and at:
                for variant in by_variant:
                    points.setdefault(variant, {})[int(at)] = figures.median(row, figure,
                                                                             variant)
        if points:
            with open(os.path.join(folder, row + ".svg"), "w", encoding="utf-8") as file:
                file.write(plot(f"{row}: cpu-s for each GB", points))
            written.append(row + ".svg")
    return written
