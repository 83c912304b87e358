#!/usr/bin/env python3
"""Libraries that are loaded with RTLD_DEEPBIND (programs/deepbind.py)."""

import ctypes
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402


def zlib_path():
    """Where the loader finds it: what is in memory already is asked for by that name."""
    ctypes.CDLL("libz.so.1")
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if "/libz.so.1" in line)


def test_deepbind_data(bed: Bed):
    """A copy: the program has zlib itself, and a library is not loaded twice."""
    copy = shutil.copy(zlib_path(), bed.path("copy.so"))
    bed.pair()
    server = bed.serve(bed.python("deepbind.py", "server", bed.port), env={"LIBRARY": copy})
    bed.client(bed.python("deepbind.py", "client", bed.relay.port), env={"LIBRARY": copy})
    equal(server.ok().out, b"fine\n", "the server")
    bed.check_all()


def test_deepbind_caller(bed: Bed):
    bed.pair()
    bed.client(bed.python("deepbind.py", "origin"))


if __name__ == "__main__":
    main(globals())
