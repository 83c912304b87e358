"""GnuTLS as the other end of a connection, by way of ctypes: Python's ssl is OpenSSL."""

import ctypes
import ctypes.util

DER, PEM = 0, 1
X509 = 1
SERVER, CLIENT, NO_SIGNAL = 1, 2, 1 << 6
CRD_CERTIFICATE = 1
REQUIRE = 2
SKIP_KEY_CERT_MATCH = 1
SHUT_WR = 1
FATAL_ALERT, WARNING_ALERT, PREMATURE_END = -12, -16, -110
NO_CERTIFICATE_FOUND = -49  # what a server makes of an alert where a certificate was due

ALERTS = {10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
          40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate",
          44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
          47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
          51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
          80: "internal_error", 109: "missing_extension", 116: "certificate_required"}


class Failure(OSError):
    """A call to GnuTLS failed; alert is the peer's, if that was the reason."""

    def __init__(self, code, alert=None):
        super().__init__(f"GnuTLS: {code}" + (f", alert {alert}" if alert else ""))
        self.code = code
        self.alert = alert


def _load():
    name = ctypes.util.find_library("gnutls") or "libgnutls.so.30"
    lib = ctypes.CDLL(name)
    lib.gnutls_record_send.restype = lib.gnutls_record_recv.restype = ctypes.c_ssize_t
    lib.gnutls_transport_set_int2.restype = None
    return lib


LIB = _load()


def _check(code, what):
    if code < 0:
        raise RuntimeError(f"{what}: GnuTLS error {code}")


class Datum(ctypes.Structure):
    """gnutls_datum_t; keeps its bytes alive."""
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_uint)]

    def __init__(self, data):
        super().__init__(data, len(data))
        self.kept = data


class Pcert(ctypes.Structure):
    """gnutls_pcert_st: filled in by hand, since GnuTLS reads no odd certificate."""
    _fields_ = [("pubkey", ctypes.c_void_p), ("cert", Datum), ("type", ctypes.c_int)]


def _set_own(credentials, chain, key, public_key):
    """Has credentials show these certificates, DER, whatever is in them."""
    secret, public = ctypes.c_void_p(), ctypes.c_void_p()
    with open(key, "rb") as file:
        pem = Datum(file.read())
    _check(LIB.gnutls_privkey_init(ctypes.byref(secret)), "key")
    _check(LIB.gnutls_privkey_import_x509_raw(secret, ctypes.byref(pem), PEM, None, 0), key)
    _check(LIB.gnutls_pubkey_init(ctypes.byref(public)), "public key")
    _check(LIB.gnutls_pubkey_import(public, ctypes.byref(Datum(public_key)), DER), "public key")
    shown = (Pcert * len(chain))()
    for number, der in enumerate(chain):
        shown[number].cert = Datum(der)
        shown[number].type = X509
    shown[0].pubkey = public
    names = (ctypes.c_char_p * 1)(b"any.test")  # else it looks for them in the certificate
    _check(LIB.gnutls_certificate_set_key(credentials, names, 1, shown, len(chain), secret),
           "certificate")
    return shown


class Session:
    """A connection on a socket.

    priority   GnuTLS's words for versions, suites, groups and signatures
    trust      a file that the peer is verified with; None: whoever it may be
    chain      our own certificates, DER; none: none is shown
    key, public_key   the file of the private key, and DER
    """

    def __init__(self, sock, is_server, priority, trust=None, chain=(), key=None,
                 public_key=None):
        self._credentials = ctypes.c_void_p()
        self._session = ctypes.c_void_p()
        self._shown = None
        sock.settimeout(None)
        _check(LIB.gnutls_certificate_allocate_credentials(ctypes.byref(self._credentials)),
               "credentials")
        LIB.gnutls_certificate_set_flags(self._credentials, SKIP_KEY_CERT_MATCH)
        if chain:
            self._shown = _set_own(self._credentials, chain, key, public_key)
        if trust:
            _check(LIB.gnutls_certificate_set_x509_trust_file(
                self._credentials, trust.encode(), PEM), trust)
        _check(LIB.gnutls_init(ctypes.byref(self._session),
                               (SERVER if is_server else CLIENT) | NO_SIGNAL), "session")
        _check(LIB.gnutls_priority_set_direct(self._session, priority.encode(), None),
               f"priority {priority}")
        LIB.gnutls_credentials_set(self._session, CRD_CERTIFICATE, self._credentials)
        if is_server:
            LIB.gnutls_certificate_server_set_request(self._session, REQUIRE)
        if trust:
            LIB.gnutls_session_set_verify_cert(self._session, None, 0)
        LIB.gnutls_transport_set_int2(self._session, sock.fileno(), sock.fileno())
        LIB.gnutls_handshake_set_timeout(self._session, 10000)
        LIB.gnutls_record_set_timeout(self._session, 10000)

    def _failure(self, code):
        alert = None
        if code in (FATAL_ALERT, WARNING_ALERT, NO_CERTIFICATE_FOUND):
            number = LIB.gnutls_alert_get(self._session)
            alert = ALERTS.get(number, str(number))
        return Failure(code, alert)

    def handshake(self):
        while (code := LIB.gnutls_handshake(self._session)) < 0:
            if LIB.gnutls_error_is_fatal(code):
                if code != FATAL_ALERT:
                    LIB.gnutls_alert_send_appropriate(self._session, code)
                raise self._failure(code)

    def send(self, data):
        while (code := LIB.gnutls_record_send(self._session, data, len(data))) < 0:
            if LIB.gnutls_error_is_fatal(code):
                raise self._failure(code)

    def recv(self):
        room = ctypes.create_string_buffer(4096)
        while (code := LIB.gnutls_record_recv(self._session, room, len(room))) < 0:
            if code == PREMATURE_END or LIB.gnutls_error_is_fatal(code):
                raise self._failure(code)
        return room.raw[:code]

    def goodbye(self):
        LIB.gnutls_bye(self._session, SHUT_WR)

    def close(self):
        LIB.gnutls_deinit(self._session)
        if self._shown is None:
            # Else it would free what is Python's: a test may leak that.
            LIB.gnutls_certificate_free_credentials(self._credentials)
