"""Asks an echo server over and over, each time on a new connection: again.py HOST PORT...

For each word that comes on stdin it dials the next of the ports, the last one again and
again. A line of output says what became of it. "fork" does the next one in a child; with
"drop" a connection is closed without a read, with "hold" it is left open.
"""

import os
import socket
import sys


def ask(host, port, word, held):
    conn = socket.create_connection((host, port), timeout=10)
    conn.sendall(b"MTLS-TEST-MARKER\n")
    if word == "drop":
        conn.close()
        return "dropped"
    got = b""
    while not got.endswith(b"\n"):
        chunk = conn.recv(100)
        if not chunk:
            return "cut"
        got += chunk
    if word == "hold":
        held.append(conn)
    else:
        conn.close()
    return "same" if got == b"MTLS-TEST-MARKER\n" else "other"


def main():
    host, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
    held = []
    for word in map(str.strip, sys.stdin):
        port = ports.pop(0) if len(ports) > 1 else ports[0]
        child = os.fork() if word == "fork" else None
        if child:
            os.waitpid(child, 0)
            continue
        try:
            print(ask(host, port, word, held), flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
        if child == 0:
            os._exit(0)


main()
