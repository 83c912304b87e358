"""The other end of a refusal: TLS peers with the wrong papers, and ones that are no TLS.

Written with Python's ssl module, so that nothing here shares code with the shim.
"""

import socket
import ssl
import struct
import threading

APPLICATION_DATA = b"MTLS-TEST-MARKER of a peer that must not be heard\n"


def client_context(authority, certificate=None, maximum=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.pem)
    if certificate:
        context.load_cert_chain(certificate.chain, certificate.key)
    if maximum:
        context.maximum_version = maximum
    return context


def server_context(authority, certificate, maximum=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.load_verify_locations(authority.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    if maximum:
        context.maximum_version = maximum
    return context


def alert_of(error):
    """The alert in an ssl error's words, "ALERT_UNKNOWN_CA" as "unknown_ca"; or its kind."""
    reason = getattr(error, "reason", None) or ""
    if "ALERT_" in reason:
        return reason.split("ALERT_")[1].lower()
    return type(error).__name__


class Answer:
    """How the peer fared: alert (None when there was none), data that it was sent."""

    def __init__(self):
        self.alert = None
        self.data = b""

    def talk(self, conn):
        """Sends, then reads to the end."""
        conn.sendall(APPLICATION_DATA)
        while chunk := conn.recv(4096):
            self.data += chunk


def dial(port, context):
    """A TLS client that sends application data as soon as it may."""
    answer = Answer()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as conn:
                answer.talk(conn)
    except OSError as error:
        answer.alert = alert_of(error)
    return answer


def ask(port, context, text=b"hello"):
    """A good client: returns what an echo server sends back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as conn:
            conn.sendall(text)
            got = b""
            while len(got) < len(text):
                chunk = conn.recv(4096)
                if not chunk:
                    break
                got += chunk
            conn.unwrap()
            return got


class Stepped:
    """One end of a TLS connection, whose bytes the test moves itself."""

    def __init__(self, conn, context, **how):
        self.conn = conn
        conn.settimeout(20)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, **how)

    def flush(self):
        self.conn.sendall(self.goes.read())

    def take(self):
        """What one recv() finds."""
        self.came.write(self.conn.recv(65536))

    def handshake(self):
        """Until this end is done: what it says last is in goes."""
        while True:
            try:
                self.tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self.flush()
                self.take()

    def read(self):
        """The application data in it: b"" after close_notify, None without any."""
        try:
            return self.tls.read(4096)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    def end(self):
        """Says close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def client_hello(authority):
    """A ClientHello's bytes, to be sent in part."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Server:
    """Serves one connection after the other with a function of (socket, Answer)."""

    def __init__(self, behave):
        self.answers = []
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            conn.settimeout(10)
            answer = Answer()
            try:
                self._behave(conn, answer)
            except OSError as error:
                answer.alert = alert_of(error)
            finally:
                conn.close()
                self.answers.append(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(15)


def tls_server(context):
    """One that does the handshake, and then talks."""
    def behave(conn, answer):
        with context.wrap_socket(conn, server_side=True) as tls:
            answer.talk(tls)
    return Server(behave)


def raw_server(behave):
    """One that is no TLS: behave gets the socket after the ClientHello has come."""
    def serve(conn, answer):
        if not conn.recv(65536).startswith(b"\x16\x03"):
            answer.data = b"no ClientHello"
        behave(conn)
    return Server(serve)
