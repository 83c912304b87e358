#!/usr/bin/env python3
"""The order of things: who connects, accepts, speaks and ends first (programs/order.py)."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import procs  # noqa: E402
from certs import SERVER_NAMES  # noqa: E402
from harness import PLAIN, Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


def talk(bed: Bed, server, client, **how):
    """Runs server_NAME and client_NAME of order.py; both must be fine."""
    bed.pair()
    one = bed.serve(bed.python("order.py", server, bed.port))
    other = bed.client(bed.python("order.py", client, bed.relay.port))
    equal(one.ok().out, b"fine\n", "the server")
    equal(other.out, b"fine\n", "the client")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    bed.check_all(**how)


def both_ways(bed):
    """The certificate of programs that are client and server at once."""
    return bed.authority.issue("both", SERVER_NAMES, "serverAuth,clientAuth")


def both_ways_policy(bed, name, port, dialled, both):
    return bed.policy(name, f"[inbound in]\nlocal = *:{port}\nmode = mtls\nidentity = own\n"
                      f"[outbound out]\nremote = *:{dialled}\nmode = mtls\nidentity = own\n",
                      {"own": both})


def check_both_logged(bed, name):
    if not PLAIN:
        for direction in ("inbound", "outbound"):
            line = bed.audited(name, event="handshake_ok", direction=direction)
            equal(line["peer_serial"], line["own_serial"], "the one certificate's serial")
            bed.audited(name, event="closed", direction=direction)


def talk_to_itself(bed, program, connections):
    port = procs.free_port()
    relay = bed.open_relay(port)
    policy = both_ways_policy(bed, "both", port, relay.port, both_ways(bed))
    program = bed.start("both", bed.python("order.py", program, port, relay.port), policy)
    equal(program.ok().out, b"fine\n", "the program")
    check_both_logged(bed, "both")
    bed.check_wire(relay, at_least=connections)


def test_one_thread_is_both_ends(bed):
    talk_to_itself(bed, "self_connect", 3)


def test_one_thread_has_many_listeners(bed):
    policy = both_ways_policy(bed, "both", "1-65535", "1-65535", both_ways(bed))
    program = bed.start("both", bed.python("order.py", "self_ports", 0, 0), policy)
    equal(program.ok().out, b"fine\n", "the program")


def test_who_writes_waits_for_other_things(bed):
    talk_to_itself(bed, "self_write", 20)


def test_closed_before_it_is_accepted(bed):
    talk_to_itself(bed, "self_close", 1)


def test_two_programs_dial_each_other(bed):
    ports = [procs.free_port(), procs.free_port()]
    relays = [bed.open_relay(port) for port in ports]
    programs = []
    both = both_ways(bed)
    for number in (0, 1):
        dialled = relays[1 - number].port
        policy = both_ways_policy(bed, f"p{number}", ports[number], dialled, both)
        programs.append(bed.start(f"p{number}", bed.python("order.py", "cross_connect",
                                                          ports[number], dialled),
                                  policy, stdin=subprocess.PIPE))
    for program in programs:
        program.says("listening\n")
    for program in programs:
        program.feed(b"go\n")
    for program in programs:
        equal(program.ok().out, b"listening\nfine\n", program.name)
    for number in (0, 1):
        check_both_logged(bed, f"p{number}")
        bed.check_wire(relays[number])


def test_server_reads_late(bed):
    talk(bed, "server_late_read", "client_goes_on")


def test_server_accepts_late(bed):
    talk(bed, "server_late_accept", "client_goes_on")


def test_server_speaks_first(bed):
    talk(bed, "server_speaks_first", "client_listens_first", at_least=3)


def test_server_speaks_first_in_a_select_loop(bed):
    talk(bed, "server_speaks_first_select", "client_listens_first", at_least=3)


def test_half_close_client_first(bed):
    talk(bed, "server_client_ends_first", "client_client_ends_first")


def test_half_close_server_first(bed):
    talk(bed, "server_server_ends_first", "client_server_ends_first")


def test_client_closes_at_once(bed):
    talk(bed, "server_takes_all", "client_closes_at_once")


def test_client_exits_at_once(bed):
    talk(bed, "server_takes_all", "client_exits_at_once")


def test_large_full_duplex(bed):
    talk(bed, "server_full_duplex", "client_full_duplex")


def test_shutdown_wakes_a_blocked_reader(bed):
    talk(bed, "server_shutdown_wakes_reader", "client_says_hello")


def truncate(bed, rule, end):
    """The relay ends a connection that is under way with FINs and without close_notify."""
    bed.pair(server_rule=rule)
    server = bed.serve(bed.python("report_server.py", bed.port))
    client = bed.start("client", ["nc.openbsd", "127.0.0.1", bed.relay.port],
                       bed.client_policy, stdin=subprocess.PIPE)
    client.feed(b"hello\n")
    client.says("hello\n")
    bed.relay.cut("fin")
    server.says('"end"')
    report = json.loads(server.out)
    equal((report["got"], report["end"]), (6, end), "bytes and end")
    bed.check_wire(allow_cut=True)


def test_truncated(bed):
    truncate(bed, "", "ECONNRESET")


def test_truncated_by_rule_an_end(bed):
    truncate(bed, "truncation = eof\n", "eof")


if __name__ == "__main__":
    main(globals(), needs_shim=["truncated"])
