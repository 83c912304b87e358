"""An echo server that says how each connection went: report_server.py PORT...

Prints one JSON line a connection: got (bytes), end ("eof" or the errno's name), again (the
errno of a second read), send (of a write after that), so_error (SO_ERROR at the end).
A thread serves each connection, so that one that hangs holds nobody up.
"""

import errno
import itertools
import json
import os
import socket
import sys
import threading


def tell(report):
    """One write a line: several threads do."""
    os.write(1, json.dumps(report).encode() + b"\n")


def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def serve(conn, number):
    report = {"number": number, "got": 0}
    while True:
        data = outcome(lambda: conn.recv(65536))
        if not data or isinstance(data, str):
            break
        report["got"] += len(data)
        report["echo"] = outcome(lambda: conn.sendall(data))
    report["end"] = data or "eof"
    if data:
        report["again"] = outcome(lambda: len(conn.recv(100)))
        report["send"] = outcome(lambda: conn.send(b"MTLS-TEST-MARKER"))
    report["so_error"] = conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    conn.close()
    tell(report)


def listen(port, numbers):
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            conn = outcome(lambda: listener.accept()[0])
            number = next(numbers)
            if isinstance(conn, str):
                tell({"number": number, "got": 0, "end": conn})
            else:
                threading.Thread(target=serve, args=(conn, number), daemon=True).start()


def main():
    ports = [int(word) for word in sys.argv[1:]]
    numbers = itertools.count()
    for port in ports[:-1]:
        threading.Thread(target=listen, args=(port, numbers), daemon=True).start()
    listen(ports[-1], numbers)


main()
