"""What the scenario programs share: plain sockets, no TLS, nothing that knows of the shim."""

import hashlib
import os
import socket
import sys

MARKER = b"MTLS-TEST-MARKER"


def payload(size, seed=0):
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(128))
    out = bytearray()
    while len(out) < size:
        out += MARKER + len(out).to_bytes(8, "big") + block[:4072]
    return bytes(out[:size])


def listen(port, backlog=64):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(backlog)
    return listener


def dial(port):
    sock = socket.socket()
    sock.connect(("127.0.0.1", port))
    return sock


def read_exactly(sock, size):
    got = bytearray()
    while len(got) < size:
        chunk = sock.recv(min(size - len(got), 65536))
        if not chunk:
            raise AssertionError(f"end of stream after {len(got)} of {size} bytes")
        got += chunk
    return bytes(got)


def read_all(sock):
    got = bytearray()
    while chunk := sock.recv(65536):
        got += chunk
    return bytes(got)


def same(got, want, what):
    if got != want:
        if isinstance(got, bytes) and len(got) > 200:
            got, want = f"{len(got)} bytes", f"{len(want)} other bytes"
        raise AssertionError(f"{what}: {got!r}, not {want!r}")


def in_child(function):
    """Forks; the child runs the function and goes. Returns its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return pid


def wait_for(pid):
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "the child's exit status")


def run(functions):
    """PROGRAM FUNCTION NUMBER...: calls the function and says "fine" when it returns."""
    functions[sys.argv[1]](*[int(word) for word in sys.argv[2:]])
    print("fine", flush=True)
