#!/usr/bin/env python3
"""What the shim sends itself costs no segment of its own where the program sends at the same
moment: a client's last flight goes with what the program has written by then, close_notify
with the FIN.  The other end is OpenSSL over memory buffers, so that it is seen what one
recv() finds; FINs are seen by a packet socket."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
from harness import MARKER, Bed, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402


FIN = 1
ETHERTYPE_IP = 0x0800
SO_RCVBUFFORCE = 33  # whatever else passes meanwhile is to find room, too


class Tap:
    """The segments that come over the loopback interface, from a port to another."""

    def __init__(self):
        self.packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                     socket.htons(ETHERTYPE_IP))
        self.packets.bind(("lo", ETHERTYPE_IP))
        self.packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)

    def segments(self, source, destination):
        """[(has data, flags)] of those that have come since."""
        found = []
        while True:
            try:
                packet, address = self.packets.recvfrom(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            tcp = packet[(packet[0] & 15) * 4:]
            ports = struct.unpack("!HH", tcp[:4])
            if address[2] == socket.PACKET_HOST and ports == (source, destination):
                found.append((len(tcp) > (tcp[12] >> 4) * 4, tcp[13]))


class Peer(odd.Stepped):
    def __init__(self, conn, context, **how):
        super().__init__(conn, context, **how)
        self.tap = Tap()

    def check_end(self):
        """close_notify is the next that comes, and the FIN comes with it."""
        self.take()
        equal(self.read(), b"", "TLS's end of stream")
        equal(self.conn.recv(100), b"", "behind close_notify")
        found = self.tap.segments(self.conn.getpeername()[1], self.conn.getsockname()[1])
        equal({data for data, flags in found if flags & FIN}, {True}, "the FIN's segment")


@contextlib.contextmanager
def server_of(bed: Bed, maximum):
    """The server of a client that wrote before it was answered, with the client's flight
    there; then the rest of such a connection, and its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        bed.pair(port=listener.getsockname()[1], client_identity="min_version = 1.2\n")
        program = bed.start("client", bed.python("early.py", bed.port), bed.client_policy,
                            stdin=subprocess.PIPE)
        context = odd.server_context(bed.authority, bed.server_cert)
        context.maximum_version = maximum
        context.num_tickets = 0
        with listener.accept()[0] as conn:
            peer = Peer(conn, context, server_side=True)
            peer.take()
            wait_until(lambda: program.out == b"written\n", "the client's word")
            try:
                peer.tls.do_handshake()
            except ssl.SSLWantReadError:
                peer.flush()
            peer.take()
            yield peer
            peer.tls.write(b"good\n")
            peer.flush()
            wait_until(lambda: program.out == b"written\ngood\n", "the answer")
            program.process.stdin.close()
            peer.check_end()


def test_last_flight(bed):
    with server_of(bed, ssl.TLSVersion.TLSv1_3) as peer:
        peer.tls.do_handshake()
        equal(peer.read(), MARKER + b"\n", "what came with the last flight")


def test_last_flight_of_a_server(bed):
    """In TLS 1.2 it is the server's that is last: here the client's goes alone."""
    with server_of(bed, ssl.TLSVersion.TLSv1_2) as peer:
        peer.tls.do_handshake()
        equal(peer.read(), None, "what came with the client's flight")
        peer.flush()
        peer.take()
        equal(peer.read(), MARKER + b"\n", "what came after the server's")


def test_end_of_a_server(bed):
    bed.pair()
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    context = odd.client_context(bed.authority, bed.client_cert)
    with socket.create_connection(("127.0.0.1", bed.port), timeout=20) as conn:
        peer = Peer(conn, context, server_hostname="localhost")
        peer.handshake()
        peer.tls.write(MARKER + b"\n")
        peer.flush()
        got = None
        while got is None:
            peer.take()
            got = peer.read()
        equal(got, MARKER + b"\n", "the echo")
        peer.tls.write(b"QUIT\n")
        peer.flush()
        peer.check_end()


if __name__ == "__main__":
    main(globals(), needs_shim=True)
