#!/usr/bin/env python3
"""What a program starts when the library's own file is gone: nothing, rather than in
plaintext. An upgrade, which puts another file in its place, goes unnoticed."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import SHIM, equal, main  # noqa: E402
from procs import free_port  # noqa: E402

# Starts others in each way on each line that it reads, and says how that went.
STARTER = """
import errno, os, subprocess, sys

def spawned():
    return os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)[1]

def replaced():
    child = os.fork()
    if child == 0:
        try:
            os.execv("/bin/true", ["true"])
        except OSError as error:
            os._exit(error.errno)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

ways = {
    "run": lambda: subprocess.run(["/bin/true"]).returncode,
    "spawn": spawned,
    "exec": replaced,
    "system": lambda: os.system("true"),
    "off": lambda: subprocess.run(["/bin/true"], env={**os.environ, "MTLS_SHIM": "off"}).returncode,
    "absent": lambda: subprocess.run(["/no/such/program"]).returncode,
}
for line in sys.stdin:
    told = []
    for name, way in ways.items():
        try:
            told.append(f"{name} {way()}")
        except OSError as error:
            told.append(f"{name} {errno.errorcode[error.errno]}")
    print(line.strip(), ", ".join(told), flush=True)
"""
FINE = "run 0, spawn 0, exec 0, system 0, off 0, absent ENOENT"
REFUSED = "run EACCES, spawn EACCES, exec 13, system -1, off 0, absent ENOENT"


def test_nothing_is_started_without_it(bed):
    port = free_port()
    policy = bed.policy("starter", f"[inbound test]\nlocal = *:{port}\nmode = mtls\n"
                        "identity = own\n", {"own": bed.server_cert})
    library = shutil.copy(SHIM.split(":")[0], bed.path("libmtls_shim.so"))
    script = bed.write("starter.py", STARTER)
    program = bed.start("starter", [sys.executable, "-u", script], stdin=-1,
                        env={"LD_PRELOAD": library, "MTLS_SHIM_POLICY": policy})

    def tell(word, want):
        program.process.stdin.write(word.encode() + b"\n")
        program.says(f"{word} ")
        got = [line for line in program.out.decode().splitlines() if line.startswith(word)]
        equal(got, [f"{word} {want}"], word)
    tell("before", FINE)
    os.rename(shutil.copy(library, library + ".new"), library)
    tell("upgraded", FINE)
    os.unlink(library)
    tell("removed", REFUSED)
    equal(len([line for line in bed.audit("starter") if "library's file is gone" in
               line.get("detail", "")]), 4, "lines of the log")
    shutil.copy(SHIM.split(":")[0], library)
    tell("again", FINE)


main(globals(), needs_shim=True)
