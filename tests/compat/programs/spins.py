"""A server that has its sockets in epoll, and reads over and over: spins.py PORT.

For each line on stdin it accepts a connection and leaves it alone until another fd of the
process leads to it, says "here", reads until its end, closes it, and says how much that was
and what epoll still watches.
"""

import os
import select
import sys
import time

from common import listen


def links():
    for fd in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            pass


def wait_for_another(conn):
    name = os.readlink(f"/proc/self/fd/{conn.fileno()}")
    until = time.monotonic() + 10
    while list(links()).count(name) < 2 and time.monotonic() < until:
        time.sleep(0.001)


def read_all(conn):
    got = b""
    while True:
        try:
            chunk = conn.recv(100)
        except BlockingIOError:
            continue
        if not chunk:
            return got
        got += chunk


def watched(epoll):
    with open(f"/proc/self/fdinfo/{epoll.fileno()}", encoding="ascii") as info:
        return [line.split()[1] for line in info if line.startswith("tfd:")]


def main():
    listener = listen(int(sys.argv[1]))
    epoll = select.epoll()
    for _ in sys.stdin:
        conn = listener.accept()[0]
        conn.setblocking(False)
        epoll.register(conn, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        wait_for_another(conn)
        print("here", flush=True)
        size = len(read_all(conn))
        conn.close()
        print(size, *watched(epoll), flush=True)


main()
