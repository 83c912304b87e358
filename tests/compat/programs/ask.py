"""Asks a socket what shim/mtls_shim.h offers; prints one JSON line for each time of asking.

    ask.py serve PORT         ask.py dial HOST PORT

A line has "when" (new, begun, open, end), and an entry for each option: its answer, or the
errno's name.  Both ends send a byte and read one, so that both know the other.
"""

import errno
import json
import os
import re
import socket
import sys

from common import listen, read_all, read_exactly

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "..", "..", "..", "shim", "mtls_shim.h")


def read_header():
    with open(HEADER, encoding="utf-8") as file:
        found = re.findall(r"^#define (\w+) (0x[0-9a-f]+|\d+)$", file.read(), re.M)
    return {name.removeprefix("MTLS_SHIM_").lower(): int(value, 0) for name, value in found}


NUMBERS = read_header()
LEVEL = NUMBERS.pop("sol_mtls_shim")
ROOM = NUMBERS.pop("text_max")


def name_of(error):
    """Of two names for one number, the one that is used of sockets."""
    return errno.errorcode[error.errno].replace("ENOTSUP", "EOPNOTSUPP")


def ask(sock, option, room=ROOM):
    try:
        answer = sock.getsockopt(LEVEL, option, room)
    except OSError as error:
        return name_of(error)
    if option == NUMBERS["state"]:
        return int.from_bytes(answer, sys.byteorder)
    return answer.removesuffix(b"\0").decode() if answer.endswith(b"\0") else repr(answer)


def tell(when, sock):
    told = {name: ask(sock, option) for name, option in NUMBERS.items()}
    told["when"] = when
    told["unknown"] = ask(sock, 999)
    told["little_room"] = ask(sock, NUMBERS["peer_sha256"], 64)
    told["just_room"] = ask(sock, NUMBERS["peer_sha256"], 65)
    try:
        sock.setsockopt(LEVEL, NUMBERS["state"], 1)
        told["set"] = "OK"
    except OSError as error:
        told["set"] = name_of(error)
    print(json.dumps(told), flush=True)


def finish(sock):
    try:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        tell("open", sock)
        tell("open", sock.dup())
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    except OSError:
        pass
    tell("end", sock)


def main():
    if sys.argv[1] == "serve":
        listener = listen(int(sys.argv[2]))
        sock = listener.accept()[0]
    else:
        sock = socket.socket()
        tell("new", sock)
        sock.setblocking(False)
        sock.connect_ex((sys.argv[2], int(sys.argv[3])))
        tell("begun", sock)
        sock.setblocking(True)
    finish(sock)


main()
