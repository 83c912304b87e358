"""Asks libc itself for its functions, as ctypes.CDLL("libc.so.6") does."""

import ctypes
import os
import socket
import struct

from common import MARKER, listen, run, same

libc = ctypes.CDLL("libc.so.6", use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def write(fd):
    same(checked(libc.write(fd, MARKER, len(MARKER))), len(MARKER), "write")


def read(fd):
    buf = ctypes.create_string_buffer(100)
    count = checked(libc.recv(fd, buf, len(buf), 0))
    same(buf.raw[:count], MARKER, "what came")


def server(port):
    listener = listen(port)
    fd = checked(libc.accept(listener.fileno(), None, None))
    read(fd)
    write(fd)
    checked(libc.close(fd))


def client(port):
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + \
        socket.inet_aton("127.0.0.1") + bytes(8)
    fd = checked(libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0))
    checked(libc.connect(fd, address, len(address)))
    write(fd)
    read(fd)
    checked(libc.close(fd))


run(globals())
