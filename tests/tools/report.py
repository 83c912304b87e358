#!/usr/bin/env python3
"""mtlsctl report and suggest: figures against a log whose content is known."""

import html.parser
import json
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import MTLSCTL, equal, main  # noqa: E402

WEB = {"program": "/usr/sbin/web", "service": "shop", "pid": 7, "uid": 33}
INBOUND = {**WEB, "rule": "api", "direction": "inbound", "local": "10.0.0.7:8080"}
ORDERS = {"peer_subject": "CN=orders", "peer_san": "DNS:orders.internal, URI:spiffe://corp/orders",
          "peer_sha256": "a" * 64, "issuer": "CN=corp ca"}
CART = {"peer_subject": "CN=cart", "peer_san": "DNS:cart.internal", "peer_sha256": "b" * 64,
        "issuer": "CN=corp ca"}
TLS = {"version": "1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519"}


def line(event, time="2026-11-01T10:00:00.000Z", **fields):
    return json.dumps({"time": time, "event": event, **fields})


def week():
    """A log with a bit of everything."""
    lines = [line("policy_loaded", **WEB, detail="two rules")]
    for number in range(40):
        lines.append(line("handshake_ok", f"2026-11-0{1 + number % 7}T10:00:00.500Z", **INBOUND,
                          **ORDERS, **TLS, remote=f"10.0.0.{number}:999", duration_ms=4,
                          resumed=number % 4 == 0))
        lines.append(line("closed", f"2026-11-0{1 + number % 7}T11:00:00.500Z", **INBOUND,
                          **ORDERS, bytes_in=10, bytes_out=1000))
    lines.append(line("handshake_ok", **INBOUND, **CART, **TLS, remote="[fd00::1]:5",
                      peer_not_after="2026-11-09T00:00:00Z"))
    lines += [line("handshake_failed", **INBOUND, remote="10.9.9.9:4", reason="unknown_ca",
                   detail='no <anchor> & "vouches"', **{**ORDERS, "issuer": "CN=evil"})] * 3
    lines += [line("denied", **INBOUND, remote="10.9.9.8:4", reason="denied_by_allow", **CART)] * 2
    lines += [line("cut", **INBOUND, remote="10.9.9.8:4", reason="revoked", **CART)]
    lines += [line("plaintext", **INBOUND, remote="[fd00::2]:77", mode="permissive")] * 4
    lines += [line("plaintext", **INBOUND, remote="[fd00::2]:77")]
    lines += [line("observed", **WEB, rule="db", direction="outbound", remote="10.1.0.1:5432",
                   dialled_name="db.internal")] * 6
    lines.append(line("warning", **WEB, detail="strange", dropped=9))
    lines.append(line("certificate_expiring", **WEB, identity="web", detail="3 days left"))
    return lines


def run(*words, **options):
    return subprocess.run([MTLSCTL, *words], capture_output=True, text=True, timeout=60,
                          check=False, **options)


def report(bed, lines, *words):
    path = bed.write("audit.jsonl", "\n".join(lines) + "\n")
    done = run("report", "--json", *words, path)
    equal(done.returncode, 0, done.stderr)
    equal(done.stderr, "", "on standard error")
    return json.loads(done.stdout)


def row(table, **known):
    found = [r for r in table["rows"] if all(r[key] == value for key, value in known.items())]
    equal(len(found), 1, f"rows with {known} in {table['rows']}")
    return found[0]


def test_figures(bed):
    told = report(bed, week())
    want = {"connections": 41, "resumed": 10, "failed": 3, "denied": 2, "cut": 1,
            "plaintext": 11, "bytes_in": 400, "bytes_out": 40000, "starts": 1, "lost": 9,
            "unreadable": 0, "from": "2026-11-01T10:00:00Z", "to": "2026-11-07T11:00:00Z",
            "lines": len(week())}
    equal({key: told["totals"][key] for key in want}, want)


def test_rows(bed):
    told = report(bed, week())
    api = row(told["rules"], rule="api")
    equal((api["connections"], api["failed"], api["denied"], api["cut"], api["plaintext"],
           api["resumed"], api["bytes_out"], api["handshake_ms"]),
          (41, 3, 2, 1, 5, 10, 40000, 3), "api")
    equal(row(told["peers"], peer="URI:spiffe://corp/orders")["connections"], 40, "orders")
    equal(row(told["peers"], peer="DNS:cart.internal")["denied"], 2, "cart")
    equal(row(told["failures"], reason="unknown_ca")["detail"], 'no <anchor> & "vouches"')
    equal(row(told["unknown"], issuer="CN=evil")["host"], "10.9.9.9", "the stranger's host")
    for server, mode, client, count in (
            ("*:8080", "permissive", "fd00::2", 4), ("*:8080", "plaintext", "fd00::2", 1),
            ("db.internal:5432", "observe", "/usr/sbin/web", 6)):
        found = row(told["plaintext"], server=server, mode=mode)
        equal((found["client"], found["connections"]), (client, count), f"{server} {mode}")
    equal(row(told["tls"], version="1.3")["connections"], 41, "TLS 1.3")
    equal(row(told["expiring"], whose="own")["certificate"], "web")
    equal(row(told["expiring"], whose="peer")["detail"], "2026-11-09T00:00:00Z")
    equal(row(told["warnings"], detail="strange")["count"], 1)


def test_timeline(bed):
    told = report(bed, week())["timeline"]
    equal(sum(p["TLS"] for p in told), 41, "TLS")
    equal(sum(p["plaintext"] for p in told), 11, "plaintext")
    assert len(told) <= 120, len(told)
    # Years apart, and backwards.
    lines = [line("handshake_ok", f"{year}-06-01T00:00:00Z", **INBOUND, **CART, **TLS)
             for year in (2030, 2026, 2028, 2031, 1999)]
    equal(sum(p["TLS"] for p in report(bed, lines)["timeline"]), 5, "years")


def test_since_until(bed):
    told = report(bed, week(), "--since", "2026-11-02", "--until", "2026-11-03T10:30:00Z")
    equal((told["totals"]["connections"], told["totals"]["failed"]), (12, 0), "two days")


def ago(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - seconds))


def test_forms_of_since(bed):
    """One line at each of these times; how many are left."""
    times = ["2026-11-25T07:59:59.999Z", "2026-11-25T08:00:00.000Z", "2026-11-25T08:00:00.500Z",
             "2026-11-26T00:00:00.000Z"]
    lines = [line("handshake_ok", at, **INBOUND, **CART, **TLS) for at in times]
    for form, left in (("2026-11-25", 4), ("2026-11-25T08:00:00Z", 3), ("2026-11-25T08:00", 3),
                       ("2026-11-25 08:00:00z", 3), ("2026-11-25T08:00:00.25Z", 2),
                       ("2026-11-25T08:00:00.500000001Z", 2), ("2026-11-25t08:00:00.501Z", 1),
                       ("2026-11-25T10:00:00+02:00", 3), ("2026-11-25T06:30:00.5-0130", 2),
                       ("2026-11-26", 1), ("2026-11-27", 0), ("2016-12-31T23:59:60Z", 4)):
        told = report(bed, lines, "--since", form)
        equal(told["totals"]["connections"], left, form)
    lines = [line("handshake_ok", ago(seconds), **INBOUND, **CART, **TLS)
             for seconds in (30, 3000, 80000, 500000)]
    for form, left in (("5m", 1), ("90m", 2), ("3600s", 2), ("24h", 3), ("7d", 4), ("1w", 4)):
        told = report(bed, lines, "--since", form)
        equal(told["totals"]["connections"], left, form)
    for form in ("yesterday", "", "7", "h", "-7d", "7dd", "7 d", "2026-02-30", "2026-13-01",
                 "2026-11-25T", "2026-11-25T24:00Z", "2026-11-25T08:00:00.Z",
                 "2026-11-25T08:00:00+1", "2026-11-25T08:00:00Zx", "99999999999999999999d"):
        done = run("report", "--since", form, "x")
        equal((done.returncode, form in done.stderr, "so long ago" in done.stderr),
              (2, True, True), done.stderr)


def test_rows_left_out(bed):
    lines = [line("handshake_ok", **INBOUND, **TLS, peer_san=f"DNS:p{i}") for i in range(30)]
    told = report(bed, lines, "--rows", "7")["peers"]
    equal((len(told["rows"]), told["left_out"]), (7, 23), "rows")
    equal(len(report(bed, lines, "--rows", "0")["peers"]["rows"]), 30, "all")


def test_bad_lines(bed):
    """What is no line of ours is counted, and spoils nothing behind it."""
    good = line("handshake_ok", **INBOUND, **ORDERS, **TLS)
    bad = ["{", "null", '"text"', "[1,2]", '{"time":1}', good[:50], "\x00\x01", "{}{", "}", "x" * 3000000,
           '{"a":' * 2000, '{"time":"2026-11-01T10:00:00Z","event":"handshake_ok"', "\xff\xfe"]
    lines = [good] + [part for one in bad for part in (one, good)]
    told = report(bed, lines)
    equal((told["totals"]["connections"], told["totals"]["unreadable"]), (len(bad) + 1, len(bad)), "counts")


def test_long_and_escaped(bed):
    name = "DNS:" + "ä\n\"<b>&'" * 60
    told = report(bed, [line("handshake_ok", **INBOUND, **TLS, peer_san=name)] * 3)
    equal(told["peers"]["rows"][0]["connections"], 3, "one peer")
    assert name.startswith(told["peers"]["rows"][0]["peer"][:200]), told["peers"]["rows"]


class Page(html.parser.HTMLParser):
    """Tags that open and close in order, and nothing from elsewhere."""

    void = {"meta", "rect", "line", "br"}

    def __init__(self):
        super().__init__()
        self.open = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "img", "iframe"), tag
        assert not {"src", "href"} & {key for key, _ in attrs}, attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        equal(tag, self.open.pop(), "closes")

    def handle_data(self, data):
        self.text += data


def test_html(bed):
    path = bed.write("audit.jsonl", "\n".join(week()) + "\n")
    out = bed.path("report.html")
    equal(run("report", "--html", "--output", out, path).returncode, 0)
    page = Page()
    with open(out, encoding="utf-8") as file:
        page.feed(file.read())
    equal(page.open, [], "left open")
    assert 'no <anchor> & "vouches"' in page.text, "the detail is not in the page as text"


def test_text_and_stdin(bed):
    done = run("report", "-", input="\n".join(week()))
    equal(done.returncode, 0, done.stderr)
    for words in ("spiffe://corp/orders", "Still in plaintext", "unknown_ca", "2026-11-07 11:00"):
        assert words in done.stdout, done.stdout


def test_no_file(bed):
    done = run("report", bed.path("nothing"))
    equal((done.returncode, "No such file" in done.stderr), (1, True), done.stderr)
    done = run("report", "--output", "/nonexistent/x", bed.write("empty", ""))
    equal((done.returncode, "/nonexistent/x" in done.stderr), (1, True), done.stderr)
    equal(run("report").returncode, 2, "no argument")


def test_constant_memory(bed):
    """A million peers cost no more than twenty thousand."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))

    head = line("handshake_ok", **INBOUND, **TLS)[:-1]
    with subprocess.Popen([MTLSCTL, "report", "--json", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, preexec_fn=limit) as command:
        for start in range(0, 300000, 1000):
            command.stdin.write("".join(
                f'{head}, "peer_san": "DNS:{"x" * 200}{i}", "remote": "10.0.0.1:{i}"}}\n'
                for i in range(start, start + 1000)).encode())
        command.stdin.close()
        told = json.load(command.stdout)
        equal(command.wait(30), 0, "exit status")
    equal(told["totals"]["connections"], 300000)
    equal(row(told["peers"], peer="(others)")["connections"], 280000, "the rest")


def test_suggest(bed):
    path = bed.write("audit.jsonl", "\n".join(week()) + "\n")
    done = run("suggest", "--identity", "own", path)
    equal(done.returncode, 0, done.stderr)
    for words in ("mode = permissive", "allow = uri:spiffe://corp/orders  ; 40",
                  "dns:cart.internal  ; 1", "remote = db.internal:5432", "mode = observe",
                  ";   5 fd00::2", "unknown_ca"):
        assert words in done.stdout, f"{words!r} is not in {done.stdout}"
    strict = run("suggest", "--strict", path).stdout
    assert "permissive" not in strict and "observe\n" not in strict, strict
    own = bed.authority.issue("own")  # for both, as the rules will have it
    policy = bed.policy("suggested", strict, {"own": own})
    done = run("check", policy)
    equal(done.returncode, 0, done.stderr)
    done = run("explain", policy, "--outbound", "db.internal:5432")
    assert "[outbound db.internal-5432]" in done.stdout, done.stdout


def test_suggest_nothing(bed):
    done = run("suggest", bed.write("empty", ""))
    equal((done.returncode, "observe" in done.stderr), (1, True), done.stderr)


def test_real_log(bed):
    """What the library itself writes."""
    bed.pair()
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    with open(bed.write("data", "hello\nQUIT\n"), "rb") as file:
        bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], stdin=file)
    bed.audited("server", event="closed")
    told = json.loads(run("report", "--json", bed.path("server.jsonl")).stdout)
    equal((told["totals"]["connections"], told["totals"]["unreadable"], told["rules"]["rows"][0]["rule"]),
          (1, 0, "test"), str(told))


if __name__ == "__main__":
    main(globals())
