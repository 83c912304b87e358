"""A server that greets, echoes and says how it went: serve.py FD..., which listen

Prints "ready", then one JSON line a connection: remote (the other end's port), got (text),
end ("eof", or the errno of the call that failed). A thread serves each connection.
"""

import errno
import json
import os
import socket
import sys
import threading

GREETING = b"MTLS-TEST-MARKER greeting\n"
SECONDS = 20


def serve(conn, remote):
    got = b""
    end = "eof"
    conn.settimeout(SECONDS)
    try:
        conn.sendall(GREETING)  # before the peer is known: held back until it is
        while chunk := conn.recv(4096):
            got += chunk
            conn.sendall(chunk)
    except OSError as error:
        end = errno.errorcode.get(error.errno, str(error))
    conn.close()
    line = json.dumps({"remote": remote, "got": got.decode("latin-1"), "end": end})
    os.write(1, line.encode() + b"\n")  # one write: print() has threads mix lines


def listen(listener):
    while True:
        try:
            conn, address = listener.accept()
        except ConnectionAbortedError:
            continue
        threading.Thread(target=serve, args=(conn, address[1]), daemon=True).start()


def main():
    threads = [threading.Thread(target=listen, daemon=True,
                                args=(socket.socket(fileno=int(fd)),))
               for fd in sys.argv[1:]]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for thread in threads:
        thread.join()


main()
