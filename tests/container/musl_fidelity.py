#!/usr/bin/env python3
"""The scenarios of tests/fidelity, built with musl: plain TCP and TLS 1.3 compared."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "fidelity")]
import container  # noqa: E402
import procs  # noqa: E402

# What differs, and why it may.
DIFFERS = {
    "fd.hand_down": "system(3) has the host's shell, of glibc: no connection goes there",
    "fd.hand_down.accepting": "the same",
    "fd.hand_down.copy": "the same",
    "fd.onto": "musl itself: one end waits in vain on plain TCP",
    "option.cork.exec": "the host's echo(1), of glibc, as in fd.hand_down",
    "option.recvfrom": "musl itself dies of a bad pointer, where we give EFAULT",
    "option.vectors": "the same",
    "transfer.recvmmsg.dontwait": "the same",
    "transfer.recvmmsg.limit": "the same",
    "transfer.recvmmsg.waitforone": "the same",
    "transfer.sendmmsg": "musl itself changes errno where it succeeds",
    "stdio.reopen": "errno is changed by an fclose() that succeeds",
    "thread.main_leaves": "musl itself: where a main thread has left a process that was "
                          "forked, threads neither begin nor end, ours included",
    "thread.cancel.write": "musl itself does not cancel a write that has begun",
}


def build(folder):
    source = os.path.join(procs.ROOT, "tests", "fidelity")
    program = os.path.join(folder, "fidelity")
    files = sorted(name for name in os.listdir(source) if name.endswith(".c"))
    kernel = os.path.join(container.BUILD, "musl", "kernel")
    subprocess.run(["musl-gcc", "-include", os.path.join(source, "musl.h"), "-isystem", kernel,
                    "-D_GNU_SOURCE", "-I", procs.ROOT, "-std=gnu17", "-O1", "-w",
                    "-o", program, *(os.path.join(source, name) for name in files)],
                   check=True)
    return program


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="mtls-fidelity-") as folder:
        os.environ["FIDELITY"] = build(folder)
        os.environ["MTLS_RUN"] = os.path.join(container.FOLDER, "mtls-run")
        import run  # pylint: disable=import-outside-toplevel # it reads them
        ground = run.Ground(folder, sys.argv[1:])
        rows = run.table(ground.words)
        plain = run.split(ground.trace(("plain", "", None, "4")))
        shimmed = ground.trace(("TLS 1.3", "AC", "1.3", "4"))
        for scenario, why in run.compare(plain, shimmed, rows, "AC", rows):
            reason = DIFFERS.get(scenario.rsplit(" ", 1)[0])
            if why is None or reason:
                passed += 1
                print(f"ok {scenario}" + (f" # differs: {reason}" if why else ""), flush=True)
            else:
                failed += 1
                print(f"not ok {scenario} - {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
