"""A library that was loaded with RTLD_DEEPBIND, as PHP loads its extensions, reads and
writes: $LIBRARY, a copy of zlib, whose files may be any descriptor."""

import ctypes
import os
import socket

from common import MARKER, dial, listen, run, same

SIZE = 100


def load():
    library = ctypes.CDLL(os.environ["LIBRARY"], mode=os.RTLD_NOW | os.RTLD_DEEPBIND)
    library.gzdopen.restype = ctypes.c_void_p
    return library


def write_all(sock):
    library = load()
    file = ctypes.c_void_p(library.gzdopen(sock.fileno(), b"wT"))  # T: as it is
    same(library.gzwrite(file, MARKER, len(MARKER)), len(MARKER), "gzwrite")
    same(library.gzflush(file, 4), 0, "gzflush")
    sock.shutdown(socket.SHUT_WR)


def read_all(sock):
    library = load()
    file = ctypes.c_void_p(library.gzdopen(sock.fileno(), b"r"))
    buf = ctypes.create_string_buffer(SIZE)
    same(library.gzread(file, buf, SIZE), len(MARKER), "gzread")
    return buf.raw[:len(MARKER)]


def server(port):
    conn, _ = listen(port).accept()
    same(read_all(conn), MARKER, "what the client says")
    write_all(conn)


def client(port):
    sock = dial(port)
    write_all(sock)
    same(read_all(sock), MARKER, "what the server says")


def origin():
    """dlopen() sees who calls it: _ctypes, and that $ORIGIN is the folder that it is in."""
    import _ctypes
    for mode in (0, os.RTLD_DEEPBIND):
        ctypes.CDLL("$ORIGIN/" + os.path.basename(_ctypes.__file__), mode=os.RTLD_NOW | mode)


run(globals())
