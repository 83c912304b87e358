"""Asks an echo server over and over, each time on a new connection: again.py PORT...

For each line on stdin, HOST and a word, it dials the next of the ports, the last one again
and again, and says in a line what became of it. With "fork" it does so in a child; with
"drop" it closes at once; with "hold" without a read, after another line has come.
"""

import os
import socket
import sys


def ask(host, port, word):
    with socket.create_connection((host, port), timeout=10) as conn:
        if word == "drop":
            return "dropped"  # an echo that comes before the close has it reset, as plain TCP
        conn.sendall(b"MTLS-TEST-MARKER\n")
        if word == "hold":
            print("holds", flush=True)
            sys.stdin.readline()
            return "dropped"
        got = b""
        while not got.endswith(b"\n"):
            chunk = conn.recv(100)
            if not chunk:
                return "cut"
            got += chunk
    return "same" if got == b"MTLS-TEST-MARKER\n" else "other"


def main():
    ports = [int(port) for port in sys.argv[1:]]
    for line in sys.stdin:
        host, word = line.split()
        port = ports.pop(0) if len(ports) > 1 else ports[0]
        child = os.fork() if word == "fork" else None
        if child:
            os.waitpid(child, 0)
            continue
        try:
            print(ask(host, port, word), flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
        if child == 0:
            os._exit(0)


main()
