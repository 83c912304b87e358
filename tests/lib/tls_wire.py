#!/usr/bin/env python3
"""A strict reader of recorded TLS connections: it fails on anything that is not TLS.

As a command:  tls_wire.py [--marker TEXT]... CLIENT_FILE SERVER_FILE
"""

import argparse
import sys

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
TYPES = {CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION}
RECORD_MAX = (1 << 14) + 256

SUITES = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    0xC02F: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}


class WireError(AssertionError):
    """The recording holds something that TLS would not have put there."""


class Wire:
    """What the check of one connection found."""

    def __init__(self):
        self.version = None  # "1.3" or "1.2"
        self.suite = None    # IANA name
        self.client_records = []
        self.server_records = []

    @property
    def has_data(self):
        return any(r[0] == APPLICATION for r in self.client_records + self.server_records)


def read_records(data, who, allow_cut=False):
    """Takes a stream apart into (type, payload); WireError unless it is whole records."""
    records = []
    data = bytes(data)
    at = 0
    while at < len(data):
        if len(data) - at < 5:
            # A stream that a kill or a reset cut off may end anywhere.
            if allow_cut and data[at] in TYPES:
                return records
            raise WireError(f"{who}: {len(data) - at} stray bytes at the end")
        kind, version = data[at], data[at + 1:at + 3]
        length = int.from_bytes(data[at + 3:at + 5], "big")
        if kind not in TYPES:
            raise WireError(f"{who}: no TLS record at byte {at}: {data[at:at + 16]!r}")
        if version not in (b"\x03\x01", b"\x03\x03"):
            raise WireError(f"{who}: record version {version.hex()} at byte {at}")
        if length == 0 or length > RECORD_MAX:
            raise WireError(f"{who}: record of {length} bytes at byte {at}")
        payload = data[at + 5:at + 5 + length]
        if len(payload) < length:
            if allow_cut:
                return records
            raise WireError(f"{who}: the last record lacks {length - len(payload)} bytes")
        records.append((kind, payload))
        at += 5 + length
    return records


def hello_messages(records, who, until, allow_cut=False):
    """The plaintext handshake messages before the first record of a type in until."""
    joined = b""
    for kind, payload in records:
        if kind in until:
            break
        if kind == HANDSHAKE:
            joined += payload
    messages = []
    while len(joined) >= 4:
        length = int.from_bytes(joined[1:4], "big")
        if len(joined) < 4 + length:
            break
        messages.append((joined[0], joined[4:4 + length]))
        joined = joined[4 + length:]
    if joined and not allow_cut:
        raise WireError(f"{who}: {len(joined)} bytes of an unfinished handshake message")
    return messages


def read_server_hello(body):
    """(version, suite) of a ServerHello or a HelloRetryRequest."""
    if len(body) < 38 or body[:2] != b"\x03\x03":
        raise WireError(f"server: bad ServerHello {body[:8].hex()}")
    at = 35 + body[34]
    suite = int.from_bytes(body[at:at + 2], "big")
    extensions = body[at + 5:]
    version = "1.2"
    while len(extensions) >= 4:
        kind = int.from_bytes(extensions[:2], "big")
        length = int.from_bytes(extensions[2:4], "big")
        if kind == 43 and extensions[4:4 + length] == b"\x03\x04":
            version = "1.3"
        extensions = extensions[4 + length:]
    if suite not in SUITES:
        raise WireError(f"server: chose cipher suite {suite:04x}")
    return version, SUITES[suite]


def check_phases(records, who, version):
    """After the hello and the change of ciphers only protected records may come."""
    protected = False
    for number, (kind, payload) in enumerate(records):
        if kind == APPLICATION:
            protected = True
            if len(payload) < 17:
                raise WireError(f"{who}: record {number} is too short to be protected")
        elif version == "1.3":
            if protected and kind != CHANGE_CIPHER_SPEC:
                raise WireError(f"{who}: type {kind} in clear after protected records")
            if kind == CHANGE_CIPHER_SPEC and payload != b"\x01":
                raise WireError(f"{who}: change_cipher_spec of {payload[:16]!r}")
        elif kind == CHANGE_CIPHER_SPEC:
            protected = True
        elif protected and len(payload) < 16:
            raise WireError(f"{who}: record {number} is too short to be protected")
        if version == "1.2" and kind == APPLICATION and not any(
                k == CHANGE_CIPHER_SPEC for k, _ in records[:number]):
            raise WireError(f"{who}: application data before change_cipher_spec")


def check_connection(client, server, markers=(), allow_cut=False):
    """Checks both directions of one connection.

    Returns a Wire, or None for a connection on which nothing was ever sent.
    """
    for marker in markers:
        for who, stream in (("client", client), ("server", server)):
            if marker in stream:
                raise WireError(f"{who}: {marker!r} passed in clear")
    wire = Wire()
    wire.client_records = read_records(client, "client", allow_cut)
    wire.server_records = read_records(server, "server", allow_cut)
    if not wire.client_records and not wire.server_records:
        return None
    clear = {CHANGE_CIPHER_SPEC, APPLICATION}
    hellos = hello_messages(wire.client_records, "client", clear, allow_cut)
    if not hellos or hellos[0][0] != 1:
        raise WireError("client: does not begin with a ClientHello")
    answers = hello_messages(wire.server_records, "server", clear, allow_cut)
    if not answers:
        check_unanswered(wire, allow_cut)
        return wire
    if answers[0][0] != 2:
        raise WireError("server: does not begin with a ServerHello")
    wire.version, wire.suite = read_server_hello(answers[0][1])
    for who, records, hello in (("client", wire.client_records, 1),
                                ("server", wire.server_records, 2)):
        check_phases(records, who, wire.version)
        if wire.version == "1.3":
            # Once more over the change_cipher_spec, which a HelloRetryRequest puts early.
            for kind, _ in hello_messages(records, who, {APPLICATION}, allow_cut):
                if kind != hello:
                    raise WireError(f"{who}: handshake message {kind} in clear")
    return wire


def check_unanswered(wire, allow_cut):
    """A ClientHello without a ServerHello: a refusal by alert, or cut off."""
    if not wire.server_records and not allow_cut:
        raise WireError("server: never answered the ClientHello")
    for who, records, kinds in (("client", wire.client_records, {HANDSHAKE, ALERT}),
                                ("server", wire.server_records, {ALERT})):
        for kind, payload in records:
            if kind not in kinds or (kind == ALERT and len(payload) != 2):
                raise WireError(f"{who}: type {kind} without a ServerHello")


def main():
    parser = argparse.ArgumentParser(description="check a recorded connection")
    parser.add_argument("--marker", action="append", default=[])
    parser.add_argument("client")
    parser.add_argument("server")
    options = parser.parse_args()
    with open(options.client, "rb") as client, open(options.server, "rb") as server:
        try:
            wire = check_connection(client.read(), server.read(),
                                    [m.encode() for m in options.marker])
        except WireError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"TLS {wire.version} {wire.suite}" if wire else "nothing was sent")
    return 0


if __name__ == "__main__":
    sys.exit(main())
