"""Writes as soon as TCP stands, without waiting for it to block: early.py PORT.

Says "written" then, reads a line, and closes when a line has come on stdin.
"""

import select
import socket
import sys


def main():
    with socket.socket() as conn:
        conn.setblocking(False)
        conn.connect_ex(("127.0.0.1", int(sys.argv[1])))
        select.select([], [conn], [], 10)
        conn.send(b"MTLS-TEST-MARKER\n")
        print("written", flush=True)
        conn.settimeout(20)
        print(conn.makefile("rb").readline().decode(), end="", flush=True)
        sys.stdin.readline()


main()
