"""OpenSSL between a plain end and a shimmed one: bytes, ends and errors are passed on."""

import contextlib
import selectors
import socket
import ssl
import struct
import threading

import procs

CHUNK = 1 << 16
QUEUE_MAX = 1 << 17


def _context(ground, is_server, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(ground.own.pem, ground.own.key)
    context.load_verify_locations(ground.authority.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    if not is_server:
        context.check_hostname = True
    wanted = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = wanted
    return context


class _Plain:
    """One end of a connection: feed() what came from its socket, output() what to send."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()  # for the other end
        self.to_send = bytearray()
        self.ended = False           # the peer sends no more
        self.end_wanted = self.end_sent = False
        self.end_written = False     # nothing is to come in front of the FIN any more

    def feed(self, data):
        self.received += data

    def feed_end(self):
        self.ended = True

    def write(self, data):
        self.to_send += data

    def write_end(self):
        self.end_written = True

    def step(self):
        pass


class _Tls(_Plain):
    def __init__(self, sock, context, is_server):
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server,
                                    server_hostname=None if is_server else "127.0.0.1")
        self.open = False
        self.waiting = bytearray()

    def feed(self, data):
        self.incoming.write(data)

    def feed_end(self):
        self.incoming.write_eof()

    def write(self, data):
        self.waiting += data

    def write_end(self):
        self.step()

    def step(self):
        """Goes on with whatever the bytes that have come make possible."""
        try:
            if not self.open:
                self.tls.do_handshake()
                self.open = True
            while self.waiting:
                del self.waiting[:self.tls.write(bytes(self.waiting[:16384]))]
            self._read()
            if self.end_wanted and not self.end_written:
                self.end_written = True
                self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        finally:
            self.to_send += self.outgoing.read()

    def _read(self):
        try:
            while not self.ended:
                data = self.tls.read(CHUNK)
                self.ended = not data
                self.received += data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True


class Bridge:
    """Accepts at self.port, dials the target; TLS on one of the two sides."""

    def __init__(self, context, target, tls_inside):
        self.context = context
        self.target = target
        self.tls_inside = tls_inside  # towards the one who dials us
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.wake = socket.socketpair()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        self.wake[0].close()
        self.thread.join(10)
        self.listener.close()
        self.wake[1].close()

    def _accept(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            selector.register(self.wake[1], selectors.EVENT_READ)
            while not any(key.fileobj is self.wake[1] for key, _ in selector.select()):
                near, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with near:
            try:
                far = socket.create_connection(self.target, 5)
            except OSError:
                _reset(near)
                return
            with far:
                try:
                    self._pass_on(near, far)
                except (OSError, ssl.SSLError):
                    _reset(near)
                    _reset(far)

    def _pass_on(self, near, far):
        if self.tls_inside:
            ends = [_Tls(near, self.context, True), _Plain(far)]
        else:
            ends = [_Plain(near), _Tls(far, self.context, False)]
        for end in ends:
            end.sock.setblocking(False)
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with selectors.DefaultSelector() as selector:
            while not all(end.ended and end.end_sent for end in ends):
                for end in ends:
                    self._move(end, ends[1] if end is ends[0] else ends[0])
                for end in ends:
                    self._watch(selector, end, ends[1] if end is ends[0] else ends[0])
                if not selector.get_map():
                    break
                for key, events in selector.select(30):
                    self._read_or_write(key.data, events)

    @staticmethod
    def _move(end, other):
        end.step()
        other.write(bytes(end.received))
        end.received.clear()
        other.step()
        if end.ended and not other.end_wanted:
            other.end_wanted = True
            other.write_end()
        with contextlib.suppress(BlockingIOError):
            while other.to_send:
                del other.to_send[:other.sock.send(other.to_send)]
        if other.end_written and not other.to_send and not other.end_sent:
            other.end_sent = True
            other.sock.shutdown(socket.SHUT_WR)

    @staticmethod
    def _watch(selector, end, other):
        events = 0
        if not end.ended and len(other.to_send) < QUEUE_MAX:
            events |= selectors.EVENT_READ
        if end.to_send:
            events |= selectors.EVENT_WRITE
        known = selector.get_map().get(end.sock.fileno())
        if known is not None:
            if known.events == events:
                return
            selector.unregister(end.sock)
        if events:
            selector.register(end.sock, events, end)

    @staticmethod
    def _read_or_write(end, events):
        if events & selectors.EVENT_READ:
            with contextlib.suppress(BlockingIOError):
                data = end.sock.recv(CHUNK)
                if data:
                    end.feed(data)
                else:
                    end.feed_end()


def _reset(sock):
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@contextlib.contextmanager
def between(ground, ends, version):
    """Yields (port to listen at, port to dial), or None where no bridge is needed."""
    if len(ends) != 1:
        yield None
        return
    port = procs.free_port()
    is_server = ends == "C"
    bridge = Bridge(_context(ground, is_server, version), ("127.0.0.1", port), is_server)
    try:
        yield port, bridge.port
    finally:
        bridge.close()
