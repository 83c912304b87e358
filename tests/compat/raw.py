#!/usr/bin/env python3
"""System calls past libc's functions, by its syscall() (programs/raw.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def talk(bed: Bed, server, client=None):
    bed.pair()
    one = bed.serve(bed.python("raw.py", "server_" + server, bed.port))
    other = bed.client(bed.python("raw.py", "client_" + (client or server), bed.relay.port))
    equal(one.ok().out, b"fine\n", "the server")
    equal(other.out, b"fine\n", "the client")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    bed.check_all()


def test_data(bed):
    talk(bed, "data")


def test_clone(bed):
    talk(bed, "clone")


def test_clone_namespaces(bed):
    talk(bed, "clone_namespaces", "clone")


def test_clone_left(bed):
    talk(bed, "clone_left")


def test_handshake(bed):
    talk(bed, "handshake")


def test_io_uring(bed):
    talk(bed, "io_uring")
    bed.audited("server", event="warning")


def test_kernel_aio(bed):
    talk(bed, "kernel_aio")


def test_remote(bed):
    talk(bed, "remote")
    bed.audited("client", event="warning")


if __name__ == "__main__":
    main(globals(), needs_shim=["io_uring", "kernel_aio", "remote"])
