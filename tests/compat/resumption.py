#!/usr/bin/env python3
"""Sessions resumed by ticket, and those that must not be: what a peer's certificates, the
rule, the identity and the name allow counts at resumption, too. Other ends are OpenSSL
(also by Python's ssl, whose sessions can be taken from one connection to another) and
GnuTLS, as client and as server, TLS 1.3 and 1.2."""

import base64
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import odd  # noqa: E402
import psk_client  # noqa: E402
from certs import CLIENT_NAMES, SERVER_NAMES, Authority  # noqa: E402
from harness import Bed, equal, main  # noqa: E402
from procs import free_port, wait_until  # noqa: E402
from refused_inbound import report  # noqa: E402

VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}
TLS_1_2 = "min_version = 1.2"
ILLEGAL_PARAMETER, DECRYPT_ERROR = 47, 51  # alerts


def context_for(bed, version, certificate=None):
    context = odd.client_context(bed.authority, certificate or bed.client_cert)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def ask(port, context, session=None):
    """An echo of a shimmed server. Returns whether it was resumed, and the next session."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as conn:
            conn.sendall(b"hello")
            equal(conn.recv(100), b"hello", "echo")
            reused, taken = conn.session_reused, conn.session
            conn.unwrap()
            return reused, taken


def serve(bed: Bed, rule="", identity="", **shim):
    bed.pair(server_rule=rule, server_identity=TLS_1_2 + "\n" + identity, **shim)
    return bed.serve(bed.python("report_server.py", bed.port))


def logged(bed, name, count):
    """The first handshakes that a program's log tells of."""
    return wait_until(lambda: (bed.audit(name, event="handshake_ok") + [None] * count)[:count]
                      if len(bed.audit(name, event="handshake_ok")) >= count else None,
                      f"{count} handshakes of {name}")


def for_versions(function):
    def test(bed):
        for version in VERSIONS:
            with Bed(bed.authority) as inner:
                function(inner, version)
    return test


@for_versions
def test_openssl_client(bed, version):
    serve(bed)
    context = context_for(bed, version)
    reused, session = ask(bed.port, context)
    equal(reused, False, "the first connection is resumed")
    for number in range(3):
        reused, session = ask(bed.port, context, session)
        equal(reused, True, f"{version}: connection {number + 2} is resumed")
    lines = logged(bed, "server", 4)
    equal([line["resumed"] for line in lines], [False, True, True, True], "resumed, in the log")
    for line in lines:
        for key in ("peer_serial", "peer_subject", "peer_sha256", "peer_san", "issuer",
                    "cipher", "version", "own_serial"):
            equal(line[key], lines[0][key], f"{key} of a resumed session")




def s_client(bed, version, *words):
    """OpenSSL's, for what Python cannot do with a session. Returns "New" or "Reused"."""
    number = sum(program.name.startswith("s_client") for program in bed.programs)
    peer = bed.start(f"s_client{number}", [
        "openssl", "s_client", "-connect", f"127.0.0.1:{bed.port}", "-cert",
        bed.client_cert.pem, "-key", bed.client_cert.key, "-CAfile", bed.authority.pem,
        "-verify_return_error", "-tls" + version.replace(".", "_"), *words],
        stdin=subprocess.PIPE)
    peer.feed(b"the echo that brings a ticket\n")
    peer.says("\nthe echo that brings a ticket")
    peer.process.stdin.close()
    peer.ok()
    return re.search(r"^(New|Reused), ", peer.out.decode(), re.MULTILINE)[1]


@for_versions
def test_s_client(bed, version):
    serve(bed)
    file = bed.path("session.pem")
    equal(s_client(bed, version, "-sess_out", file), "New", "the first connection")
    for _ in range(2):
        equal(s_client(bed, version, "-sess_in", file), "Reused", version)
    # Somebody else's certificate does not matter: the session is its first owner's.
    bed.client_cert = bed.authority.issue("other", CLIENT_NAMES, "clientAuth")
    equal(s_client(bed, version, "-sess_in", file), "Reused", "with another certificate")
    serials = {line["peer_serial"] for line in logged(bed, "server", 4)}
    equal(len(serials), 1, "peers in the log")


@for_versions
def test_changed_ticket(bed, version):
    """Every part of it: its key's name, the nonce, the text, the tag. No harm is done."""
    server = serve(bed)
    file = bed.path("session.pem")
    s_client(bed, version, "-sess_out", file)
    text = subprocess.run(["openssl", "asn1parse", "-in", file], check=True, timeout=30,
                          capture_output=True, text=True).stdout
    header = re.search(r"cont \[ 10 \]\s*\n\s*(\d+):d=\d+\s+hl=(\d+)\s+l=\s*(\d+)", text)
    start, length = int(header[1]) + int(header[2]), int(header[3])
    with open(file, encoding="ascii") as pem:
        der = base64.b64decode("".join(pem.read().splitlines()[1:-1]))
    for at in (0, 15, 16, 20, 32, 33, 34, 100, length - 33, length - 32, length - 17):
        changed = bytearray(der)
        changed[start + at] ^= 1
        bed.write("changed.pem", b"-----BEGIN SSL SESSION PARAMETERS-----\n"
                  + base64.encodebytes(bytes(changed))
                  + b"-----END SSL SESSION PARAMETERS-----\n")
        equal(s_client(bed, version, "-sess_in", bed.path("changed.pem")), "New",
              f"byte {at} of {length}")
    equal(s_client(bed, version, "-sess_in", file), "Reused", "as it was")
    equal(server.process.poll(), None, "the server's exit status")


@for_versions
def test_gnutls_client(bed, version):
    serve(bed)
    peer = bed.start("peer", [
        "gnutls-cli", "--resume", "--waitresumption", "--logfile", bed.path("gnutls.log"),
        "--x509cafile", bed.authority.pem, "--x509certfile", bed.client_cert.pem,
        "--x509keyfile", bed.client_cert.key, "--verify-hostname", "localhost",
        "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p", bed.port, "127.0.0.1"],
        stdin=subprocess.PIPE)
    for number in range(2):
        peer.process.stdin.write(b"over and over\n")
        wait_until(lambda n=number: len(bed.audit("server", event="handshake_ok")) > n
                   or peer.process.poll() is not None, "the next connection")
    peer.process.stdin.close()
    peer.wait()
    equal(resumed(bed, "server", 2), [False, True], "resumed, in the log")


def test_off(bed):
    for version in VERSIONS:
        with Bed(bed.authority) as inner:
            serve(inner, identity="session_tickets = off")
            context = context_for(inner, version)
            session = ask(inner.port, context)[1]
            equal(session.has_ticket, False, f"{version}: a ticket was sent")
            equal(ask(inner.port, context, session)[0], False, f"{version}: resumed")


# ---- more tickets than one -----------------------------------------------------------------


def owners_ticket(bed, certificate, number):
    """What a client with the certificate has of its session with the server."""
    path = bed.path(f"{certificate.name}{number}.pem")
    bed.client_cert = certificate
    equal(s_client(bed, "1.3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256",
                   "-sess_out", path), "New", "the session that a ticket is of")
    return psk_client.Ticket(path)


def offer(bed, tickets, first=None):
    """Lists tickets in a ClientHello, other ones in a first that is to be sent again.
    Returns the serial of the certificate that the server takes the client for, or "refused",
    or "declined" when it wants to see one."""
    before = len(bed.audit("server", event="handshake_ok"))
    try:
        with psk_client.Client(bed.port, tickets, first) as client:
            if client.selected is None:
                return "declined"
            equal(client.ask(b"hello"), b"hello", "echo")
    except psk_client.Refused as refused:
        equal(refused.alert in (ILLEGAL_PARAMETER, DECRYPT_ERROR), True, f"alert: {refused}")
        return "refused"
    line = logged(bed, "server", before + 1)[-1]
    equal(line["resumed"], True, "resumed, in the log")
    return line["peer_serial"]


def test_stolen_ticket(bed):
    """A ticket travels in the clear. Who has seen somebody else's lists it beside their own,
    in every order and with every binder that they can make, and in one of two ClientHellos:
    they are never taken for the other, by the log that names the certificate."""
    serve(bed)
    thief, victim = (bed.authority.issue(name, CLIENT_NAMES, "clientAuth")
                     for name in ("thief", "victim"))
    own, second = (owners_ticket(bed, thief, number) for number in range(2))
    good = owners_ticket(bed, victim, 0)
    guessed, bound = good.stolen(bytes(32)), good.stolen(own.secret)
    unbound = own.stolen(bytes(32))
    # That the hand-made client works, and that the log tells the two apart.
    equal(offer(bed, [own]), thief.serial, "one's own")
    equal(offer(bed, [good]), victim.serial, "the victim's own")
    equal(offer(bed, [own], first=[own]), thief.serial, "one's own, twice")
    for first, tickets, wanted in (
            (None, [own, second], thief.serial),
            (None, [guessed], "refused"),
            (None, [bound], "refused"),
            (None, [own, guessed], thief.serial),
            (None, [own, bound], thief.serial),
            (None, [own, guessed, second], thief.serial),
            (None, [guessed, own], "refused"),
            (None, [bound, own], "refused"),
            (None, [bound, unbound], "refused"),
            ([guessed], [own], "refused"),
            ([bound], [own], "refused"),
            ([own], [bound], "refused"),  # its suite was agreed by the ticket that is gone
            ([own], [own, bound], thief.serial),
            ([own], [bound, own], thief.serial)):
        names = {own: "own", second: "own 2", guessed: "guessed", bound: "bound",
                 unbound: "unbound"}
        what = [[names[ticket] for ticket in hello] for hello in (first or [], tickets)]
        equal(offer(bed, tickets, first), wanted, f"{what}, of victim {victim.serial}")


# ---- where a ticket must not be good -----------------------------------------------------


def two_ports(bed, first_rule="", second_rule="", identities=("own", "own")):
    """One server, two rules. Returns their ports."""
    ports = [free_port(), free_port()]
    rules = "".join(
        f"[inbound rule{number}]\nlocal = *:{port}\nmode = mtls\nidentity = {name}\n{rule}"
        for number, (port, name, rule) in enumerate(
            zip(ports, identities, (first_rule, second_rule))))
    own = (bed.server_cert, bed.authority.pem, TLS_1_2)
    bed.server_policy = bed.policy("server", rules, {name: own for name in set(identities)})
    server = bed.start("server", bed.python("report_server.py", *ports), bed.server_policy)
    for port in ports:
        server.listens(port)
    return ports


def ask_refused(bed, port, context, session, alert, event):
    """The ticket is declined, and so is the certificate, with the alert that it gets."""
    try:
        ask(port, context, session)
        raise AssertionError("was let in")
    except ConnectionResetError as error:
        equal(alert, None, f"an alert, not {error}")
    except ssl.SSLError as error:
        equal(odd.alert_of(error), alert, "alert")
    return bed.audited("server", event=event)


@for_versions
def test_other_rule(bed, version):
    """Whom one rule lets in another may not; and if it does, certificates are shown."""
    ports = two_ports(bed, second_rule="deny = cn:mallory\n")
    mallory = bed.authority.issue("mallory", CLIENT_NAMES, "clientAuth")
    for name, certificate in (("client", bed.client_cert), ("mallory", mallory)):
        context = context_for(bed, version, certificate)
        session = ask(ports[0], context)[1]
        equal(ask(ports[0], context, session)[0], True, f"{name}: the same rule")
        session = ask(ports[0], context)[1]
        if name == "client":
            equal(ask(ports[1], context, session)[0], False, f"{name}: another rule")
        else:
            line = ask_refused(bed, ports[1], context, session, "access_denied", "denied")
            equal((line["reason"], line["peer_serial"]), ("denied_by_deny", mallory.serial),
                  "reason and peer")


@for_versions
def test_other_identity(bed, version):
    ports = two_ports(bed, identities=("own", "other"))
    context = context_for(bed, version)
    session = ask(ports[0], context)[1]
    equal(ask(ports[1], context, session)[0], False, "resumed with another identity")


@for_versions
def test_other_process(bed, version):
    """Keys are those of one server and its children."""
    serve(bed)
    context = context_for(bed, version)
    session = ask(bed.port, context)[1]
    with Bed(bed.authority) as other:
        serve(other)
        equal(ask(other.port, context, session)[0], False, "resumed by another server")


@for_versions
def test_expired(bed, version):
    """A ticket is good no longer than the certificate."""
    seconds = 6
    serve(bed)
    end = time.time() + seconds
    short = bed.authority.issue("short", CLIENT_NAMES, "clientAuth",
                                days=(-1, seconds / 86400))
    context = context_for(bed, version, short)
    session = ask(bed.port, context)[1]
    equal(ask(bed.port, context, session)[0], True, "before its end")
    session = ask(bed.port, context)[1]
    wait_until(lambda: time.time() > end + 2, "the certificate's end", seconds + 5)
    line = ask_refused(bed, bed.port, context, session, "certificate_expired",
                       "handshake_failed")
    equal((line["reason"], line["peer_serial"]), ("expired", short.serial), "reason, peer")


def put(path, source):
    """As a list or a policy is brought up to date: by rename."""
    with open(source, "rb") as file, open(path + ".new", "wb") as new:
        new.write(file.read())
    os.rename(path + ".new", path)


@for_versions
def test_revoked(bed, version):
    """The certificate was good when it was shown; it is not any more."""
    own = Authority(bed.path("own"), "own-ca")
    bad = own.issue("bad", CLIENT_NAMES, "clientAuth")
    good = own.issue("good", CLIENT_NAMES, "clientAuth")
    crl = bed.path("live.crl")
    put(crl, own.crl("before"))
    with Bed(own) as inner:
        serve(inner, identity=f"crl = {crl}")
        contexts = [context_for(inner, version, certificate) for certificate in (bad, good)]
        sessions = []
        for context in contexts:
            session = ask(inner.port, context)[1]
            reused, session = ask(inner.port, context, session)
            equal(reused, True, "resumed before")
            sessions.append(session)
        put(crl, own.crl("after", [bad]))
        # It is read when a connection comes.
        wait_until(lambda: ask(inner.port, contexts[1])
                   and inner.audit("server", event="crl_reloaded"), "the new list")
        line = ask_refused(inner, inner.port, contexts[0], sessions[0],
                           "certificate_revoked", "handshake_failed")
        equal((line["reason"], line["peer_serial"]), ("revoked", bad.serial), "reason, peer")
        equal(ask(inner.port, contexts[1], sessions[1])[0], True, "the other one, after")


@for_versions
def test_what_was_shown_beside(bed, version):
    """Of what a peer has shown, only the path to its own certificate counts later on."""
    seconds = 6
    own = Authority(bed.path("own"), "own-ca")
    good = own.issue("good", CLIENT_NAMES, "clientAuth")
    other = own.issue("other", CLIENT_NAMES, "clientAuth")
    end = time.time() + seconds
    short = own.issue("short", CLIENT_NAMES, "clientAuth", days=(-1, seconds / 86400))
    mixed = bed.path("mixed.pem")
    with open(mixed, "w", encoding="ascii") as out:
        for one in (good, other, short):
            with open(one.pem, encoding="ascii") as pem:
                out.write(pem.read())
    crl = bed.path("live.crl")
    put(crl, own.crl("before"))
    with Bed(own) as inner:
        serve(inner, identity=f"crl = {crl}")
        context = context_for(inner, version,
                              types.SimpleNamespace(chain=mixed, key=good.key))
        session = ask(inner.port, context)[1]
        put(crl, own.crl("after", [other]))
        wait_until(lambda: ask(inner.port, context_for(inner, version, good))
                   and inner.audit("server", event="crl_reloaded"), "the new list")
        wait_until(lambda: time.time() > end + 2, "the other one's end", seconds + 5)
        equal(ask(inner.port, context, session)[0], True, "resumed")


@for_versions
def test_denied_by_a_new_policy(bed, version):
    serve(bed)
    context = context_for(bed, version)
    session = ask(bed.port, context)[1]
    other = context_for(bed, version, bed.authority.issue("other", CLIENT_NAMES))
    with open(bed.server_policy, encoding="utf-8") as file:
        text = file.read()
    with open(bed.path("new"), "w", encoding="utf-8") as file:
        file.write(text + f"deny = serial:{bed.client_cert.serial}\n")
    put(bed.server_policy, bed.path("new"))
    wait_until(lambda: ask(bed.port, other)
               and len(bed.audit("server", event="policy_loaded")) > 1, "the new policy")
    line = ask_refused(bed, bed.port, context, session, "access_denied", "denied")
    equal(line["reason"], "denied_by_deny", "reason")


def test_revoked_server(bed):
    """The client does not offer to go on with it, and refuses its certificate."""
    own = Authority(bed.path("own"), "own-ca")
    crl = bed.path("live.crl")
    put(crl, own.crl("before"))
    with Bed(own) as inner:
        with Reusing(server_context(inner)) as server:
            inner.pair(port=server.port, client_identity=f"crl = {crl}")
            client = Asker(inner, server.port)
            client.all("ask", "ask")
            put(crl, own.crl("after", [inner.server_cert]))
            # One that is open at that moment may be cut first.
            line = wait_until(lambda: client.ask() != "same" and
                              inner.audit("client", event="handshake_failed"), "refusal")[0]
            equal(line["reason"], "revoked", "reason")
            equal(client.ask(), "OSError", "the next answer")


# ---- more than one process ---------------------------------------------------------------


@for_versions
def test_prefork(bed, version):
    """Every worker takes the others' tickets."""
    count = 3
    bed.pair(server_identity=TLS_1_2)
    bed.serve(bed.python("prefork.py", bed.port, count))
    context = context_for(bed, version)
    session = None
    for number in range(2 * count):
        with socket.create_connection(("127.0.0.1", bed.port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost",
                                     session=session) as conn:
                conn.sendall(b"worker\n")
                equal(conn.recv(100), b"worker %d\n" % (number % count), "who answers")
                equal(conn.session_reused, number > 0, f"connection {number} is resumed")
                session = conn.session
    equal(len({line["pid"] for line in logged(bed, "server", 2 * count)}), count, "workers")


def test_fork_of_a_client(bed):
    """The child has no ticket of its parent's, and leaves the parent's alone."""
    with Reusing(server_context(bed)) as server:
        bed.pair(port=server.port)
        Asker(bed, server.port).all("ask", "fork", "fork", "ask", "ask")
        equal(server.reused, [False, False, False, True, True], "resumed")


# ---- shimmed clients -------------------------------------------------------------------


class Asker:
    """A shimmed client that asks again at a word."""

    def __init__(self, bed, *ports):
        self.program = bed.start("client", bed.python("again.py", *ports),
                                 bed.client_policy, stdin=subprocess.PIPE)
        self.count = 0

    def ask(self, word="ask", host="127.0.0.1"):
        self.program.process.stdin.write(f"{host} {word}\n".encode())
        self.count += 1
        return wait_until(lambda: self.program.out.decode().split()[self.count - 1:],
                          f"answer {self.count} to the client")[0]

    def all(self, *words, want="same"):
        for word in words:
            equal(self.ask(word), want, f"answer to {word}")


def resumed(bed, name, count):
    return [line["resumed"] for line in logged(bed, name, count)]


@for_versions
def test_shim_to_shim(bed, version):
    end = TLS_1_2 + ("\nciphers = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
                     if version == "1.2" else "")
    bed.pair(server_identity=TLS_1_2, client_identity=end)
    bed.serve(bed.python("report_server.py", bed.port))
    Asker(bed, bed.relay.port).all(*["ask"] * 4)
    for name in ("client", "server"):
        lines = logged(bed, name, 4)
        equal([line["resumed"] for line in lines], [False, True, True, True], name)
        for line in lines[1:]:
            equal(line["version"], version, "version")
            for key in ("peer_serial", "peer_subject", "peer_sha256", "peer_san", "issuer"):
                equal(line[key], lines[0][key], f"{key} of a resumed session")
    bed.check_all(at_least=4)


class Reusing(odd.Server):
    """A TLS server by OpenSSL that echoes, and knows which connections were resumed."""

    def __init__(self, context):
        self.reused = []

        def behave(conn, _):
            with context.wrap_socket(conn, server_side=True) as tls:
                self.reused.append(tls.session_reused)
                while chunk := tls.recv(4096):
                    tls.sendall(chunk)
        super().__init__(behave)


def server_context(bed, version=None, certificate=None):
    context = odd.server_context(bed.authority, certificate or bed.server_cert)
    context.minimum_version = VERSIONS[version or "1.2"]
    context.maximum_version = VERSIONS[version or "1.3"]
    return context


@for_versions
def test_openssl_server(bed, version):
    with Reusing(server_context(bed, version)) as server:
        bed.pair(port=server.port, client_identity=TLS_1_2)
        Asker(bed, server.port).all(*["ask"] * 4)
        equal(server.reused, [False, True, True, True], f"{version}: resumed, as OpenSSL says")
        equal(resumed(bed, "client", 4), server.reused, "resumed, in the log")



def gnutls_server(bed, port, version, priority=""):
    return bed.start("peer", [
        "gnutls-serv", "--echo", "--port", port, "--x509cafile", bed.authority.pem,
        "--x509certfile", bed.server_cert.pem, "--x509keyfile", bed.server_cert.key,
        "--require-client-cert", "--verify-client-cert", "--priority",
        f"NORMAL:-VERS-ALL:+VERS-TLS{version}{priority}"]).listens(port)


@for_versions
def test_gnutls_server(bed, version):
    port = free_port()
    bed.pair(port=port, client_identity=TLS_1_2)
    gnutls_server(bed, port, version)
    Asker(bed, port).all(*["ask"] * 3)
    equal(resumed(bed, "client", 3), [False, True, True], "resumed, in the log")
    equal(bed.programs[0].out.count(b"This is a resumed session"), 2, "as GnuTLS says")


def test_server_started_anew(bed):
    """A server that knows nothing of our tickets, maybe with another version by now, has
    a full handshake. GnuTLS says so by the certificate alone, whatever its session id."""
    for first in VERSIONS:
        for second in VERSIONS:
            with Bed(bed.authority) as inner:
                port = free_port()
                inner.pair(port=port, client_identity=TLS_1_2)
                server = gnutls_server(inner, port, first)
                client = Asker(inner, port)
                client.all("ask", "ask")
                server.stop()
                gnutls_server(inner, port, second)
                client.all("ask", "ask")
                equal([(line["version"], line["resumed"]) for line in logged(inner, "client", 4)],
                      [(first, False), (first, True), (second, False), (second, True)],
                      f"{first}, then {second}")


def test_server_of_other_groups(bed):
    """A client with a ticket offers all its groups to a server that has given up the one
    of that session, and gives the key that the server asks for (HelloRetryRequest)."""
    port = free_port()
    bed.pair(port=port, client_identity="groups = X25519 P-256 P-384\n")
    for number, group in enumerate(("X25519", "SECP384R1")):
        server = gnutls_server(bed, port, "1.3", f":-GROUP-ALL:+GROUP-{group}")
        if number == 0:
            client = Asker(bed, port)
        client.all("ask", "ask")
        server.stop()
    equal([(line["group"], line["resumed"]) for line in logged(bed, "client", 4)],
          [("X25519", False), ("X25519", True), ("P-384", False), ("P-384", True)], "groups")


def test_drop(bed):
    """Who closes at once ends as ever, though a ticket comes."""
    bed.pair()
    server = bed.serve(bed.python("report_server.py", bed.port))
    client = Asker(bed, bed.port)
    client.all(*["drop"] * 5, want="dropped")
    client.all("ask", "ask")
    for number in range(7):
        one = report(server, number)
        equal((one["got"], one["end"]), (0 if number < 5 else 17, "eof"), f"connection {number}, for the server")


def test_other_name(bed):
    """What was agreed with one name or address is not used for another."""
    with Reusing(server_context(bed)) as server:
        bed.pair(port=server.port)
        client = Asker(bed, server.port)
        for host, want in (("localhost", False), ("localhost", True), ("127.0.0.1", False),
                           ("localhost", True), ("127.0.0.1", True)):
            equal(client.ask(host=host), "same", f"answer of {host}")
            equal(server.reused[-1], want, f"{host} resumed, after {server.reused[:-1]}")


def test_client_off(bed):
    with Reusing(server_context(bed)) as server:
        bed.pair(port=server.port, client_identity="session_tickets = off")
        Asker(bed, server.port).all("ask", "ask")
        equal(server.reused, [False, False], "resumed")


def test_expired_server(bed):
    seconds = 6
    end = time.time() + seconds
    short = bed.authority.issue("short-server", SERVER_NAMES, "serverAuth",
                                days=(-1, seconds / 86400))
    with Reusing(server_context(bed, certificate=short)) as server:
        bed.pair(port=server.port)
        client = Asker(bed, server.port)
        client.all("ask", "ask")
        wait_until(lambda: time.time() > end + 2, "the certificate's end", seconds + 5)
        equal(client.ask() in ("OSError", "ConnectionResetError"), True, "the answer")
        equal(bed.audited("client", event="handshake_failed")["reason"], "expired", "reason")
        equal(server.reused, [False, True], "resumed")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
