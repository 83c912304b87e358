"""From samples to figures, verdicts and tables."""

import configparser
import os
import re
import statistics

from rows import ALL
from proxies import PROXIES
from variants import VARIANTS

TARGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "targets")
CPU = {"cpu_s_per_GB": "cpu-s/GB", "cpu_s_per_M": "cpu-s/million", "cpu_ms_each": "cpu-ms each"}
UNITS = {"GB_s": "GB/s", "per_s": "/s", "mean_us": "µs", "KiB": "KiB", "ns": "ns", "ms": "ms",
         "instructions": "Ir", "growth": "times", "calls": "calls"}
CONDITION = re.compile(r"(cpu )?at (least|most) ([\d.]+) (of|over) (row )?([\w-]+)$")
ENCRYPTED = [variant for variant in VARIANTS if variant not in ("plain", "shim")]


class Figures:
    """The samples of a run, by row, figure, variant and round."""

    def __init__(self, samples, limits):
        self.by = {}
        self.limits = limits
        for sample in samples:
            for figure, value in sample["figures"].items():
                self.by.setdefault((sample["row"], figure), {}).setdefault(
                    sample["variant"], {})[sample["round"]] = value

    def median(self, row, figure, variant):
        values = self.by.get((row, figure), {}).get(variant)
        return statistics.median(values.values()) if values else None

    def compare(self, row, figure, variant, other, how):
        """The median over the rounds of variant/other ("of"), or of the difference."""
        mine, theirs = (self.by.get((row, figure), {}).get(v, {}) for v in (variant, other))
        each = [mine[n] / theirs[n] if how == "of" else mine[n] - theirs[n]
                for n in mine if n in theirs and (theirs[n] or how == "over")]
        return statistics.median(each) if each else None

    def best(self, row, figure, among):
        """Which of the variants has the best median; None when none has one."""
        known = [(self.median(row, figure, v), v) for v in among
                 if self.median(row, figure, v) is not None]
        less = figure in CPU or ALL[row].better == "less"
        return (min(known) if less else max(known))[1] if known else None

    def cpu_of(self, row):
        return next((figure for figure in CPU if (row, figure) in self.by), None)

    def bound(self, row):
        if row == "bulk":
            plain = self.median(row, "GB_s", "plain")
            if not plain or not self.limits:
                return None
            return 1 / (max(1 / plain, self.median(row, "cpu_s_per_GB", "plain") / 2)
                        + 1 / min(self.limits["seal_GB_s"], self.limits["open_GB_s"]))
        return self.limits.get("handshakes_s") if row.startswith("full-") else None


def derive(passes):
    """Medians of the passes over the machine's limits, and what follows for handshakes."""
    if not passes:
        return {}
    found = {key: statistics.median(each[key] for each in passes) for key in passes[0]}
    side = 1 / found["sign_s"] + 2 / found["verify_s"] + 1 / found["keygen_s"] \
        + 1 / found["ecdh_s"]
    found["handshake_side_us"] = side * 1e6
    found["handshakes_s"] = 1 / side
    return found


def judge(figures, row):
    """[(condition, what was found or None, is it reached)] for a row, and why it is short."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(TARGETS, encoding="utf-8")
    if not config.has_section(row):
        return [], ""
    verdicts = []
    for text in config[row]["target"].split(";"):
        match = CONDITION.match(text.strip())
        if not match:
            raise ValueError(f"targets: [{row}]: what is {text.strip()!r}?")
        cpu, kind, limit, how, is_row, ref = match.groups()
        figure = figures.cpu_of(row) if cpu else ALL[row].figure
        if is_row or ref == "bound":
            mine = figures.median(row, figure, "shim")
            other = figures.median(ref, figure, "shim") if is_row else figures.bound(row)
            value = mine / other if mine is not None and other else None
        else:
            group = {"proxy": PROXIES, "encrypted": ENCRYPTED}.get(ref)
            other = figures.best(row, figure, group) if group else ref
            value = figures.compare(row, figure, "shim", other, how)
        good = value is not None and (value >= float(limit) if kind == "least"
                                      else value <= float(limit))
        verdicts.append((text.strip(), value, good))
    return verdicts, " ".join(config[row].get("short", "").split())


def number(value):
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else \
        f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def table(head, lines, side=" ---: |"):
    return ["| " + " | ".join(head) + " |", "| --- |" + side * (len(head) - 1),
            *("| " + " | ".join(line) + " |" for line in lines), ""]


def cell(figures, row, figure, variant):
    value = figures.median(row, figure, variant)
    if value is None:
        return "–"
    ratio = figures.compare(row, figure, variant, "plain", "of")
    over = figures.compare(row, figure, variant, "plain", "over")
    if variant == "plain":
        return number(value)
    if ALL[row].better == "less" and figure == ALL[row].figure:
        return f"{number(value)} ({over:+.1f})" if over is not None else number(value)
    return f"{number(value)} (×{ratio:.2f})" if ratio is not None else number(value)


def result_tables(run):
    figures = Figures(run["samples"], run["limits"])
    known = {sample["variant"] for sample in run["samples"]}
    names = [v for v in VARIANTS if v in known]
    lines, verdicts, cpu = [], [], []
    for row in run["rows"]:
        unit = UNITS[ALL[row].figure]
        lines.append([f"{ALL[row].text}, {unit}"] + [
            cell(figures, row, ALL[row].figure, v) for v in names])
        judged, short = judge(figures, row)
        for text, value, good in judged:
            verdicts.append([row, text, number(value), "not measured" if value is None else
                             "reached" if good else "short" + (f": {short}" if short else "")])
        for figure, unit in CPU.items():
            if (row, figure) in figures.by:
                mine = {v: figures.median(row, figure, v) for v in names if v != "plain"}
                mine = {v: m for v, m in mine.items() if m is not None}
                lowest = min(mine, key=mine.get) if mine else "–"
                cpu.append([f"{row}, {unit}"] + [cell(figures, row, figure, v)
                                                 for v in names] + [lowest])
    return (table(["row", *names], lines),
            table(["row", *names, "lowest encrypted"], cpu),
            table(["row", "target for the shim", "found", ""], verdicts, " --- |"))


def readme(run):
    """The table that README.md shows: the shim against plain TCP, its own TLS, a proxy."""
    figures = Figures(run["samples"], run["limits"])
    lines = []
    for row in run["rows"]:
        figure = ALL[row].figure
        best = figures.best(row, figure, PROXIES)
        cells = [cell(figures, row, figure, v) for v in ("plain", "shim", "native")]
        if any(each != "–" for each in cells):
            lines.append([f"{ALL[row].text}, {UNITS[figure]}", *cells,
                          cell(figures, row, figure, best) if best else "–"])
    machine = run["machine"]
    return "\n".join(table(["", "plain TCP", "the shim", "its own TLS", "best pair of proxies"],
                           lines)
                     + [f"{machine['cpu']} × {machine['cores']}, Linux {machine['kernel']}, "
                        f"{run['time'][:10]}; medians of {run['rounds']} rounds."])


def markdown(run):
    results, cpu, verdicts = result_tables(run)
    machine = run["machine"]
    text = ["# What mutual TLS costs", "",
            f"{run['time']}, {machine['cpu']} × {machine['cores']}, Linux {machine['kernel']}."
            f" TLS 1.3, AES-128-GCM, X25519, ECDSA P-256 at both ends. Medians of "
            f"{run['rounds']} rounds of {run['seconds']:g} s, all variants in turn; in brackets "
            "the median of the rounds' own comparison with plain TCP.", ""]
    if run["interrupted"]:
        text += [f"**Interrupted ({run['interrupted']}): partial results.**", ""]
    text += results + ["## Targets", ""] + verdicts
    text += ["## Processor time, all processes counted", ""] + cpu
    text += ["## What this machine can do", ""]
    text += table(["limit", "value"], [[k, number(v)] for k, v in run["limits"].items()])
    text += ["One AEAD pass over 16 KiB records, and the primitives of a handshake, one core, by "
             "the wolfCrypt of this build. handshakes_s = 1 / (sign + 2 verify + keygen + ECDH):"
             " each side has a core and does all of it.", ""]
    gone = {f"{v}: {why}" for each in run["not_measured"].values() for v, why in each.items()}
    if gone or run["errors"]:
        text += ["## Not measured", ""] + [f"- {each}" for each in sorted(gone)]
        text += [f"- {each}" for each in run["errors"]] + [""]
    noisy = sorted({s["row"] for s in run["samples"] if s["others"] > run["noise_max"]})
    if noisy:
        text += [f"Other programs kept the machine busy during: {', '.join(noisy)}.", ""]
    return "\n".join(text)
