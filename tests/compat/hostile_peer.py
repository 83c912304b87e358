#!/usr/bin/env python3
"""Peers without papers who want a server's time, its memory, or to come in by a side door."""

import os
import select
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import procs  # noqa: E402
from harness import BUILD, Bed, equal, main  # noqa: E402

CROWD = 400  # fits the usual 1024 descriptors, with one more of ours for each
HOSTILE = os.path.join(procs.ROOT, BUILD, "tests", "helpers", "hostile")
CHANGE_CIPHER_SPEC = b"\x14\x03\x03\x00\x01\x01"
EMPTY_WARNING = b"\x15\x03\x03\x00\x02\x01\x5a"  # user_canceled


def serve(bed: Bed, identity="", rule="", **shim):
    bed.pair(server_rule=rule, server_identity=identity, **shim)
    return bed.serve(bed.python("report_server.py", bed.port))


def good(bed):
    return odd.client_context(bed.authority, bed.client_cert)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(bed, record):
    """A ClientHello, then such records without end: cut off, and nobody else has to wait."""
    serve(bed, handshake_timeout="2s")
    sock = socket.create_connection(("127.0.0.1", bed.port), timeout=10)
    sock.sendall(odd.client_hello(bed.authority))
    start = time.monotonic()
    ended = threading.Event()

    def pour():
        block = record * 20000
        try:
            while time.monotonic() < start + 8:
                sock.sendall(block)
        except OSError:
            pass
        ended.set()
    thread = threading.Thread(target=pour)
    thread.start()
    try:
        equal(odd.ask(bed.port, good(bed)), b"hello", "what a good client is echoed")
        ended.wait(10)
        equal(time.monotonic() - start < 5, True, "it was cut in time")
        bed.audited("server", event="handshake_failed")
    finally:
        thread.join(15)
        sock.close()


def test_change_cipher_specs(bed):
    flood(bed, CHANGE_CIPHER_SPEC)


def test_warnings(bed):
    flood(bed, EMPTY_WARNING)


def test_no_resumption(bed):
    """Who has switched tickets off gives none."""
    serve(bed, "min_version = 1.2\nsession_tickets = off")
    context = odd.client_context(bed.authority, bed.client_cert, ssl.TLSVersion.TLSv1_2)
    session = None
    for number in range(2):
        with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as conn:
                conn.sendall(b"x")
                equal(conn.recv(1), b"x", "echo")
                session = conn.session
                equal(conn.session_reused, False, f"connection {number} is a resumed one")
                equal(session.has_ticket, False, "a ticket was given")
                conn.unwrap()
    lines = procs.wait_until(lambda: len(bed.audit("server", event="handshake_ok")) == 2 and
                       bed.audit("server", event="handshake_ok"), "two handshakes")
    equal([line["peer_serial"] for line in lines], [bed.client_cert.serial] * 2, "peers")


def test_silent_crowd(bed):
    """Connections that say nothing cost next to nothing, and end when their time is over."""
    server = serve(bed, handshake_timeout="4s")
    start = time.monotonic()
    crowd = []
    while len(crowd) < CROWD:
        crowd += [socket.create_connection(("127.0.0.1", bed.port), timeout=10)
                  for _ in range(50)]
        equal(odd.ask(bed.port, good(bed)), b"hello", "what a good client is echoed")
    came = time.monotonic()
    before = cpu_seconds(server.pid)
    equal(select.select(crowd[:1], [], [], 10)[0], crowd[:1], "cut off")
    idle = time.monotonic() - came
    equal(idle > 1, True, f"there was time to measure: {idle:.1f} s")
    used = (cpu_seconds(server.pid) - before) / idle
    equal(time.monotonic() - start < 7, True, "they were cut off in time")
    equal(used < 0.06, True, f"share of a CPU: {used:.2f}")
    for sock in crowd:
        sock.close()


def test_silent_crowd_does_not_hold_up_exit(bed):
    bed.pair(handshake_timeout="30s")
    server = bed.serve([HOSTILE, "exit_with_crowd", bed.port])
    crowd = [socket.create_connection(("127.0.0.1", bed.port), timeout=10) for _ in range(20)]
    start = time.monotonic()
    server.ok(20)
    equal(time.monotonic() - start < 5, True, "the server ended at once")
    bed.audited("server", event="policy_loaded")
    for sock in crowd:
        sock.close()


def test_crowd_that_is_turned_away(bed):
    """A program that closes connections has their descriptors back, however long those who
    made them say nothing."""
    bed.pair(handshake_timeout="60s")
    server = bed.serve(bed.python("turn_away.py", bed.port, CROWD))
    crowd = [socket.create_connection(("127.0.0.1", bed.port), timeout=10)
             for _ in range(CROWD)]
    equal(odd.ask(bed.port, good(bed)), b"hello", "what a good client is echoed")
    for sock in crowd:
        sock.close()
    equal(server.ok(20).out, b"fine\n", "the server")
    bed.audited("server", event="handshake_failed", reason="local_close")


def test_endless_hello(bed):
    """A ClientHello of sixteen megabytes is cut off, not collected."""
    serve(bed, handshake_timeout="5s")
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as sock:
        piece = b"\x16\x03\x01\x40\x00" + b"\0" * 16384
        sent = 0
        try:
            sock.sendall(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")
            while sent < 1 << 24:
                sock.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        equal(sent < 8 << 20, True, f"{sent} bytes were taken")
    equal(time.monotonic() - start < 4, True, "it was cut at once")
    bed.audited("server", event="handshake_failed")
    equal(odd.ask(bed.port, good(bed)), b"hello", "what a good client is echoed")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
