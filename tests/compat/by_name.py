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
WITHOUT = OWN.replace("int send(void) { return 0; }\n", "")
NEEDS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
void *next_send(void);
int main(void)
{
    Dl_info info;
    dladdr(next_send(), &info);
    puts(strrchr(info.dli_fname, '/') + 1);
    return 0;
}
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
next send, of the library: {OURS}
"""


def test_by_handle(bed: Bed):
    bed.pair()
    server = bed.serve(bed.python("by_handle.py", "server", bed.port))
    bed.client(bed.python("by_handle.py", "client", bed.relay.port))
    server.ok()
    bed.check_all()


def library(bed, name, text):
    made = bed.path(name)
    source = bed.write(name + ".c", text)
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", made, source], check=True)
    return made


def test_found_by_name(bed: Bed):
    bed.pair()
    own = library(bed, "own.so", OWN)
    equal(bed.client([LOOKUP, own]).out.decode(), EXPECTED, "where functions are found")


def test_found_next(bed: Bed):
    """By libraries that the program was linked with."""
    bed.pair()
    needs = bed.write("needs.c", NEEDS)
    for name, text, found in (("own.so", OWN, "libc.so.6"), ("without.so", WITHOUT, OURS)):
        program = bed.path("needs-" + name)
        subprocess.run(["gcc", "-o", program, needs, library(bed, name, text)], check=True)
        equal(bed.client([program]).out.decode(), found + "\n", name)


if __name__ == "__main__":
    main(globals())
