#!/usr/bin/env python3
"""Connections over fork, dup, exec (programs/processes.py), SCM_RIGHTS (passing.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import users  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def talk(bed: Bed, server, client, at_least=1, script="processes.py",
         may_reset=False):
    bed.pair()
    one = bed.serve(bed.python(script, server, bed.port))
    other = bed.client(bed.python(script, client, bed.relay.port))
    equal(one.ok().out, b"fine\n", "the server")
    equal(other.out, b"fine\n", "the client")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    resets = [r.reset for r in bed.relay.recordings if r.reset]
    equal([] if may_reset else resets, [], "resets")
    bed.check_all(at_least=at_least)


# A server that ends first and is gone for longer than the library waits for the peer's end
# (EXIT_ABSORB_MS in close.c) has the close_notify of a client that takes its time answered
# with a reset. By then the client has read it all, which it checks.

def test_prefork(bed):
    talk(bed, "server_prefork", "client_twelve_times", 12, may_reset=True)


def test_fork_per_connection(bed):
    talk(bed, "server_fork_per_connection", "client_five_times", 5, may_reset=True)


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


def test_exec_as_others(bed):
    users.open_folders(bed)
    talk(bed, "server_starts_as_others", "client_started_as_others")


def test_exec_without_proc(bed):
    talk(bed, "server_exec_without_proc", "client_exec", 2)


def test_passed_at_once(bed):
    talk(bed, "server_pass_at_once", "client_passed", script="passing.py")


def test_passed_after_use(bed):
    talk(bed, "server_pass_after_use", "client_passed_after_use", script="passing.py")


def test_passed_from_another_user(bed):
    users.open_folders(bed)
    talk(bed, "server_pass_from_another_user", "client_passed_from_another_user",
         script="passing.py")


def test_passed_to_itself(bed):
    talk(bed, "server_pass_to_itself", "client_passed", script="passing.py")


def test_passed_to_an_outsider(bed):
    """One without the shim gets nothing that leads to the wire."""
    talk(bed, "server_pass_to_outsider", "client_passed_to_outsider", script="passing.py",
         may_reset=True)


if __name__ == "__main__":
    main(globals(), needs_shim=["exec_as_others", "passed_to_an_outsider",
                                "passed_from_another_user"])
