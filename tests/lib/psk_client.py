"""A hand-made client of TLS 1.3 (RFC 8446) that resumes, and may list in its ClientHello
what no honest one would: any tickets, with any binders.

It goes on with a session of TLS_CHACHA20_POLY1305_SHA256 by way of X25519, and shows no
certificate. It lists other suites, too, so that servers look through the tickets again for
each suite.
"""

import base64
import copy
import hashlib
import hmac
import os
import socket
import struct
import time

SUITES = (0x1301, 0x1302, 0x1303)
GROUP = 0x001D
HASH_LEN = 32
KEY_SHARE, VERSIONS, PSK, MODES = 51, 43, 41, 45
GROUPS, SCHEMES, COOKIE = 10, 13, 44
CLIENT_HELLO, SERVER_HELLO, FINISHED, MESSAGE_HASH = 1, 2, 20, 254
RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


# ---- cryptography --------------------------------------------------------------------------


def x25519(scalar, point=9):
    """RFC 7748 section 5."""
    p = 2 ** 255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2 ** 255 - 1) | 2 ** 254
    x2, z2, x3, z3, swap = 1, 0, point, 1, 0
    for i in reversed(range(255)):
        bit = k >> i & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a % p, c * b % p
        x3, z3 = (da + cb) ** 2 % p, point * (da - cb) ** 2 % p
        aa, bb = a * a % p, b * b % p
        e = aa - bb
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def _chacha_block(key, counter, nonce):
    def add_rotate(a, b, d, bits):
        state[a] = state[a] + state[b] & 0xFFFFFFFF
        x = state[d] ^ state[a]
        state[d] = (x << bits | x >> (32 - bits)) & 0xFFFFFFFF

    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    state = list(start)
    columns = [(i, i + 4, i + 8, i + 12) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for a, b, c, d in (columns + diagonals) * 10:
        add_rotate(a, b, d, 16)
        add_rotate(c, d, b, 12)
        add_rotate(a, b, d, 8)
        add_rotate(c, d, b, 7)
    return struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(state, start)))


def _crypt(key, nonce, data):
    stream = b"".join(_chacha_block(key, 1 + i, nonce) for i in range(len(data) // 64 + 1))
    return bytes(x ^ y for x, y in zip(data, stream))


def _tag(key, nonce, header, data):
    """RFC 8439 section 2.8."""
    def pad(part):
        return part + bytes(-len(part) % 16)

    once = _chacha_block(key, 0, nonce)[:32]
    r = int.from_bytes(once[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    text = pad(header) + pad(data) + struct.pack("<QQ", len(header), len(data))
    total = 0
    for i in range(0, len(text), 16):
        total = (total + int.from_bytes(text[i:i + 16] + b"\1", "little")) * r % (2 ** 130 - 5)
    total += int.from_bytes(once[16:], "little")
    return (total & (2 ** 128 - 1)).to_bytes(16, "little")


def _mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def _expand(secret, label, context, length=HASH_LEN):
    """HKDF-Expand-Label (section 7.1); one round of HMAC is enough."""
    full = b"tls13 " + label
    info = struct.pack(">HB", length, len(full)) + full + bytes([len(context)]) + context
    return _mac(secret, info + b"\1")[:length]


def _derive(secret, label, transcript):
    return _expand(secret, label, hashlib.sha256(transcript).digest())


class _Keys:
    """One direction of the record layer."""

    def __init__(self, secret):
        self.key = _expand(secret, b"key", b"", 32)
        self.iv = int.from_bytes(_expand(secret, b"iv", b"", 12), "big")
        self.number = 0

    def _nonce(self):
        nonce = (self.iv ^ self.number).to_bytes(12, "big")
        self.number += 1
        return nonce

    def seal(self, kind, data):
        nonce, text = self._nonce(), data + bytes([kind])
        header = struct.pack(">BHH", 23, 0x0303, len(text) + 16)
        sealed = _crypt(self.key, nonce, text)
        return header + sealed + _tag(self.key, nonce, header, sealed)

    def open(self, header, data):
        nonce = self._nonce()
        if _tag(self.key, nonce, header, data[:-16]) != data[-16:]:
            raise AssertionError("a record that does not open")
        text = _crypt(self.key, nonce, data[:-16]).rstrip(b"\0")
        return text[-1], text[:-1]


# ---- tickets -------------------------------------------------------------------------------


def _der(data):
    """The elements of a DER sequence's content: (tag, content)."""
    while data:
        tag, length, at = data[0], data[1], 2
        if length > 127:
            at += length - 128
            length = int.from_bytes(data[2:at], "big")
        yield tag, data[at:at + length]
        data = data[at + length:]


class Ticket:
    """What a client has of a session, from a file of `openssl s_client -sess_out`."""

    def __init__(self, path):
        self.taken = time.time()
        with open(path, encoding="ascii") as pem:
            der = base64.b64decode("".join(pem.read().splitlines()[1:-1]))
        fields = list(_der(next(_der(der))[1]))
        tagged = {tag - 0xA0: next(_der(data))[1] for tag, data in fields if tag >= 0xA0}
        self.secret = fields[4][1]  # for TLS 1.3 it is the PSK itself
        self.identity = tagged[10]
        self.age_add = int.from_bytes(tagged[14], "big")

    def stolen(self, secret):
        """As somebody else has it who saw it pass: without its secret, with another one."""
        seen = copy.copy(self)
        seen.secret = secret
        return seen

    def age(self):
        return (int((time.time() - self.taken) * 1000) + self.age_add) % 2 ** 32

    def early_secret(self):
        return _mac(bytes(HASH_LEN), self.secret)

    def binder(self, transcript):
        key = _expand(_derive(self.early_secret(), b"res binder", b""), b"finished", b"")
        return _mac(key, hashlib.sha256(transcript).digest())


# ---- the handshake -------------------------------------------------------------------------


def _vector(data, size=2):
    return len(data).to_bytes(size, "big") + data


class Refused(Exception):
    """The server has ended it: with an alert's number, or None."""

    def __init__(self, alert):
        super().__init__(f"alert {alert}")
        self.alert = alert


class Client:
    """A connection; selected is the number of the ticket that the server has chosen.

    tickets: what the ClientHello lists, in this order.
    first: the tickets of one before it, which the server asks to be sent again.
    """

    def __init__(self, port, tickets, first=None):
        self.selected = None
        self._raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._raw.makefile("rb")
        self._private, self._random = os.urandom(32), os.urandom(32)
        self._session_id = os.urandom(32)
        self._transcript = b""
        self._read = self._write = None
        self._left = b""  # of handshake messages
        cookie = b""
        if first:
            self._send_hello(first)
            digest = hashlib.sha256(self._transcript).digest()
            self._transcript = bytes([MESSAGE_HASH, 0, 0, HASH_LEN]) + digest
            cookie = self._server_hello(want_retry=True).get(COOKIE, b"")
        self._send_hello(tickets, cookie, share=True)
        extensions = self._server_hello()
        if PSK in extensions:
            self.selected = int.from_bytes(extensions[PSK], "big")
            self._finish(tickets[self.selected], extensions[KEY_SHARE][4:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._raw.close()

    def _send_hello(self, tickets, cookie=b"", share=False):
        public = x25519(self._private)
        shares = struct.pack(">H", GROUP) + _vector(public) if share else b""
        extensions = [(VERSIONS, _vector(b"\3\4", 1)),
                      (GROUPS, _vector(struct.pack(">H", GROUP))),
                      (SCHEMES, _vector(b"\4\3\10\4\10\7")),
                      (MODES, b"\1\1"),
                      (KEY_SHARE, _vector(shares))]
        if cookie:
            extensions.append((COOKIE, cookie))
        identities = _vector(b"".join(_vector(ticket.identity) + struct.pack(">I", ticket.age())
                                      for ticket in tickets))
        binders_len = 2 + (1 + HASH_LEN) * len(tickets)
        before = b"".join(struct.pack(">H", kind) + _vector(data) for kind, data in extensions)
        before += struct.pack(">HH", PSK, len(identities) + binders_len) + identities
        body = (b"\3\3" + self._random + _vector(self._session_id, 1)
                + _vector(struct.pack(">3H", *SUITES)) + b"\1\0"
                + struct.pack(">H", len(before) + binders_len) + before)
        hello = bytes([CLIENT_HELLO]) + (len(body) + binders_len).to_bytes(3, "big") + body
        binders = b"".join(_vector(ticket.binder(self._transcript + hello), 1)
                           for ticket in tickets)
        hello += _vector(binders)
        self._transcript += hello
        version = b"\3\3" if len(self._transcript) > len(hello) else b"\3\1"
        self._raw.sendall(b"\x16" + version + _vector(hello))

    def _record(self):
        while True:
            header = self._file.read(5)
            if len(header) < 5:
                raise Refused(None)
            kind, data = header[0], self._file.read(int.from_bytes(header[3:], "big"))
            if kind == 20:
                continue
            if self._read:
                kind, data = self._read.open(header, data)
            if kind == 21:
                raise Refused(data[1])
            return kind, data

    def _message(self):
        while len(self._left) < 4 or len(self._left) < 4 + int.from_bytes(self._left[1:4], "big"):
            self._left += self._record()[1]
        end = 4 + int.from_bytes(self._left[1:4], "big")
        message, self._left = self._left[:end], self._left[end:]
        return message

    def _server_hello(self, want_retry=False):
        """Returns its extensions."""
        message = self._message()
        if (message[0], message[6:38] == RETRY_RANDOM) != (SERVER_HELLO, want_retry):
            raise AssertionError(f"message {message[0]}, retry wanted: {want_retry}")
        self._transcript += message
        at = 39 + message[38] + 3 + 2
        extensions = {}
        while at < len(message):
            kind, length = struct.unpack(">HH", message[at:at + 4])
            extensions[kind] = message[at + 4:at + 4 + length]
            at += 4 + length
        return extensions

    def _finish(self, ticket, share):
        shared = x25519(self._private, int.from_bytes(share, "little"))
        secret = _mac(_derive(ticket.early_secret(), b"derived", b""), shared)
        server = _derive(secret, b"s hs traffic", self._transcript)
        client = _derive(secret, b"c hs traffic", self._transcript)
        self._read = _Keys(server)
        while True:
            message = self._message()
            if message[0] == FINISHED:
                break
            self._transcript += message
        verify = _mac(_expand(server, b"finished", b""),
                      hashlib.sha256(self._transcript).digest())
        if message[4:] != verify:
            raise AssertionError("the server's Finished is wrong")
        self._transcript += message
        verify = _mac(_expand(client, b"finished", b""),
                      hashlib.sha256(self._transcript).digest())
        self._raw.sendall(_Keys(client).seal(22, bytes([FINISHED]) + _vector(verify, 3)))
        main = _mac(_derive(secret, b"derived", b""), bytes(HASH_LEN))
        self._read = _Keys(_derive(main, b"s ap traffic", self._transcript))
        self._write = _Keys(_derive(main, b"c ap traffic", self._transcript))

    def ask(self, text):
        """Sends application data; returns the first that comes back."""
        self._raw.sendall(self._write.seal(23, text))
        while True:
            kind, data = self._record()
            if kind == 23:
                return data
