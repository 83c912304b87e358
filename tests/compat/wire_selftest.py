#!/usr/bin/env python3
"""The tests' own instruments: the wire check fails on what is no TLS, the relay relays."""

import os
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tls_wire  # noqa: E402
from harness import MARKER, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402
from relay import Relay  # noqa: E402


def record_tls(bed, version, data=payload(50_000)):
    """A real connection by OpenSSL (Python's ssl), recorded: (client, server) bytes."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(bed.server_cert.pem, bed.server_cert.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(bed.authority.pem)
    server.minimum_version = client.maximum_version = version
    if version == ssl.TLSVersion.TLSv1_2:
        server.maximum_version = version
    got = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = bed.open_relay(listener.getsockname()[1])

        def serve():
            raw, _ = listener.accept()
            with server.wrap_socket(raw, server_side=True) as conn:
                while chunk := conn.recv(65536):
                    got.append(chunk)
                conn.unwrap()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        raw = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
        with client.wrap_socket(raw, server_hostname="localhost") as conn:
            conn.sendall(data)
            conn.unwrap()
        thread.join(10)
    equal(b"".join(got), data, "what the TLS server got")
    recording = relay.recordings[0]
    wait_until(lambda: recording.done, "the relay to finish")
    return bytes(recording.client), bytes(recording.server)


def must_fail(client, server, word, markers=(), **how):
    try:
        tls_wire.check_connection(client, server, markers, **how)
    except tls_wire.WireError as error:
        if word not in str(error):
            raise AssertionError(f"failed for another reason: {error}") from None
        return
    raise AssertionError(f"passed the wire check, should have said {word!r}")


def check_tampered(client, server):
    must_fail(b"GET / HTTP/1.0\r\n\r\n", b"", "no TLS record")
    must_fail(client, b"hello, world", "no TLS record")
    must_fail(client + b"x", server, "stray")
    must_fail(client + b"plain text", server, "no TLS record")
    must_fail(client[:-1], server, "lacks")
    must_fail(client, b"", "never answered")
    must_fail(server, client, "ClientHello")
    must_fail(client + b"\x17\x03\x03\x00\x05hello", server, "too short")
    must_fail(client + b"\x17\x03\x04" + client[:2], server, "record version")
    must_fail(client + b"\x17\x03\x03\x50\x00" + bytes(0x5000), server, "record of")
    hidden = b"\x17\x03\x03" + struct.pack(">H", 40) + MARKER + bytes(40 - len(MARKER))
    must_fail(client + hidden, server, "in clear", [MARKER])
    must_fail(client, server + hidden, "in clear", [MARKER])
    # What a kill cuts off is excused only where the test says so.
    tls_wire.check_connection(client[:-1], server, allow_cut=True)
    must_fail(client + b"hello there", server, "no TLS record", allow_cut=True)


def test_wire_tls13(bed):
    client, server = record_tls(bed, ssl.TLSVersion.TLSv1_3)
    wire = tls_wire.check_connection(client, server, [MARKER])
    equal(wire.version, "1.3", "version")
    equal(wire.suite, "TLS_AES_256_GCM_SHA384", "suite")
    check_tampered(client, server)
    must_fail(client + b"\x15\x03\x03\x00\x02\x01\x00", server, "in clear after")
    # A server that sends its certificate in clear, as TLS 1.2 would.
    length = 5 + int.from_bytes(server[3:5], "big")
    clear = b"\x16\x03\x03\x00\x08\x0b\x00\x00\x04abcd"
    must_fail(client, server[:length] + clear + server[length:], "handshake message 11")


def test_wire_tls12(bed):
    client, server = record_tls(bed, ssl.TLSVersion.TLSv1_2)
    wire = tls_wire.check_connection(client, server, [MARKER])
    equal(wire.version, "1.2", "version")
    equal(wire.suite, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "suite")
    check_tampered(client, server)
    length = 5 + int.from_bytes(client[3:5], "big")
    early = b"\x17\x03\x03\x00\x20" + bytes(32)
    must_fail(client[:length] + early + client[length:], server, "before change_cipher_spec")


def test_wire_refused_by_alert(bed):
    client, _ = record_tls(bed, ssl.TLSVersion.TLSv1_3, b"x")
    hello = client[:5 + int.from_bytes(client[3:5], "big")]
    alert = b"\x15\x03\x03\x00\x02\x02\x46"
    equal(tls_wire.check_connection(hello, alert).version, None, "version")
    must_fail(hello, b"\x17\x03\x03\x00\x20" + bytes(32), "without a ServerHello")
    equal(tls_wire.check_connection(b"", b""), None, "an empty connection")


def dial(relay):
    return socket.create_connection(("127.0.0.1", relay.port), timeout=10)


def relayed(bed, listener):
    """A relay, and a connection through it: (relay, client socket, server socket)."""
    relay = bed.open_relay(listener.getsockname()[1])
    client = dial(relay)
    server, _ = listener.accept()
    server.settimeout(10)
    return relay, client, server


def test_relay_half_close(bed):
    data = payload(3_000_000)
    for first in (0, 1):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            relay, *ends = relayed(bed, listener)
            one, other = ends[first], ends[1 - first]
            with one, other:
                sender = threading.Thread(
                    target=lambda: (one.sendall(data), one.shutdown(socket.SHUT_WR)))
                sender.start()
                got = other.makefile("rb").read()
                sender.join(10)
                equal(got == data, True, "bytes before the FIN")
                other.sendall(b"after the FIN")
                equal(one.recv(100), b"after the FIN", "the other direction")
                other.close()
                equal(one.recv(100), b"", "the second FIN")
            wait_until(lambda: relay.recordings[0].done, "the end")
            equal(relay.recordings[0].reset, False, "reset")
            recorded = relay.recordings[0].client if first == 0 else relay.recordings[0].server
            equal(bytes(recorded) == data, True, "the recording")


def test_relay_reset(bed):
    for first in (0, 1):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            relay, *ends = relayed(bed, listener)
            one, other = ends[first], ends[1 - first]
            one.sendall(b"before")
            equal(other.recv(100), b"before", "bytes before the reset")
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            try:
                raise AssertionError(f"no reset but {other.recv(100)}")
            except ConnectionResetError:
                pass
            other.close()
            equal(relay.recordings[0].reset, True, "reset")


def test_relay_refused(bed):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    relay = bed.open_relay(port)
    try:  # it may come before connect() has looked
        with dial(relay) as client:
            raise AssertionError(f"no reset but {client.recv(100)}")
    except ConnectionResetError:
        pass


def test_relay_command(bed):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = bed.start("relay", [
            sys.executable, sys.modules["relay"].__file__, "--dir", bed.path("rec"),
            f"127.0.0.1:{port}"])
        command.says("\n")
        with socket.create_connection(("127.0.0.1", int(command.out)), timeout=10) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"to the server")
                server.sendall(b"to the client")
                equal(client.recv(100), b"to the client", "the client got")
                equal(server.recv(100), b"to the server", "the server got")
        command.process.terminate()
        command.ok()
    for side, want in (("client", b"to the server"), ("server", b"to the client")):
        with open(bed.path(f"rec/0.{side}"), "rb") as file:
            equal(file.read(), want, side)


def test_cut(bed):
    for how, want in (("fin", b""), ("reset", ConnectionResetError)):
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                Relay(listener.getsockname()) as relay, dial(relay) as client:
            server, _ = listener.accept()
            with server:
                relay.cut(how)
                try:
                    got = client.recv(100)
                except ConnectionResetError:
                    got = ConnectionResetError
                equal(got, want, how)


if __name__ == "__main__":
    main(globals())
