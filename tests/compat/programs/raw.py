"""System calls by libc's syscall(): server_NAME(port) and client_NAME(port)."""

import ctypes
import errno
import os
import platform
import signal
import socket

from common import MARKER, dial, listen, read_all, read_exactly, run, same, wait_for

NUMBERS = {
    "x86_64": {"read": 0, "write": 1, "close": 3, "sendto": 44, "recvfrom": 45, "clone": 56,
               "writev": 20, "dup": 32, "io_setup": 206, "io_getevents": 208, "io_submit": 209,
               "io_uring_setup": 425},
    "aarch64": {"read": 63, "write": 64, "close": 57, "sendto": 206, "recvfrom": 207,
                "clone": 220, "writev": 66, "dup": 23, "io_setup": 0, "io_getevents": 4,
                "io_submit": 2, "io_uring_setup": 425},
}[platform.machine()]
CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = 0x20000000, 0x40000000, 0x08000000
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """With the result, or the error's name; all arguments as wide as the kernel's."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    LIBC.syscall.restype = ctypes.c_long
    result = LIBC.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else result


def server_data(port):
    conn, _ = listen(port).accept()
    number = conn.detach()
    buf = ctypes.create_string_buffer(100)
    same(call("read", number, buf, 6), 6, "read")
    same(buf.raw[:6], b"hello\n", "the client's line")
    same(call("write", number, MARKER, len(MARKER)), len(MARKER), "write")
    same(call("sendto", number, MARKER, len(MARKER), 0, 0, 0), len(MARKER), "sendto")
    copy = call("dup", number)
    same(call("close", number), 0, "close")
    same(call("read", number, buf, 6), "EBADF", "closed")
    same(call("write", copy, b"by dup\n", 7), 7, "write")
    same(call("recvfrom", copy, buf, 100, socket.MSG_DONTWAIT, 0, 0), "EAGAIN", "recvfrom")
    same(call("close", copy), 0, "close")


def client_data(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_all(sock), MARKER + MARKER + b"by dup\n", "the answer")


def clone(flags):
    """As vsftpd does it."""
    return call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)


def talk_in_child(conn, flags):
    """The child is in namespaces of its own, where it is process 1, and becomes somebody
    else; parent and child use the connection in turns."""
    here, there = socket.socketpair()
    pid = clone(flags)
    if pid == 0:
        status = 1
        try:
            same(os.getpid() == 1, bool(flags & CLONE_NEWPID), "process 1")
            LIBC.setuid(65534)
            conn.sendall(b"child\n")
            there.sendall(b"x")
            same(there.recv(1), b"x", "the parent's word")
            conn.sendall(b"child again\n")
            status = 0
        finally:
            os._exit(status)
    same(isinstance(pid, int), True, f"clone: {pid}")
    same(here.recv(1), b"x", "the child's word")
    conn.sendall(b"parent\n")
    here.sendall(b"x")
    return pid


def serve_clone(port, flags):
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 6), b"hello\n", "the client's line")
    wait_for(talk_in_child(conn, flags))
    conn.sendall(b"parent again\n")
    conn.close()


def server_clone(port):
    serve_clone(port, 0)


def server_clone_namespaces(port):
    serve_clone(port, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)


def client_clone(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_all(sock), b"child\nparent\nchild again\nparent again\n", "the answer")


def server_clone_left(port):
    """The child, in another namespace, is the last one to have the connection."""
    conn, _ = listen(port).accept()
    same(read_exactly(conn, 6), b"hello\n", "the client's line")
    pid = talk_in_child(conn, CLONE_NEWPID)
    conn.close()
    wait_for(pid)


def client_clone_left(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_exactly(sock, 13), b"child\nparent\n", "the answer")
    same(read_all(sock), b"child again\n", "the rest, and an end")


def server_handshake(port):
    """It is cloned before the handshake: one of the two is at it, not both."""
    conn, _ = listen(port).accept()
    pid = clone(CLONE_NEWPID)
    if pid == 0:
        conn.sendall(read_exactly(conn, 6))
        os._exit(0)
    conn.close()
    wait_for(pid)


def client_handshake(port):
    sock = dial(port)
    sock.sendall(b"hello\n")
    same(read_all(sock), b"hello\n", "the answer")


def server_io_uring(port):
    conn, _ = listen(port).accept()
    params = ctypes.create_string_buffer(120)
    same(call("io_uring_setup", 4, params), "ENOSYS", "io_uring_setup")
    conn.sendall(read_exactly(conn, 6))


client_io_uring = client_handshake


class Job(ctypes.Structure):
    """struct iocb of linux/aio_abi.h."""
    _fields_ = [("data", ctypes.c_uint64), ("key", ctypes.c_uint32), ("rw", ctypes.c_int32),
                ("opcode", ctypes.c_uint16), ("prio", ctypes.c_int16), ("fd", ctypes.c_uint32),
                ("buf", ctypes.c_uint64), ("nbytes", ctypes.c_uint64), ("offset", ctypes.c_int64),
                ("reserved", ctypes.c_uint64), ("flags", ctypes.c_uint32),
                ("resfd", ctypes.c_uint32)]


PREAD, PWRITE = 0, 1


def submit(context, *jobs):
    """Each is an opcode, an fd and a buffer."""
    made = [Job(opcode=opcode, fd=number, buf=ctypes.addressof(buf), nbytes=len(buf))
            for opcode, number, buf in jobs]
    return call("io_submit", context, len(made),
                (ctypes.c_void_p * len(made))(*map(ctypes.addressof, made)))


def server_kernel_aio(port):
    """A governed connection is not for the kernel to write; files and pipes are."""
    listener = listen(port)
    unconnected = socket.socket()
    conn, _ = listener.accept()
    context = ctypes.c_ulong(0)
    same(call("io_setup", 4, ctypes.byref(context)), 0, "io_setup")
    buf = ctypes.create_string_buffer(MARKER, len(MARKER))
    file = os.memfd_create("file")
    for number in conn.fileno(), unconnected.fileno():
        same(submit(context.value, (PWRITE, number, buf)), "ENOSYS", "a write")
        same(submit(context.value, (PREAD, number, buf)), "ENOSYS", "a read")
    same(submit(context.value, (PWRITE, file, buf), (PWRITE, conn.fileno(), buf)), 1,
         "jobs that are taken")
    events = ctypes.create_string_buffer(64)
    same(call("io_getevents", context.value, 1, 1, events, 0), 1, "jobs that are done")
    same(os.pread(file, 100, 0), MARKER, "what is in the file")
    conn.sendall(read_exactly(conn, 6))


client_kernel_aio = client_handshake


def client_remote(port):
    """What connects inside libc is refused."""
    host = ctypes.pointer(ctypes.c_char_p(b"127.0.0.1"))
    for name, port_word in (("rcmd", ctypes.c_ushort), ("rexec", ctypes.c_int)):
        result = getattr(LIBC, name)(host, port_word(socket.htons(port)), b"user", b"user",
                                     b"MTLS-TEST-MARKER", None)
        same((result, ctypes.get_errno()), (-1, errno.EACCES), name)
    client_handshake(port)


server_remote = server_handshake

run(globals())
