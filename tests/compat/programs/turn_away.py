"""A server that turns clients away: turn_away.py PORT COUNT

With few descriptors to spend, closes the first COUNT connections as soon as they come.
Then it opens some files, echoes one message of the next client, and says that it is fine.
"""

import os
import resource
import socket
import sys

DESCRIPTORS = 64
FILES = 16


def main():
    port, count = (int(word) for word in sys.argv[1:])
    with socket.create_server(("127.0.0.1", port), backlog=count) as listener:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        for _ in range(count):
            listener.accept()[0].close()
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(FILES)]
        with listener.accept()[0] as conn:
            conn.sendall(conn.recv(100))
    print("fine" if len(files) == FILES else files)


main()
