#!/usr/bin/env python3
"""What libc itself writes to fds 0 to 2 that are a governed connection, as under inetd:
each way of it (helpers/libc_says.c) arrives inside TLS, or not at all."""

import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from harness import BUILD, Bed, equal, main  # noqa: E402
from life_adopt import SuperServer  # noqa: E402
from procs import wait_until  # noqa: E402

HELPER = os.path.join(BUILD, "tests", "helpers", "libc_says")
TEXT = b"said by libc"
# What is said when our words are not: a part of libc's own, or b"" for nothing.
OWN_WORDS = {"backtrace_symbols_fd": b"libc_says(", "malloc_stats": b"system bytes",
             "perror_bare": b"No such file or directory", "assert": b"Assertion",
             "wprintf": b"", "stack_smash": b"", "read_chk": b"", "poll_chk": b""}
# Libc's, and said on fd 2 by a system call of its own: nobody may read it there.
LAST_WORDS = (b"stack smashing", b"buffer overflow")


def hear(port, context):
    """All that comes by TLS, and how it ends."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="localhost",
                                     suppress_ragged_eofs=True) as conn:
                while chunk := conn.recv(4096):
                    got += chunk
        except OSError as error:
            got += b"(%s)" % type(error).__name__.encode()
    return got


def check(bed: Bed, way):
    context = odd.client_context(bed.authority, bed.client_cert)
    with SuperServer(bed, [HELPER, way], stderr_too=True) as server:
        relay = bed.open_relay(server.port)
        got = hear(relay.port, context)
        wait_until(lambda: relay.recordings[0].done, "the connection's end")
    bed.check_wire(relay, markers=(TEXT, OWN_WORDS.get(way) or TEXT, *LAST_WORDS),
                   allow_cut=True)
    want = OWN_WORDS.get(way, TEXT)
    equal(want in got, True, f"{want} in {got}")


def make_test(way):
    return lambda bed: check(bed, way)


def test_mtls_run_refuses(bed):
    """What mtls-run has to say about a program is not for the peer."""
    with SuperServer(bed, [bed.write("no_program", "nothing")], stderr_too=True) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            equal(plain.recv(4096), b"", "what the peer was told")


for word in subprocess.run([HELPER, "-"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split():
    globals()["test_" + word] = make_test(word)

if __name__ == "__main__":
    main(globals(), needs_shim=True)
