"""OCSP responders: `openssl ocsp` as it is, and one that answers whatever a test wants it to.

The latter writes its answers in DER by itself (RFC 6960, section 4.2.1), so that there is
none that it could not give.
"""

import datetime
import http.server
import os
import shutil
import subprocess
import threading

import procs

OPENSSL = shutil.which("openssl") or "openssl"
SEQUENCE, INTEGER, OCTETS, OID, ENUMERATED, TIME = 0x30, 0x02, 0x04, 0x06, 0x0A, 0x18
NONCE = bytes.fromhex("2b0601050507300102")
BASIC = bytes.fromhex("2b0601050507300101")
ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")


# ---- DER ------------------------------------------------------------------------------


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def elements(data):
    """The elements of a list: (tag, content, whole) each."""
    out = []
    while data:
        header, size = 2, data[1]
        if size & 0x80:
            header += size & 0x7F
            size = int.from_bytes(data[2:header], "big")
        out.append((data[0], data[header:header + size], data[:header + size]))
        data = data[header + size:]
    return out


def der_of(certificate):
    done = subprocess.run([OPENSSL, "x509", "-in", certificate.pem, "-outform", "DER"],
                          check=True, timeout=30, capture_output=True)
    return done.stdout


def subject_of(certificate):
    """The subject's Name."""
    tbs = elements(elements(elements(der_of(certificate))[0][1])[0][1])
    return tbs[5][2]  # version, serial, algorithm, issuer, validity, subject


def time_of(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return tlv(TIME, when.strftime("%Y%m%d%H%M%SZ").encode())


class Request:
    """What an OCSPRequest asks for."""

    def __init__(self, der):
        tbs = elements(elements(elements(der)[0][1])[0][1])
        requests = [content for tag, content, _ in tbs if tag == SEQUENCE][0]
        self.cert_id = elements(elements(requests)[0][1])[0][2]
        self.nonce = None
        for tag, content, _ in tbs:
            if tag == 0xA2:
                for _, extension, _ in elements(elements(content)[0][1]):
                    parts = elements(extension)
                    if parts[0][1] == NONCE:
                        self.nonce = parts[-1][1]


STATUS = {"good": b"\x80\x00", "unknown": b"\x82\x00"}


def answer(request, signer, status="good", this=-5, until=3600, nonce="echo", certs=(),
           cert_id=None, break_signature=False, also=()):
    """An OCSPResponse.

    signer: a Certificate with its key. this, until: seconds from now (None: no nextUpdate).
    nonce: echo, none or wrong. certs: Certificates that go along. cert_id: of another
    certificate. also: more (cert_id, status) that come first.
    """
    def single(about, state):
        found = STATUS.get(state) or tlv(0xA1, time_of(-3600))
        return tlv(SEQUENCE, about, found, time_of(this),
                   tlv(0xA0, time_of(until)) if until is not None else b"")

    value = {"echo": request.nonce, "none": None,
             "wrong": tlv(OCTETS, b"somebody else's")}[nonce]
    extension = b"" if value is None else tlv(
        0xA1, tlv(SEQUENCE, tlv(SEQUENCE, tlv(OID, NONCE), tlv(OCTETS, value))))
    data = tlv(SEQUENCE, tlv(0xA1, subject_of(signer)), time_of(this),
               tlv(SEQUENCE, *[single(*one) for one in also],
                   single(cert_id or request.cert_id, status)), extension)
    done = subprocess.run([OPENSSL, "dgst", "-sha256", "-sign", signer.key], input=data,
                          check=True, timeout=30, capture_output=True)
    signature = done.stdout
    if break_signature:
        data = data[:-1] + bytes([data[-1] ^ 1])
    basic = tlv(SEQUENCE, data, tlv(SEQUENCE, tlv(OID, ECDSA_SHA256)),
                tlv(0x03, b"\0", signature),
                tlv(0xA0, tlv(SEQUENCE, *map(der_of, certs))) if certs else b"")
    return tlv(SEQUENCE, tlv(ENUMERATED, b"\0"),
               tlv(0xA0, tlv(SEQUENCE, tlv(OID, BASIC), tlv(OCTETS, basic))))


def refusal(status):
    """An OCSPResponse without an answer: 3 is tryLater, 6 unauthorized."""
    return tlv(SEQUENCE, tlv(ENUMERATED, bytes([status])))


# ---- responders -------------------------------------------------------------------------


class Responder:
    """Answers over HTTP with what a function of (request's DER) returns: bytes, or a
    function that is called with the handler and does it all by itself."""

    def __init__(self, behave):
        self.requests = []
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection."""
            def do_POST(self):  # pylint: disable=invalid-name
                """The only way of asking."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                responder.requests.append((self.path, body))
                what = behave(body)
                if callable(what):
                    what(self)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/ocsp-response")
                self.send_header("Content-Length", str(len(what)))
                self.end_headers()
                try:
                    self.wfile.write(what)
                except OSError:
                    pass  # who has asked is gone

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Nothing is to be said."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/ocsp"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def index_line(certificate, revoked):
    """A line of the index that openssl's own CA keeps."""
    done = subprocess.run([OPENSSL, "x509", "-in", certificate.pem, "-noout", "-serial",
                           "-subject", "-nameopt", "compat"], check=True, timeout=30,
                          capture_output=True, text=True)
    serial = done.stdout.splitlines()[0].split("=")[1]
    state = "R\t390101000000Z\t260101000000Z" if revoked else "V\t390101000000Z\t"
    return f"{state}\t{serial}\tunknown\t/CN={certificate.name}\n"


class OpensslResponder:
    """`openssl ocsp`, which knows some certificates of one CA."""

    def __init__(self, bed, issuer, good=(), revoked=(), signer=None):
        signer = signer or issuer
        self.port = procs.free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        index = bed.write(f"index-{self.port}", "".join(
            [index_line(one, False) for one in good]
            + [index_line(one, True) for one in revoked]))
        bed.write(f"index-{self.port}.attr", "unique_subject = no\n")
        bed.start(
            f"ocsp-{self.port}",
            [OPENSSL, "ocsp", "-index", index, "-port", self.port, "-rsigner", signer.pem,
             "-rkey", signer.key, "-CA", issuer.pem, "-ndays", "1", "-ignore_err"],
            env={"PATH": os.environ["PATH"]}).listens(self.port)

