#!/usr/bin/env python3
"""Open connections are judged again when something changes: whoever would no longer be let
in is cut within two seconds, idle or not, and nobody else is."""

import os
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ocsp  # noqa: E402
import odd  # noqa: E402
from certs import CLIENT_NAMES, Authority  # noqa: E402
from harness import equal, main  # noqa: E402
from procs import wait_until  # noqa: E402
from reload import STALE_SECONDS, Live, replace  # noqa: E402


class Two:
    """A server with an idle connection of a good client and one of a bad one."""

    def __init__(self, bed, how="threads", identity="", **more):
        self.bed = bed
        self.bad_cert = bed.authority.issue("bad", CLIENT_NAMES, "clientAuth")
        self.live = Live(bed, how, identity=identity, **more)
        self.bad_context = odd.client_context(bed.authority, self.bad_cert)
        self.good = self.live.open()
        self.bad = self.live.open(self.bad_context)

    def edit(self, old, new):
        """Changes the policy."""
        with open(self.bed.server_policy, encoding="utf-8") as file:
            text = file.read()
        equal(text.count(old), 1, f"{old!r} in the policy")
        self.bed.write("server.ini.new", text.replace(old, new))
        os.rename(self.bed.path("server.ini.new"), self.bed.server_policy)

    def is_cut(self, reason, alert):
        """The bad one; the good one does not notice."""
        changed = time.monotonic()
        self.bad.settimeout(STALE_SECONDS)
        try:
            got = self.bad.recv(100)
        except TimeoutError:
            got = "nothing in time"
        except ssl.SSLError as error:
            got = odd.alert_of(error)
        equal(got, alert, f"what the peer is told after {time.monotonic() - changed:.1f} s")
        end = wait_until(lambda: self.live.ends(self.bad), "the program to be told", 2)
        equal(end, "ECONNRESET", "what the program is told")
        line = self.bed.audited("server", event="cut")
        equal((line["reason"], line["peer_serial"], line["rule"], line["direction"]),
              (reason, self.bad_cert.serial, "test", "inbound"), "what is logged")
        equal(line["bytes_in"], 4, "bytes of the cut connection")
        self.goes_on(self.good)
        equal(len(self.bed.audit("server", event="cut")), 1, "lines about one connection")
        equal(self.bed.audit("server", event="closed", peer_serial=self.bad_cert.serial), [],
              "another line about its end")

    def goes_on(self, *connections):
        time.sleep(0.5)
        for conn in connections:
            self.live.ping(conn)
            equal(self.live.ends(conn), None, "an end")

    def stays(self):
        """Nobody is cut, in more than the time that it may take."""
        time.sleep(STALE_SECONDS + 0.5)
        self.goes_on(self.good, self.bad)
        equal(self.bed.audit("server", event="cut"), [], "cut connections")


def revoke(bed, how="threads", check=Two.is_cut, more="", **shim):
    crl = bed.path("live.crl")
    number = len(os.listdir(bed.authority.folder))
    replace(crl, bed.authority.crl(f"before-{number}"))
    two = Two(bed, how, f"crl = {crl}\n{more}", **shim)
    replace(crl, bed.authority.crl(f"after-{number}", [two.bad_cert]))
    check(two, "revoked", "certificate_revoked")
    return two


def revoke_beside(bed, how):
    """Who shows a revoked certificate that has no part in its own stays."""
    crl = bed.path("live.crl")
    replace(crl, bed.authority.crl(f"before-{how}"))
    two = Two(bed, how, f"crl = {crl}\n")
    with open(bed.client_cert.pem, "rb") as own, open(two.bad_cert.pem, "rb") as bad:
        both = bed.write("beside.pem", own.read() + bad.read())
    context = odd.client_context(bed.authority, bed.client_cert)
    context.load_cert_chain(both, bed.client_cert.key)
    beside = two.live.open(context)
    replace(crl, bed.authority.crl(f"after-{how}", [two.bad_cert]))
    wait_until(lambda: two.live.ends(two.bad), "the bad one's end", STALE_SECONDS)
    two.goes_on(two.good, beside)


def test_revoked_beside(bed):
    revoke_beside(bed, "threads")


def test_revoked_beside_after_exec(bed):
    revoke_beside(bed, "exec")


def test_revoked_threads(bed):
    two = revoke(bed)
    bed.audited("server", event="crl_reloaded")
    answer = odd.dial(two.live.port, two.bad_context)
    equal(answer.alert, "certificate_revoked", "a new connection of it")


def test_revoked_prefork(bed):
    revoke(bed, "prefork")


def test_revoked_forking(bed):
    revoke(bed, "forking")


def test_revoked_after_exec(bed):
    """Another program has the connection, and its handshake was made in the one before."""
    revoke(bed, "exec")


def test_revoked_loop(bed):
    revoke(bed, "loop")


def test_revoked_after_its_fin(bed):
    """Its end without close_notify is an error that was logged; it is no way to stay and
    listen to a program that goes on."""
    crl = bed.path("live.crl")
    replace(crl, bed.authority.crl("before"))
    two = Two(bed, "stubborn", f"crl = {crl}\n")
    with socket.socket(fileno=os.dup(two.bad.fileno())) as raw:
        raw.shutdown(socket.SHUT_WR)
    wait_until(lambda: two.live.ends(two.bad), "the program to be told of the FIN")
    equal(two.bad.recv(4), b"more", "what it is sent")
    bed.audited("server", event="closed", peer_serial=two.bad_cert.serial)
    replace(crl, bed.authority.crl("after", [two.bad_cert]))
    end = time.monotonic() + STALE_SECONDS + 1
    got = b"more"
    try:
        while got and time.monotonic() < end:
            got = two.bad.recv(4)
    except OSError as error:
        got = odd.alert_of(error)
    equal(got, "certificate_revoked", "what the peer is told")
    two.live.ping(two.good)


def test_revoked_and_not_rechecked(bed):
    revoke(bed, check=lambda two, *_: two.stays(), recheck="off")


def test_no_longer_allowed(bed):
    two = Two(bed, rule="allow = cn:client, cn:bad\n")
    two.edit("cn:client, cn:bad", "cn:client")
    two.is_cut("denied_by_allow", "access_denied")


def test_denied_now(bed):
    two = Two(bed)
    two.edit("mode = mtls", f"mode = mtls\ndeny = serial:{two.bad_cert.serial}")
    two.is_cut("denied_by_deny", "access_denied")


def test_rule_denies_now(bed):
    two = Two(bed)
    two.live.ping(two.good)
    two.edit("mode = mtls", "mode = deny")
    wait_until(lambda: two.live.ends(two.good) and two.live.ends(two.bad), "both ends", 2)
    equal([line["reason"] for line in bed.audit("server", event="cut")],
          ["denied_by_rule"] * 2, "reasons")


def test_rule_is_plaintext_now(bed):
    """What is protected stays so; there is nothing left that it could be judged by."""
    two = Two(bed)
    two.edit("mode = mtls\nidentity = own", "mode = plaintext")
    two.stays()


def test_rule_of_another_name(bed):
    two = Two(bed)
    two.edit("[inbound test]", "[inbound other]")
    two.stays()


def follows(bed, live, number):
    """Waits until the server goes by so many policies; it looks when somebody comes."""
    def loaded():
        live.open().close()
        return len(bed.audit("server", event="policy_loaded")) == number
    wait_until(loaded, f"policy {number}")


def trusting(bed, *authorities):
    """A server whose trust is a file of its own."""
    trust = bed.path("trust.pem")
    bed.write("trust.pem", b"".join(open(one.pem, "rb").read() for one in authorities))
    live = Live(bed)
    text = open(bed.server_policy, encoding="utf-8").read()
    bed.write("server.ini", text.replace(bed.authority.pem, trust))
    follows(bed, live, 2)
    return trust, live


def test_not_trusted_any_more(bed):
    other = Authority(bed.path("other"), "other-ca")
    trust, live = trusting(bed, bed.authority, other)
    bad_cert = other.issue("bad", CLIENT_NAMES, "clientAuth")
    good = live.open()
    bad = live.open(odd.client_context(bed.authority, bad_cert))
    replace(trust, bed.authority.pem)
    wait_until(lambda: live.ends(bad), "the end", STALE_SECONDS)
    line = bed.audited("server", event="cut")
    equal((line["reason"], line["peer_serial"]), ("unknown_ca", bad_cert.serial), "the cut")
    live.ping(good)
    equal(len(bed.audit("server", event="cut")), 1, "cut connections")


def test_trusted_by_way_of_an_intermediate(bed):
    """The chain leads to the anchor by what was shown alone."""
    sub = bed.authority.issue("sub", usage="", is_ca=True)
    leaf = bed.authority.issue("leaf", CLIENT_NAMES, "clientAuth", signer=sub)
    other = Authority(bed.path("other"), "other-ca")
    trust, live = trusting(bed, bed.authority)
    conn = live.open(odd.client_context(bed.authority, leaf))
    both = open(other.pem, "rb").read() + open(bed.authority.pem, "rb").read()
    replace(trust, bed.write("both.pem", both))
    bed.audited("server", event="trust_reloaded")
    time.sleep(1)
    live.ping(conn)
    replace(trust, other.pem)
    wait_until(lambda: live.ends(conn), "the end", 3)
    equal(bed.audited("server", event="cut")["reason"], "unknown_ca", "reason")


def short(bed, seconds=4):
    return bed.authority.issue("short", CLIENT_NAMES, "clientAuth", days=(-1, seconds / 86400))


def expire(bed, **shim):
    live = Live(bed, **shim)
    kept = live.open()
    context = odd.client_context(bed.authority, short(bed))
    conn = live.open(context)
    time.sleep(2)
    live.ping(conn)
    return live, kept, conn


def test_expired_and_cut(bed):
    live, kept, conn = expire(bed, expired_sessions="cut")
    wait_until(lambda: live.ends(conn), "the end", 5)
    equal(bed.audited("server", event="cut")["reason"], "expired", "reason")
    live.ping(kept)


def test_expired_and_kept(bed):
    live, kept, conn = expire(bed)
    time.sleep(4)
    for one in (kept, conn):
        live.ping(one)
    equal(bed.audit("server", event="cut"), [], "cut connections")


def test_expired_and_kept_when_trust_changes(bed):
    """The path is looked at anew, the dates on it are not; an end of trust counts."""
    trust, live = trusting(bed, bed.authority)
    conn = live.open(odd.client_context(bed.authority, short(bed, 3)))
    time.sleep(4)
    other = Authority(bed.path("other"), "other-ca")
    both = open(other.pem, "rb").read() + open(bed.authority.pem, "rb").read()
    replace(trust, bed.write("both.pem", both))
    bed.audited("server", event="trust_reloaded")
    time.sleep(1)
    live.ping(conn)
    replace(trust, other.pem)
    wait_until(lambda: live.ends(conn), "the end", 3)
    equal(bed.audited("server", event="cut")["reason"], "unknown_ca", "reason")


def test_list_goes_out_of_date(bed):
    crl = bed.authority.crl("soon", days=(-1, 4 / 86400))
    live = Live(bed, identity=f"crl = {crl}")
    conn = live.open()
    wait_until(lambda: live.ends(conn), "the end", 8)
    equal(bed.audited("server", event="cut")["reason"], "crl_expired", "reason")


def test_list_goes_out_of_date_in_the_handshake(bed):
    """The peer was judged before that, and let in after it: OCSP has taken its time."""
    asked, over = threading.Event(), threading.Event()
    serial = int(bed.client_cert.serial, 16)

    def answer(body):
        request = ocsp.Request(body)
        if serial.to_bytes((serial.bit_length() + 7) // 8, "big") in request.cert_id:
            asked.set()
            over.wait(20)
        return ocsp.answer(request, bed.authority.root)
    responder = ocsp.Responder(answer)
    seconds = 6
    end = time.time() + seconds
    crl = bed.authority.crl("later", days=(-1, seconds / 86400))
    live = Live(bed, identity=f"crl = {crl}\nocsp = require\nocsp_timeout = 15s\n"
                f"ocsp_responder = {responder.url}\n", handshake_timeout="30s")
    raw = socket.create_connection(("127.0.0.1", live.port), timeout=15)
    conn = live.context.wrap_socket(raw, server_hostname="localhost")
    conn.sendall(b"ping")
    equal(asked.wait(5), True, "the peer is asked about")
    time.sleep(max(0, end + 2 - time.time()))
    over.set()
    wait_until(lambda: live.ends(conn), "the end", STALE_SECONDS)
    equal(bed.audited("server", event="cut")["reason"], "crl_expired", "reason")


if __name__ == "__main__":
    main(globals(), needs_shim=True)
