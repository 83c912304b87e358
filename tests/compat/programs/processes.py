"""Connections over fork, dup and exec: server_NAME(port) and client_NAME(port)."""

import ctypes
import os
import socket
import subprocess

from common import (dial, in_child, listen, payload, read_all, read_exactly, run, same,
                    wait_for)

DATA = payload(2_000_000)


def answer(conn):
    """Reads a line, sends it back with our pid and some bulk."""
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(conn, 1)
    conn.sendall(b"%d %s" % (os.getpid(), line) + DATA)
    conn.close()


def ask(port, number):
    """The other end of answer(); returns the pid."""
    sock = dial(port)
    sock.sendall(b"MTLS-TEST-MARKER %d\n" % number)
    got = read_all(sock)
    sock.close()
    line, _, rest = got.partition(b"\n")
    pid, _, echo = line.partition(b" ")
    same(echo, b"MTLS-TEST-MARKER %d" % number, "echo")
    same(rest, DATA, "bulk")
    return int(pid)


def server_prefork(port):
    """Four children accept from one listener; each serves three connections."""
    listener = listen(port)
    children = [in_child(lambda: [answer(listener.accept()[0]) for _ in range(3)])
                for _ in range(4)]
    listener.close()
    for pid in children:
        wait_for(pid)


def client_twelve_times(port):
    """All at once, from children of its own."""
    children = [in_child(lambda n=number: ask(port, n)) for number in range(12)]
    for pid in children:
        wait_for(pid)


def server_fork_per_connection(port):
    listener = listen(port)
    for _ in range(5):
        conn, _ = listener.accept()

        def serve(conn=conn):
            listener.close()
            answer(conn)
        pid = in_child(serve)
        conn.close()
        wait_for(pid)


def client_five_times(port):
    pids = {ask(port, number) for number in range(5)}
    same(len(pids), 5, "processes that answered")


def server_fork_in_mid_conversation(port):
    """The parent has talked already; the child goes on and is the one that ends it."""
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 4), b"one\n", "first line")
    conn.sendall(b"parent\n")

    def go_on():
        same(read_exactly(conn, 4), b"two\n", "second line")
        conn.sendall(b"child\n" + DATA)
        same(read_all(conn), DATA, "bulk up")
    pid = in_child(go_on)
    conn.close()
    wait_for(pid)


def client_mid_conversation(port):
    sock = dial(port)
    sock.sendall(b"one\n")
    same(read_exactly(sock, 7), b"parent\n", "the parent's answer")
    sock.sendall(b"two\n")
    same(read_exactly(sock, 6), b"child\n", "the child's answer")
    same(read_exactly(sock, len(DATA)), DATA, "bulk down")
    sock.sendall(DATA)
    sock.close()


def split(sock):
    """The child writes and the parent reads one connection, at the same time."""
    pid = in_child(lambda: sock.sendall(DATA))
    same(read_exactly(sock, len(DATA)), DATA, "read by the parent")
    wait_for(pid)
    sock.sendall(b"bye")
    same(read_exactly(sock, 3), b"bye", "by the parent, after the child")
    sock.close()


def server_split(port):
    split(listen(port).accept()[0])


def client_split(port):
    split(dial(port))


def server_alternate(port):
    """Parent and child write in turns: one sequence of records from two processes."""
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 2), b"go", "start")
    here, there = socket.socketpair()

    def take_turns(turn, first):
        for number in range(50):
            if not first or number:
                read_exactly(turn, 1)
            conn.sendall(b"%s %d\n" % (b"parent" if first else b"child", number))
            turn.sendall(b"x")
    pid = in_child(lambda: take_turns(there, False))
    take_turns(here, True)
    read_exactly(here, 1)
    wait_for(pid)
    conn.close()


def client_alternate(port):
    sock = dial(port)
    sock.sendall(b"go")
    want = b"".join(b"parent %d\nchild %d\n" % (n, n) for n in range(50))
    same(read_all(sock), want, "lines in turn")


def server_dup(port):
    """dup and dup2: the connection lives as long as one number of it does."""
    conn, _ = listen(port).accept()
    number = conn.detach()
    second = os.dup(number)
    os.close(number)
    same(os.read(second, 6), b"hello\n", "by the duplicate")
    third = os.open("/dev/null", os.O_RDWR)
    os.dup2(second, third)
    os.close(second)
    same(os.write(third, b"by dup2\n"), 8, "bytes written")
    same(os.read(third, 6), b"again\n", "by the second duplicate")
    for kept in (os.dup2(third, 100), 100):
        os.write(kept, b"more\n")
    os.close(100)
    # Something else over the last one: that closes the connection.
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, third)
    same(os.write(third, b"into the void"), 13, "bytes into /dev/null")


def client_dup(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_exactly(sock, 8), b"by dup2\n", "first answer")
    sock.sendall(b"again\n")
    same(read_all(sock), b"more\nmore\n", "the rest")


def server_exec(port):
    """cat becomes the server, on its own 0 and 1; once spawned, once in our place."""
    listener = listen(port)
    conn, _ = listener.accept()
    with subprocess.Popen(["cat"], stdin=conn, stdout=conn) as cat:
        conn.close()
        same(cat.wait(), 0, "cat's exit status")
    conn, _ = listener.accept()
    same(read_exactly(conn, 4), b"exec", "before exec")

    def become():
        os.dup2(conn.fileno(), 0)
        os.dup2(conn.fileno(), 1)
        os.execvp("cat", ["cat"])
    pid = in_child(become)
    conn.close()
    wait_for(pid)


def server_starts_as_others(port):
    """Helpers of other users than the one of the connection, which is not meant for them."""
    libc = ctypes.CDLL(None)
    listener = listen(port)
    os.seteuid(65534)
    fd = libc.accept(listener.fileno(), None, None)  # without FD_CLOEXEC
    conn = socket.socket(fileno=fd)
    same(read_exactly(conn, 6), b"hello\n", "the client's line")
    write = b"echo by the helper >&%d" % fd
    same(libc.system(write) != 0, True, "the helper that has no library was given it")
    conn.sendall(b"one\n")
    os.seteuid(0)
    same(libc.system(write) != 0, True, "root's helper was given it")
    conn.sendall(b"two\n")
    conn.close()


def client_started_as_others(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_all(sock), b"one\ntwo\n", "the answer")


def server_exec_without_proc(port):
    """As server_exec(), where there is no /proc."""
    libc = ctypes.CDLL(None, use_errno=True)
    same(libc.unshare(0x00020000), 0, "unshare")  # CLONE_NEWNS
    same(libc.mount(b"none", b"/", None, 0x44000, None), 0, "mount")  # MS_REC, MS_PRIVATE
    same(libc.mount(b"none", b"/proc", b"tmpfs", 0, None), 0, "mount")
    same(os.path.exists("/proc/self"), False, "a /proc")
    server_exec(port)


def client_exec(port):
    for first in (b"", b"exec"):
        sock = dial(port)
        sock.sendall(first)
        for size in (1, 20_000, 100_000):
            sock.sendall(DATA[:size])
            same(read_exactly(sock, size), DATA[:size], "cat's echo")
        sock.shutdown(socket.SHUT_WR)
        same(sock.recv(10), b"", "end of stream")
        sock.close()


run(globals())
