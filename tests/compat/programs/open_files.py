"""The open files of a process before and after: server(port), client(port, others).

A client goes through all ways in which a connection begins, is shared and ends, time and
again; its first word tells the server which. Once everything has come up that stays
(memory of sessions, the service's own files) each further round is to leave no file.
"""

import array
import contextlib
import os
import socket
import struct
import subprocess
import sys
import time

from common import dial, in_child, listen, payload, read_all, read_exactly, same, wait_for

WARM_UP, ROUNDS = 3, 12
BULK = payload(100_000)


def names():
    """What the process's descriptors are called."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            found.append(os.readlink("/proc/self/fd/" + number))
    return found


def listing():
    """The same without what is another one's each time: inodes."""
    return sorted(name.split("[")[0] for name in names())


def settled(want=None):
    """The listing once all that ends by itself has ended; at the latest after ten seconds."""
    seen, since = listing(), time.monotonic()
    end = since + 10
    while (seen != want if want else time.monotonic() < since + 2) and time.monotonic() < end:
        time.sleep(0.02)
        now = listing()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


# ---- ways: what the client does; the server echoes, and may end first --------------------

def echo(conn):
    conn.sendall(BULK)
    same(read_exactly(conn, len(BULK)), BULK, "echo")


def plain(conn):
    echo(conn)


def server_ends(conn):
    same(read_all(conn), b"bye", "the server's word")


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(conn):
    pass


def copies(conn):
    numbers = [os.dup(conn.fileno()), os.dup2(conn.fileno(), 200)]
    echo(conn)
    for number in numbers:
        os.close(number)


def forked(conn):
    wait_for(in_child(lambda: echo(conn)))
    echo(conn)


def left_to_child(conn):
    pid = in_child(lambda: echo(conn))
    conn.close()
    wait_for(pid)


def exec_ed(conn):
    subprocess.run([sys.executable, __file__, "inherit", str(conn.fileno())],
                   pass_fds=[conn.fileno()], check=True)
    subprocess.run(["true"], check=True)  # does not get it
    echo(conn)


def inherit(number):
    """In the new program: the connection is closed when it is, by the library too."""
    with socket.socket(fileno=int(number)) as conn:
        echo(conn)
        its_name = os.readlink(f"/proc/self/fd/{number}")
    end = time.monotonic() + 10
    while its_name in names() and time.monotonic() < end:
        time.sleep(0.02)
    same(its_name in names(), False, "a descriptor is left after exec")


def passed(conn):
    ours, theirs = socket.socketpair()
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", [conn.fileno()]))])
    control = theirs.recvmsg(1, socket.CMSG_LEN(4))[1]
    with socket.socket(fileno=struct.unpack("i", control[0][2])[0]) as copy:
        echo(copy)
    ours.close()
    theirs.close()


WAYS = [plain, server_ends, reset, silent, copies, forked, left_to_child, exec_ed, passed]


def fail(port):
    """A connection that is refused: by TCP, by the rules, by a peer that speaks no TLS."""
    with socket.socket() as sock, contextlib.suppress(OSError):
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"x")
        sock.recv(1)
        raise AssertionError(f"port {port} was reached")


def client(port, others):
    before = None
    for number in range(ROUNDS):
        for way in WAYS:
            with dial(port) as conn:
                conn.sendall(way.__name__.encode() + b"\n")
                way(conn)
        for other in others:
            fail(other)
        if number == WARM_UP:
            before = settled()
    same(settled(before), before, "open files")
    with dial(port) as conn:
        conn.sendall(b"stop\n")
        same(read_all(conn), b"bye", "the server's word")


# ---- the server --------------------------------------------------------------------------

def serve(conn):
    word = b""
    while not word.endswith(b"\n"):
        word += read_exactly(conn, 1)
    if word in (b"server_ends\n", b"stop\n"):
        conn.sendall(b"bye")
    else:
        while data := conn.recv(65536):
            conn.sendall(data)
    return word


def server(port):
    listener = listen(port)
    rounds, before, word = 0, None, b""
    while word != b"stop\n":
        conn, _ = listener.accept()
        with conn, contextlib.suppress(OSError, AssertionError):
            word = serve(conn)  # or it was no TLS, or reset
        rounds += word == b"passed\n"
        if rounds == WARM_UP + 1 and before is None:
            before = settled()
    same(settled(before), before, "open files")


def main():
    name, *numbers = sys.argv[1:]
    if name == "inherit":
        inherit(numbers[0])
        return
    if name == "client":
        client(int(numbers[0]), [int(number) for number in numbers[1:]])
    else:
        server(int(numbers[0]))
    print("fine")


main()
