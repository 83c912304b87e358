#!/usr/bin/env python3
"""Programs that look for libc's functions by name (programs/by_handle.py, helpers/lookup.c):
they do not get around the library."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import BUILD, PLAIN, Bed, equal, main  # noqa: E402

LOOKUP = os.path.join(BUILD, "tests", "helpers", "lookup")
OWN = """
#define _GNU_SOURCE
#include <dlfcn.h>
int send(void) { return 0; }
void *next_send(void) { void *found = dlsym(RTLD_NEXT, "send"); return found; }
"""
OURS = "libc.so.6" if PLAIN else "libmtls_shim.so"
EXPECTED = f"""\
libc send: {OURS}
libc send of a version: {OURS}
libc dlsym: {OURS}
libc strtok: libc.so.6
libc no such function: nothing, an error
libc no such version: nothing, an error
dependent send: {OURS}
own send: own.so
default send: {OURS}
next send: {OURS}
next strtok: libc.so.6
a namespace of its own: nothing{"" if PLAIN else ", an error"}
next send, of the library: libc.so.6
"""


def test_by_handle(bed: Bed):
    bed.pair()
    server = bed.serve(bed.python("by_handle.py", "server", bed.port))
    bed.client(bed.python("by_handle.py", "client", bed.relay.port))
    server.ok()
    bed.check_all()


def test_found_by_name(bed: Bed):
    bed.pair()
    source = bed.write("own.c", OWN)
    own = bed.path("own.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", own, source], check=True)
    equal(bed.client([LOOKUP, own]).out.decode(), EXPECTED, "where functions are found")


if __name__ == "__main__":
    main(globals())
