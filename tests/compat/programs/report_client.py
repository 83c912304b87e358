"""Dials, sends, receives and says how each step went: report_client.py HOST PORT

Prints one JSON line: connect, send, recv and again ("OK", a number of bytes or the errno's
name), so_error (SO_ERROR at the end). Steps after a failed connect are not tried.
"""

import errno
import json
import socket
import sys


def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    sock = socket.socket()
    report = {"connect": outcome(lambda: sock.connect(address)) or "OK"}
    if report["connect"] == "OK":
        report["send"] = outcome(lambda: sock.send(b"MTLS-TEST-MARKER"))
        report["recv"] = outcome(lambda: len(sock.recv(100)))
        if isinstance(report["recv"], str):
            report["again"] = outcome(lambda: len(sock.recv(100)))
    report["so_error"] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.close()
    print(json.dumps(report), flush=True)


main()
