#!/usr/bin/env python3
"""/proc/self/fd is the same before and after (programs/open_files.py)."""

import contextlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import procs  # noqa: E402
from harness import PLAIN, equal, main  # noqa: E402


def bother(port, stop):
    """Connections that come to nothing: no TLS, half a hello, none at all."""
    while not stop.wait(0.05):
        for words in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b""):
            with contextlib.suppress(OSError), \
                    socket.create_connection(("127.0.0.1", port)) as conn:
                conn.sendall(words)
                conn.shutdown(socket.SHUT_WR)
                conn.recv(100)


def test_same_before_and_after(bed):
    """Over connections of all kinds and ends, forks, execs, passed and copied descriptors,
    handshakes that fail at either end, refusals by TCP and by the rules."""
    bed.pair()
    denied, nobody = procs.free_port(), procs.free_port()
    with odd.raw_server(lambda conn: conn.sendall(b"220 no TLS here\r\n")) as no_tls:
        with open(bed.client_policy, "a", encoding="ascii") as policy:
            policy.write(f"[outbound denied]\nremote = *:{denied}\nmode = deny\n"
                         f"[outbound others]\nremote = *:{no_tls.port}, *:{nobody}\n"
                         "mode = mtls\nidentity = own\n")
        server = bed.serve(bed.python("open_files.py", "server", bed.port))
        stop = threading.Event()
        thread = threading.Thread(target=bother, args=(bed.port, stop), daemon=True)
        thread.start()
        try:
            others = [] if PLAIN else [denied, nobody, no_tls.port]
            client = bed.client(bed.python("open_files.py", "client", bed.relay.port, *others),
                                seconds=80)
        finally:
            stop.set()
        thread.join(10)
        equal(client.out, b"fine\n", "the client")
        equal(server.ok().out, b"fine\n", "the server")
    if not PLAIN:
        for name in ("client", "server"):
            bed.audited(name, event="handshake_failed")


if __name__ == "__main__":
    main(globals())
