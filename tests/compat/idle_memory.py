#!/usr/bin/env python3
"""Connections that nobody uses give the pages of their buffers back, and go on all the same
(programs/idle.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import equal, main  # noqa: E402

COUNT = 150
PAGE = 4096
IDLE_MAX = 3300


def test_pages_go_back(bed):
    bed.pair()
    server = bed.serve(bed.python("idle.py", "server", bed.port, COUNT))
    client = bed.client(bed.python("idle.py", "client", bed.port, COUNT), seconds=55)
    equal(client.out, b"fine\n", "the client")
    words = server.ok().out.split()
    equal([words[0], words[2]], [b"used", b"idle"], "what the server says")
    equal(int(words[1]) > int(words[3]) + PAGE, True, f"a page was in use: {words}")
    equal(int(words[3]) <= IDLE_MAX, True, f"bytes of an idle session: {words}")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
