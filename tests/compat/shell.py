#!/usr/bin/env python3
"""Programs that take the environment away from what they start, by way of a shell or being
one. bash has a getenv() and a setenv() of its own, which know nothing of the environment
while it starts; system() and popen() give a child what libc has, unseen."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402

LOST = "unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_LOADED; "


def talk(bed: Bed, program, script):
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},reuseaddr", "PIPE"])
    script = script.replace("DIAL", f"/usr/bin/socat - TCP:127.0.0.1:{bed.relay.port}")
    client = bed.client([program, "-c", script])
    equal(client.out, b"hello", "the echo")
    bed.check_all()


def test_bash_unset(bed):
    talk(bed, "bash", LOST + "printf hello | DIAL")


def test_bash_exec_with_nothing(bed):
    talk(bed, "bash", "printf hello | exec -c DIAL")


def test_dash_unset(bed):
    talk(bed, "dash", LOST + "printf hello | DIAL")


def test_system(bed):
    talk(bed, sys.executable, "import os; os.environ.clear(); os.system('printf hello | DIAL')")


def test_popen(bed):
    talk(bed, sys.executable, "import ctypes, os; os.environ.clear(); "
         "libc = ctypes.CDLL(None); libc.popen.restype = ctypes.c_void_p; "
         "libc.pclose(ctypes.c_void_p(libc.popen(b'printf hello | DIAL', b'w')))")


def test_wordexp(bed):
    talk(bed, sys.executable, "import ctypes, os; os.environ.clear(); "
         "words = (ctypes.c_void_p * 8)(); "
         "ctypes.CDLL(None).wordexp(b'$(printf hello | DIAL)', words, 0); "
         "first = ctypes.cast(words[1], ctypes.POINTER(ctypes.c_char_p))[0]; "
         "print(first.decode(), end='')")


if __name__ == "__main__":
    main(globals())
