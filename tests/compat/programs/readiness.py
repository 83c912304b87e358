"""What poll and SO_ERROR promise, flags, timeouts: server_NAME(port), client_NAME(port)."""

import array
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import tempfile
import termios
import time

from common import dial, listen, payload, read_all, read_exactly, run, same

DATA = payload(1_000_000)


def is_readable(sock, seconds=0.0):
    by_select = bool(select.select([sock], [], [], seconds)[0])
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    by_poll = bool(poller.poll(0))
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN)
        by_epoll = bool(epoll.poll(0))
    same((by_poll, by_epoll), (by_select, by_select), "poll's and epoll's answer")
    return by_select


def available(sock):
    number = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, number)
    return number[0]


def server_bursts(port):
    """Sends a burst for each byte that it gets: each burst is one write."""
    conn, _ = listen(port).accept()
    while byte := conn.recv(1):
        conn.sendall(DATA[:byte[0] * 100])
    conn.close()


def client_exact_readiness(port):
    """Readable as long as a byte is left, not readable afterwards, whatever the bites."""
    sock = dial(port)
    same(is_readable(sock), False, "readable before anything was sent")
    for hundreds in (1, 10, 160, 250):
        size = hundreds * 100
        for bite in (1 if size <= 1000 else 997, 100, size - 1, size):
            sock.sendall(bytes([hundreds]))
            got = b""
            while len(got) < size:
                same(is_readable(sock, 10), True, f"readable with {len(got)} of {size} read")
                same(sock.recv(1, socket.MSG_PEEK), DATA[len(got):len(got) + 1], "peeked")
                same(available(sock) > 0, True, "FIONREAD")
                got += sock.recv(min(bite, size - len(got)))
            same(got, DATA[:size], "the burst")
            same(is_readable(sock), False, "readable when all is read")
            same(available(sock), 0, "FIONREAD when all is read")
            try:
                raise AssertionError(f"read {sock.recv(1, socket.MSG_DONTWAIT)!r}")
            except BlockingIOError:
                pass
    sock.shutdown(socket.SHUT_WR)
    same(is_readable(sock, 10), True, "readable at the end of stream")
    same(sock.recv(1), b"", "end of stream")
    same(is_readable(sock), True, "readable at the end of stream, still")


def client_flags(port):
    """MSG_WAITALL, vectors, recv into the middle of things, zero lengths."""
    sock = dial(port)
    sock.sendmsg([b"\x64", b"\x64", b""])  # two bursts of 10,000
    same(sock.recv(20_000, socket.MSG_WAITALL), DATA[:10_000] * 2, "MSG_WAITALL")
    sock.sendall(b"\x03")
    same(is_readable(sock, 10), True, "readable")
    parts = [bytearray(50), bytearray(100), bytearray(1000)]
    size, _, _, _ = sock.recvmsg_into(parts)
    same(size, 300, "bytes by recvmsg")
    same(bytes(parts[0] + parts[1] + parts[2][:150]), DATA[:300], "vector")
    same(sock.send(b""), 0, "an empty write")
    sock.sendall(b"\x01")
    same(is_readable(sock, 10), True, "readable")
    same(sock.recv(40, socket.MSG_PEEK), DATA[:40], "peeked")
    same(os.read(sock.fileno(), 60), DATA[:60], "read")
    same(os.readv(sock.fileno(), [bytearray(10), bytearray(100)]), 40, "bytes by readv")
    same(os.writev(sock.fileno(), [b"\x01", b"\x01"]), 2, "bytes by writev")
    same(read_exactly(sock, 200), DATA[:100] * 2, "answers to writev")
    sock.close()


def client_receive_timeout(port):
    sock = dial(port)
    sock.sendall(b"\x01")
    read_exactly(sock, 100)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 300_000))
    start = time.monotonic()
    try:
        raise AssertionError(f"read {sock.recv(1)!r}")
    except BlockingIOError:
        took = time.monotonic() - start
    same(0.25 < took < 2, True, f"SO_RCVTIMEO of 0.3 s took {took:.2f} s")
    sock.sendall(b"\x01")
    same(read_exactly(sock, 100), DATA[:100], "after the time-out")
    sock.close()


def client_interrupted(port):
    """A signal's handler runs while recv waits; one that raises ends the wait."""
    class Alarm(Exception):
        pass

    def on_alarm(*_):
        seen.append(1)
        if len(seen) == 2:
            raise Alarm
    seen = []
    sock = dial(port)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    start = time.monotonic()
    try:
        raise AssertionError(f"read {sock.recv(1)!r}")
    except Alarm:
        took = time.monotonic() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    same(0.3 < took < 2, True, f"two signals took {took:.2f} s")
    sock.sendall(b"\x01")
    same(read_exactly(sock, 100), DATA[:100], "after the signals")
    sock.close()


def client_non_blocking_connect(port):
    sock = socket.socket()
    sock.setblocking(False)
    code = sock.connect_ex(("127.0.0.1", port))
    same(code in (0, errno.EINPROGRESS), True, f"connect's errno {code}")
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    same(poller.poll(10_000), [(sock.fileno(), select.POLLOUT)], "poll for writing")
    same(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")
    # The first connect after that collects the success, only then is it connected.
    codes = [sock.connect_ex(("127.0.0.1", port)) for _ in range(2)]
    same(codes, [0, errno.EISCONN], "a second and a third connect")
    same(sock.getpeername(), ("127.0.0.1", port), "getpeername")
    same(sock.send(b"\x01\x02"), 2, "bytes sent")
    got = b""
    while len(got) < 300:
        same(is_readable(sock, 10), True, "readable")
        try:
            got += sock.recv(1000)
        except BlockingIOError:
            pass
    same(got, DATA[:100] + DATA[:200], "answers")
    sock.close()


def client_connect_refused(port):
    """Nobody listens there: as on plain TCP, blocking or not."""
    sock = socket.socket()
    same(sock.connect_ex(("127.0.0.1", port)), errno.ECONNREFUSED, "blocking connect")
    sock.close()
    sock = socket.socket()
    sock.setblocking(False)
    code = sock.connect_ex(("127.0.0.1", port))
    if code == errno.EINPROGRESS:
        poller = select.poll()
        poller.register(sock, select.POLLOUT)
        same(len(poller.poll(10_000)), 1, "poll's answer")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    same(code, errno.ECONNREFUSED, "non-blocking connect")
    same(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR, cleared")
    sock.close()


def client_failed_handshake(port):
    """The other end is no TLS: poll says ready, SO_ERROR says EPROTO, and so does recv."""
    for way in ("so_error", "recv"):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        same(len(poller.poll(10_000)), 1, "poll's answer")
        if way == "so_error":
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        else:
            try:
                raise AssertionError(f"received {sock.recv(100)!r}")
            except OSError as error:
                code = error.errno
        same(errno.errorcode.get(code, code), "EPROTO", way)
        sock.close()


def server_sendfile(port):
    conn, _ = listen(port).accept()
    with tempfile.TemporaryFile() as file:
        file.write(DATA * 3)
        file.flush()
        at = 5
        while sent := os.sendfile(conn.fileno(), file.fileno(), at, 1 << 20):
            at += sent
        same(at, len(DATA) * 3, "bytes by sendfile with an offset")
        file.seek(100)
        sent = os.sendfile(conn.fileno(), file.fileno(), None, 1000)
        same(file.tell(), 100 + sent, "the file's own offset afterwards")
        conn.sendall(b"%d" % sent)
    conn.close()


def client_sendfile(port):
    got = read_all(dial(port))
    whole = DATA * 3
    same(got[:len(whole) - 5], whole[5:], "the file")
    rest = got[len(whole) - 5:]
    same(rest, whole[100:1100] + b"1000", "the second part")


def open_files():
    """How many files are open, once connections that were closed have ended: what TLS
    still has to say after close() keeps one for some milliseconds."""
    fewest = len(os.listdir("/proc/self/fd"))
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 0.5:
        time.sleep(0.01)
        count = len(os.listdir("/proc/self/fd"))
        if count < fewest:
            fewest, quiet_since = count, time.monotonic()
    return fewest


CONNECTIONS = 500


def server_many(port):
    listener = listen(port)
    before = None
    for number in range(CONNECTIONS + 1):
        conn, _ = listener.accept()
        same(read_all(conn), b"connection %d" % number, "request")
        conn.sendall(b"answer %d" % number)
        conn.close()
        # The first one may bring up what stays.
        before = before or open_files()
    same(open_files(), before, "open files after as many connections")


def client_many(port):
    before = None
    for number in range(CONNECTIONS + 1):
        sock = dial(port)
        sock.sendall(b"connection %d" % number)
        sock.shutdown(socket.SHUT_WR)
        same(read_all(sock), b"answer %d" % number, "answer")
        sock.close()
        before = before or open_files()
    same(open_files(), before, "open files after as many connections")


run(globals())
