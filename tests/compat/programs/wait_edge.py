"""Waits for a server's first bytes by edge-triggered epoll alone: wait_edge.py PORT

Prints one JSON line: data, events (how many it was told of), cpu (seconds it has used).
"""

import json
import resource
import select
import socket
import sys


def main():
    sock = socket.socket()
    sock.setblocking(False)
    with select.epoll() as epoll:
        sock.connect_ex(("127.0.0.1", int(sys.argv[1])))
        epoll.register(sock, select.EPOLLIN | select.EPOLLET)
        data, events = b"", 0
        while b"\n" not in data:
            if not epoll.poll(30):
                break
            events += 1
            try:
                while chunk := sock.recv(4096):
                    data += chunk
            except BlockingIOError:
                pass
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"data": data.decode(), "events": events,
                      "cpu": usage.ru_utime + usage.ru_stime}), flush=True)


main()
