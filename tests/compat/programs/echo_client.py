"""Talks to echo_server.py: echo_client.py PORT; prints "fine" when every answer is right."""

import hashlib
import socket
import sys

BLOCK = b"MTLS-TEST-MARKER" + bytes(range(240))


def main():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30) as sock:
        stream = sock.makefile("rwb")
        for number in range(50):
            line = b"line %d MTLS-TEST-MARKER\n" % number
            stream.write(line)
            stream.flush()
            assert stream.readline() == line
        for size in (1, 16384, 16385, 1_000_000):
            stream.write(b"GET %d\n" % size)
            stream.flush()
            assert stream.read(size) == (BLOCK * (size // len(BLOCK) + 1))[:size], size
            data = (BLOCK * (size // len(BLOCK) + 1))[:size]
            stream.write(b"PUT %d\n" % size + data)
            stream.flush()
            assert stream.readline().strip().decode() == hashlib.sha256(data).hexdigest()
        stream.close()
    print("fine")


main()
