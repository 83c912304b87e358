"""Connections passed with SCM_RIGHTS: server_NAME(port) and client_NAME(port)."""

import array
import os
import socket
import subprocess
import sys

from common import dial, in_child, listen, read_all, read_exactly, run, same, wait_for


def pass_fd(channel, number):
    channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [number]))])


def take_fd(channel, room=1):
    """What recvmsg gives for a buffer that has room for so many fds."""
    data, control, flags, _ = channel.recvmsg(1, socket.CMSG_LEN(4 * room))
    same(data, b"x", "data")
    same(len(control), 1, "parts of control data")
    numbers = array.array("i")
    numbers.frombytes(control[0][2])
    same((len(numbers), flags & socket.MSG_CTRUNC), (1, 0), "fds and MSG_CTRUNC")
    return socket.socket(fileno=numbers[0])


def worker(channel):
    """A process made before there is any connection: all it knows comes by the channel."""
    conn = take_fd(channel)
    same(read_exactly(conn, 6), b"hello\n", "the client's line")
    conn.sendall(b"by the worker\n")
    channel.sendall(b".")
    conn.close()


def start_worker():
    ours, theirs = socket.socketpair()

    def work():
        ours.close()
        worker(theirs)
    pid = in_child(work)
    theirs.close()
    return ours, pid


def server_pass_at_once(port):
    channel, pid = start_worker()
    conn, _ = listen(port).accept()
    pass_fd(channel, conn.fileno())
    conn.close()
    wait_for(pid)


def client_passed(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_all(sock), b"by the worker\n", "the answer")


def server_pass_after_use(port):
    """Both have it; the one that passed it goes on when the worker is done."""
    channel, pid = start_worker()
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 6), b"first\n", "the client's first line")
    conn.sendall(b"by the parent\n")
    pass_fd(channel, conn.fileno())
    same(channel.recv(1), b".", "the worker's sign")
    wait_for(pid)
    conn.sendall(b"parent again\n")
    conn.close()


def server_pass_from_another_user(port):
    """The worker is root, and this process nobody: the connection is the worker's then."""
    channel, pid = start_worker()
    listener = listen(port)
    if os.getuid() == 0:
        os.setuid(65534)
    conn, _ = listener.accept()
    conn.setblocking(True)
    same(read_exactly(conn, 6), b"first\n", "the client's first line")
    # What the peer sends next is in part read, in part buffered when it is passed.
    same(conn.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL), b"hel", "the next one")
    pass_fd(channel, conn.fileno())
    same(channel.recv(1), b".", "the worker's sign")
    wait_for(pid)
    try:
        conn.sendall(b"not by me")
        over = "sent"
    except BrokenPipeError:
        over = "over"
    same(over, "over", "the connection of the one that passed it")
    conn.close()


def client_passed_from_another_user(port):
    sock = dial(port)
    sock.sendall(b"first\nhello\n")
    same(read_all(sock), b"by the worker\n", "the answer")


def client_passed_after_use(port):
    sock = dial(port)
    sock.sendall(b"first\n")
    same(read_exactly(sock, 14), b"by the parent\n", "the parent's answer")
    sock.sendall(b"hello\n")
    same(read_all(sock), b"by the worker\nparent again\n", "the rest")


def client_passed_to_outsider(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_exactly(sock, 14), b"by the worker\n", "the answer")


def server_pass_to_itself(port):
    one, other = socket.socketpair()
    conn, _ = listen(port).accept()
    pass_fd(one, conn.fileno())
    again = take_fd(other)
    conn.close()
    same(read_exactly(again, 6), b"hello\n", "the client's line")
    again.sendall(b"by the worker\n")
    again.close()


OUTSIDER = """
import socket, array
channel = socket.socket(fileno=0)
_, control, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(400))
numbers = array.array("i")
numbers.frombytes(control[0][2])
import os
for number in numbers[:1]:
    try:
        os.write(number, b"MTLS-TEST-MARKER in clear")
    except OSError:
        pass
channel.sendall(b".")
"""


def server_pass_to_outsider(port):
    """A receiver without the shim writes to what it takes for the connection."""
    one, other = socket.socketpair()
    with subprocess.Popen([sys.executable, "-c", OUTSIDER], stdin=other,
                          env={**os.environ, "MTLS_SHIM": "off"}) as outsider:
        conn, _ = listen(port).accept()
        same(read_exactly(conn, 6), b"hello\n", "the client's line")
        pass_fd(one, conn.fileno())
        same(one.recv(1), b".", "the outsider's sign")
        same(outsider.wait(), 0, "its status")
        conn.sendall(b"by the worker\n")
        conn.close()


run(globals())
