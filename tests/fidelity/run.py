#!/usr/bin/env python3
"""Runs every scenario on plain TCP and through the shim, and compares the traces.

    run.py [-k] [WORD...]   only scenarios whose name holds one of the words
                            -k: keep the traces, and say where
    run.py -r [WORD...]     runs them through the shim and compares nothing: for
                            ThreadSanitizer, which tells by itself, and which delivers
                            signals later than the kernel does, on plain TCP as well

The yardstick is plain TCP on IPv4; it is compared with plain TCP too (a scenario must be
deterministic), then with the shim at both ends (TLS 1.3 and 1.2; IPv4, IPv6, v4-mapped),
then with the shim at one end and OpenSSL, in bridge.py, at the other, and with an accepting
end that takes both TLS and plaintext (mode = permissive). What a row declares
to differ must be there in the plain trace and must differ in just that way.

To look at one scenario: build/tests/fidelity/fidelity NAME prints its trace on plain TCP.
"""

import concurrent.futures
import difflib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]

import audit_schema  # noqa: E402
import bridge  # noqa: E402
import certs  # noqa: E402
import procs  # noqa: E402

BUILD = os.path.join(procs.ROOT, os.environ.get("BUILD", "build"))
# Another build of the scenarios, and who has the library for it: tests/container.
FIDELITY = os.environ.get("FIDELITY", os.path.join(BUILD, "tests", "fidelity", "fidelity"))
MTLS_RUN = os.environ.get("MTLS_RUN", os.path.join(BUILD, "bin", "mtls-run"))
AT_ONCE = 4        # variants; most of the time they wait
# For one variant: tests/run gives the whole file TEST_TIMEOUT.
SECONDS = int(os.environ.get("TEST_TIMEOUT", "600")) - 50
LINES_SHOWN = 12   # of a difference
ONLY_1_2 = "min_version = 1.2\nciphers = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"

# name, the ends that have TLS, its version, family of addresses, mode of the accepting end
VARIANTS = [
    ("plain again", "", None, "4"),
    ("TLS 1.3", "AC", "1.3", "4"),
    ("TLS 1.2", "AC", "1.2", "4"),
    ("TLS 1.3 IPv6", "AC", "1.3", "6"),
    ("TLS 1.3 v4-mapped", "AC", "1.3", "mapped"),
    ("permissive, plain peer", "", None, "4", "permissive"),
    ("permissive, TLS peer", "AC", "1.3", "4", "permissive"),
    ("OpenSSL client TLS 1.3", "A", "1.3", "4"),
    ("OpenSSL client TLS 1.2", "A", "1.2", "4"),
    ("OpenSSL server TLS 1.3", "C", "1.3", "4"),
    ("OpenSSL server TLS 1.2", "C", "1.2", "4"),
]


class Ground:
    """The certificates, policies and traces of one run."""

    def __init__(self, folder, words):
        self.folder = folder
        self.words = words
        self.authority = certs.Authority(folder)
        self.own = self.authority.issue("own", certs.SERVER_NAMES)

    def policy(self, name, ends, version, inbound):
        """The named ends have TLS; the others are in plaintext by a rule of their own."""
        path = os.path.join(self.folder, name + ".ini")
        modes = {end: "mode = mtls\nidentity = own" if end in ends else "mode = plaintext"
                 for end in "AC"}
        if inbound:
            modes["A"] = f"mode = {inbound}\nidentity = own"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""[shim]
log = {path}.jsonl
default_inbound = deny
default_outbound = {"deny" if "C" in ends else "plaintext"}
[identity own]
certificate = {self.own.pem}
private_key = {self.own.key}
trust = {self.authority.pem}
{ONLY_1_2 if version == "1.2" else ""}
[inbound accepting]
local = *:1-65535
{modes["A"]}
[outbound connecting]
remote = *:1-65535
{modes["C"]}
""")
        return path

    def trace(self, variant):
        """Runs all scenarios in one way. Returns what the processes printed."""
        name, ends, version, family, *inbound = variant
        argv = [FIDELITY, "-f", family]
        with bridge.between(self, ends, version) as ports:
            if ports:
                argv += ["-b", "-l", str(ports[0]), "-d", str(ports[1])]
            if ends or inbound:
                policy = self.policy(name.replace(" ", "-"), ends, version, *inbound or [None])
                argv = [MTLS_RUN, "-p", policy, "--", *argv]
            try:
                done = subprocess.run([*argv, *self.words], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, timeout=SECONDS, text=True,
                                      errors="replace", start_new_session=True)
                text = done.stdout
            except subprocess.TimeoutExpired as error:
                text = (error.stdout or b"").decode(errors="replace")
        with open(os.path.join(self.folder, name.replace(" ", "-") + ".trace"), "w",
                  encoding="utf-8") as file:
            file.write(text)
        if (ends or inbound) and text and not self.was_governed(policy, version):
            raise AssertionError(f"{name}: no connection was under TLS {version}")
        return text

    @staticmethod
    def was_governed(policy, version):
        """Whether there were handshakes, of this version; for None: whether there were none,
        but plaintext that a permissive rule has let in."""
        audit_schema.check_file(policy + ".jsonl")
        with open(policy + ".jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        versions = {line["version"] for line in lines if line["event"] == "handshake_ok"}
        plain = {line.get("mode") for line in lines if line["event"] == "plaintext"}
        return versions == {version} if version else not versions and "permissive" in plain


def split(text):
    """A dict from "NAME MODE" to the lines of its trace."""
    traces = {}
    for line in text.splitlines():
        if line.startswith("== "):
            traces[line[3:]] = []
        elif traces:
            traces[list(traces)[-1]].append(line)
    return traces


def table(words):
    """What the rows declare: a dict from NAME to (plain line, shimmed line) pairs."""
    done = subprocess.run([FIDELITY, "-t", *words], stdout=subprocess.PIPE, text=True,
                          check=True)
    rows = {}
    for line in done.stdout.splitlines():
        name, *differs = line.split("\t")
        if name in rows:
            raise AssertionError(f"two rows are called {name}")
        rows[name] = [tuple(part.split(" => ")) for part in differs if part]
    return rows


def expected(lines, differs, ends):
    """The plain trace with what is declared to differ put in where the cause is shimmed.

    Returns (lines, what was declared in vain).
    """
    # "CA: line": a line of A that differs when C is shimmed.
    changes = {plain[plain.index(":") - 1:]: shimmed for plain, shimmed in differs
               if plain[0] in ends}
    changed = [changes.get(line, line) for line in lines]
    return changed, [plain for plain in changes if plain not in lines]


def compare(yardstick, text, rows, ends, wanted):
    """Yields (scenario, None or why it failed) for the rows that are wanted."""
    traces = split(text)
    for name, plain in yardstick.items():
        row, mode = name.rsplit(" ", 1)
        if name not in traces:
            if row in wanted:
                yield name, "did not run"
            continue
        # "[blocking] ..." declares for one mode only.
        differs = [(p.removeprefix(f"[{mode}] "), s) for p, s in rows[row]
                   if not p.startswith("[") or p.startswith(f"[{mode}]")]
        want, vain = expected(plain, differs, ends)
        if want != traces[name]:
            diff = list(difflib.unified_diff(want, traces[name], "plain", "shim", n=2,
                                             lineterm=""))[2:]
            yield name, "\n".join(["the traces differ", *diff[:LINES_SHOWN]])
        elif vain and ends:
            yield name, f"declared to differ, but not in the plain trace: {vain}"
        else:
            yield name, None


def only_run(words):
    with tempfile.TemporaryDirectory(prefix="mtls-fidelity-") as folder:
        ground = Ground(folder, words)
        wanted = set(table(words))
        failed = 0
        for variant in [one for one in VARIANTS if one[0] in ("TLS 1.3", "TLS 1.2")]:
            ran = {name.rsplit(" ", 1)[0] for name in split(ground.trace(variant))}
            failed += ran != wanted
            print(f"{'ok' if ran == wanted else 'not ok'} {variant[0]}: {len(ran)} of "
                  f"{len(wanted)} scenarios were run", flush=True)
    print(f"{2 - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def main():
    words = sys.argv[1:]
    if "-r" in words:
        only_run([word for word in words if word != "-r"])
    keep = "-k" in words
    words = [word for word in words if word != "-k"]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-fidelity-") if not keep else \
            _Kept() as folder:
        ground = Ground(folder, words)
        rows = table(words)
        bridged = table(["-b", *words])
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            plain = pool.submit(ground.trace, ("plain", "", None, "4"))
            futures = [(variant, pool.submit(ground.trace, variant)) for variant in VARIANTS]
            yardstick = split(plain.result())
            for (name, ends, *_), future in futures:
                try:
                    results = list(compare(yardstick, future.result(), rows, ends,
                                           bridged if len(ends) == 1 else rows))
                except AssertionError as error:
                    results = [("all", str(error))]
                for scenario, why in results:
                    if why is None:
                        passed += 1
                        print(f"ok {scenario} [{name}]", flush=True)
                    else:
                        failed += 1
                        print(f"not ok {scenario} [{name}] - {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


class _Kept:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="mtls-fidelity-")
        print(f"traces: {self.folder}", flush=True)
        return self.folder

    def __exit__(self, *_):
        pass


if __name__ == "__main__":
    main()
