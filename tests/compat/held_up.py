#!/usr/bin/env python3
"""A peer that holds up the handshake: blocking calls wait for it, and a signal ends them if
its own handler was installed without SA_RESTART, whatever the others have."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402


def check(bed: Bed, what, interrupts):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bed.pair(port=silent.getsockname()[1], connect_wait="0ms", handshake_timeout="2s")
        client = bed.client(bed.python("held_up.py", bed.port, what, interrupts))
    equal(client.out.decode().split(), ["EINTR" if interrupts else "ETIMEDOUT"], what)


def test_read_interrupted(bed):
    check(bed, "read", True)


def test_read_restarted(bed):
    check(bed, "read", False)


def test_write_interrupted(bed):
    check(bed, "write", True)


def test_write_restarted(bed):
    check(bed, "write", False)


if __name__ == "__main__":
    main(globals(), needs_shim=["read_restarted", "write_restarted"])
