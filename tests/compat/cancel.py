#!/usr/bin/env python3
"""Threads that are cancelled in a call on a connection leave it as it was."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import BUILD, PLAIN, Bed, main  # noqa: E402

HELPER = os.path.join(BUILD, "tests", "helpers", "cancel_read")


def test_blocked_reader(bed: Bed):
    bed.pair()
    server = bed.serve(bed.python("echo_server.py", "threading", bed.port))
    bed.client([HELPER, bed.relay.port])
    if not PLAIN:
        bed.audited("client", event="closed")
    server.stop()
    bed.check_all()


if __name__ == "__main__":
    main(globals())
