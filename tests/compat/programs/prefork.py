"""Processes that accept from one socket, as prefork servers do: prefork.py PORT COUNT

Each connection gets the process's number after the line that it has sent, and then this
process is the last one to accept again: so that the next connection is another's.
"""

import os
import select
import socket
import sys


def work(number, listener, turn, next_turn):
    while True:
        os.read(turn, 1)
        select.select([listener], [], [])
        conn, _ = listener.accept()
        with conn, conn.makefile("rwb") as stream:
            stream.write(stream.readline().strip() + b" %d\n" % number)
            stream.flush()
        os.write(next_turn, b"x")


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    pipes = [os.pipe() for _ in range(count)]
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        for number in range(1, count):
            if os.fork() == 0:
                work(number, listener, pipes[number][0], pipes[(number + 1) % count][1])
        os.write(pipes[0][1], b"x")
        work(0, listener, pipes[0][0], pipes[1 % count][1])


main()
