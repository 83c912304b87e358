#!/usr/bin/env python3
"""Connections over fork, dup and exec (programs/processes.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def talk(bed: Bed, server, client, at_least=1):
    bed.pair()
    one = bed.serve(bed.python("processes.py", server, bed.port))
    other = bed.client(bed.python("processes.py", client, bed.relay.port))
    equal(one.ok().out, b"fine\n", "the server")
    equal(other.out, b"fine\n", "the client")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    equal([r.reset for r in bed.relay.recordings if r.reset], [], "resets")
    bed.check_all(at_least=at_least)


def test_prefork(bed):
    talk(bed, "server_prefork", "client_twelve_times", 12)


def test_fork_per_connection(bed):
    talk(bed, "server_fork_per_connection", "client_five_times", 5)


def test_fork_in_mid_conversation(bed):
    talk(bed, "server_fork_in_mid_conversation", "client_mid_conversation")


def test_child_writes_parent_reads(bed):
    talk(bed, "server_split", "client_split")


def test_parent_and_child_write_in_turns(bed):
    talk(bed, "server_alternate", "client_alternate")


def test_dup(bed):
    talk(bed, "server_dup", "client_dup")


def test_exec(bed):
    talk(bed, "server_exec", "client_exec", 2)


if __name__ == "__main__":
    main(globals())
