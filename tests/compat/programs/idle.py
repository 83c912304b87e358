"""Many connections, each used once and then left alone: what their sessions take up.

    idle.py server PORT COUNT     says "used N" and, once it is little, "idle N": bytes for each
    idle.py client PORT COUNT
"""
import re
import socket
import sys
import time

IDLE_MAX = 3300  # a session, and the rest of a page for each of those that have one alone
SECONDS = 25


def shared():
    """Resident bytes of the memory that sessions are in."""
    total, ours = 0, False
    with open("/proc/self/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                ours = "/dev/zero" in line or "mtls-shim-session" in line
            elif ours and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def server(port, count):
    conns = []
    with socket.create_server(("127.0.0.1", port), backlog=count) as listener:
        for _ in range(count):
            conn = listener.accept()[0]
            # Less than the record holds: the rest of it needs a buffer.
            assert conn.recv(1) == b"a" and conn.recv(1) == b"b"
            conn.sendall(b"c")
            conns.append(conn)
    print("used", shared() // count, flush=True)
    end = time.monotonic() + SECONDS
    while shared() // count > IDLE_MAX and time.monotonic() < end:
        time.sleep(0.2)
    print("idle", shared() // count, flush=True)
    for conn in conns:
        conn.sendall(b"d")


def client(port, count):
    conns = []
    for _ in range(count):
        conn = socket.create_connection(("127.0.0.1", port))
        conn.sendall(b"ab")
        assert conn.recv(10) == b"c"
        conns.append(conn)
    for conn in conns:
        assert conn.recv(10) == b"d"
    print("fine", flush=True)


{"server": server, "client": client}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
