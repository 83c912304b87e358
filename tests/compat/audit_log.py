#!/usr/bin/env python3
"""The audit log where it is to go: rsyslog, a journal, files that logrotate turns over;
with too many lines, and without a secret in any of them."""

import base64
import glob
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import audit_schema  # noqa: E402
import users  # noqa: E402
from harness import MARKER, MTLS_RUN, PLAIN, PRELOAD, Bed, LeftOut, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402

# /dev/log and the journal's socket lie in the test's folder, for one program and its
# children.
OWN_SOCKETS = """
mkdir -p "$0/dev"
mount -t tmpfs none "$0/dev"
for node in null zero full random urandom; do
    : >"$0/dev/$node"
    mount --bind "/dev/$node" "$0/dev/$node"
done
ln -s /proc/self/fd "$0/dev/fd"
ln -s "$0/log" "$0/dev/log"
mount --move "$0/dev" /dev
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
ln -s "$0/journal" /run/systemd/journal/socket
exec "$@"
"""


def start_server(bed: Bed):
    """Starts the server of a pair whose log goes to a daemon of the test."""
    if PLAIN:
        return bed.serve(bed.python("echo_server.py", "threading", bed.port))
    if os.geteuid() != 0 or PRELOAD or subprocess.run(
            ["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        raise LeftOut("this takes a mount namespace of its own")
    server = bed.start("server", [
        "unshare", "--mount", "sh", "-ec", OWN_SOCKETS, bed.dir, MTLS_RUN, "-p",
        bed.server_policy, "--", *bed.python("echo_server.py", "threading", bed.port)])
    return server.listens(bed.port)


def set_server(bed, *changes):
    """Changes lines of the server's policy."""
    with open(bed.server_policy, encoding="utf-8") as file:
        text = file.read()
    for key, value in changes:
        text = re.sub(f"(?m)^{key} = .*$", f"{key} = {value}", text)
    bed.write("server.ini", text)


def serve(bed, log):
    bed.pair()
    set_server(bed, ("log", log))
    return start_server(bed)


def talk(bed, data=b"hello\nQUIT\n"):
    return bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port],
                      stdin=open(bed.write("data", data), "rb"))


def babble(bed, count=1):
    """Clients without TLS: each is a handshake_failed."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", bed.port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while True:
                try:
                    if not connection.recv(4096):
                        break
                except ConnectionResetError:
                    break


def check_lines(lines):
    schema = audit_schema.load()
    for line in lines:
        equal(audit_schema.check_line(line.encode() + b"\n", schema), None, line)
    return [json.loads(line) for line in lines]


# ---- daemons -----------------------------------------------------------------------------

PARTS = ("%pri%|%protocol-version%|%timereported:::date-rfc3339%|%hostname%|%app-name%|"
         "%procid%|%msgid%|%msg%")


def start_rsyslog(bed, name):
    """An rsyslogd that writes what it has made of each message."""
    config = bed.write(name + ".conf", f"""
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{bed.path('log')}" UseSpecialParser="off" CreatePath="off")
template(name="parts" type="string" string="{PARTS}\\n")
action(type="omfile" file="{bed.path('messages')}" template="parts")
""")
    if os.path.exists(bed.path("log")):
        os.unlink(bed.path("log"))
    daemon = bed.start(name, ["rsyslogd", "-n", "-f", config, "-i", bed.path(name + ".pid")])
    wait_until(lambda: os.path.exists(bed.path("log")), "rsyslogd's socket")
    return daemon


def messages(bed):
    try:
        with open(bed.path("messages"), encoding="utf-8") as file:
            return [line.rstrip("\n").split("|", 7) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def test_rsyslog(bed):
    daemon = start_rsyslog(bed, "rsyslog")
    serve(bed, "syslog")
    talk(bed)
    wait_until(lambda: any(m[6] == "closed" for m in messages(bed)), "the line in syslog")
    for pri, version, time, host, program, pid, event, text in messages(bed):
        line = check_lines([text.lstrip()])[0]
        want = {"info": "30", "warning": "28"}[line["level"]]
        equal((pri, version, host, program), (want, "1", socket.gethostname(), "mtls-shim"))
        equal((pid, event, time[:19]), (str(line["pid"]), line["event"], line["time"][:19]))
    daemon.stop()  # and it is restarted: on another socket of that name
    start_rsyslog(bed, "rsyslog-again")
    before = len(messages(bed))
    wait_until(lambda: talk(bed) and any(m[6] == "handshake_ok" for m in messages(bed)[before:]),
               "a line after the restart")


class Journal(threading.Thread):
    """Takes what is sent to the journal's socket apart."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.entries = []
        self.raw = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(bed.path("journal"))
        self.start()

    def run(self):
        while True:
            data = self.socket.recv(1 << 16)
            self.raw.append(data)
            fields = {}
            while data:
                name, _, rest = data.partition(b"\n")
                name, equals, value = name.partition(b"=")
                if not equals:
                    size, = struct.unpack("<Q", rest[:8])
                    value, rest = rest[8:8 + size], rest[8 + size + 1:]
                fields[name.decode()] = value.decode()
                data = rest
            self.entries.append(fields)


def test_journald(bed):
    journal = Journal(bed)
    serve(bed, "journald")
    talk(bed)
    wait_until(lambda: any(e["MTLS_EVENT"] == "closed" for e in journal.entries), "the entry")
    for entry in journal.entries:
        line = check_lines([entry["MESSAGE"]])[0]
        want = {"info": "6", "warning": "4"}[line["level"]]
        equal((entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]), ("mtls-shim", want))
        want = {"MTLS_" + key.upper(): str(value).lower() if isinstance(value, bool)
                else str(value) for key, value in line.items()}
        equal({k: v for k, v in entry.items() if k.startswith("MTLS_")}, want)


# ---- files -------------------------------------------------------------------------------

def rotate(bed, *directives):
    """Runs the real logrotate on the server's log."""
    config = bed.write("logrotate.conf", "\n".join(
        [f"{bed.path('server.jsonl')} {{", "rotate 9", *directives, "}"]) + "\n")
    os.chmod(config, 0o644)
    done = subprocess.run(["/usr/sbin/logrotate", "-f", "-s", bed.path("rotate.state"), config],
                          capture_output=True, text=True, timeout=20, check=False)
    equal((done.returncode, done.stderr), (0, ""), "logrotate")


def count_ok(bed):
    """The successful handshakes in all the files there are."""
    count = 0
    for path in glob.glob(bed.path("server.jsonl*")):
        with open(path, encoding="utf-8") as file:
            count += sum(json.loads(line)["event"] == "handshake_ok" for line in file)
    return count


def follow(bed, *directives):
    """A server goes on logging in the new file, and no line is lost."""
    bed.pair()
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    talk(bed)
    bed.audited("server", event="closed")
    rotate(bed, *directives)
    equal(os.path.exists(bed.path("server.jsonl.1")), True, "an old file")
    talks = [1]

    def is_followed():
        talk(bed)
        talks.append(1)
        return bed.audit("server", event="handshake_ok")

    wait_until(is_followed, "a line in the new file")
    wait_until(lambda: count_ok(bed) == len(talks), "all the lines")


def test_logrotate_create(bed):
    follow(bed, "create")


def test_logrotate_nocreate(bed):
    follow(bed, "nocreate")
    equal(os.stat(bed.path("server.jsonl")).st_mode & 0o777,
          os.stat(bed.path("server.jsonl.1")).st_mode & 0o777, "the mode")


def test_logrotate_copytruncate(bed):
    follow(bed, "copytruncate")


# All is read before: it may be forbidden then.
DROP = """
import hashlib, os, socketserver, sys
sys.argv = sys.argv[1:]
with open(sys.argv[0]) as file:
    program = file.read()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
exec(program)
"""


def test_moved_after_privileges_are_gone(bed):
    """The folder is root's: the old file is written on, and the log says so."""
    if os.geteuid() != 0:
        raise LeftOut("not root")
    users.open_folders(bed)
    bed.pair()
    command = bed.python("echo_server.py", "threading", bed.port)
    bed.serve([command[0], bed.write("drop.py", DROP), *command[1:]])
    talk(bed)
    bed.audited("server", event="closed")
    os.rename(bed.path("server.jsonl"), bed.path("moved.jsonl"))
    wait_until(lambda: talk(bed) and bed.audit("moved", event="warning"), "the warning")
    talk(bed)
    lines = bed.audit("moved", event="warning")
    equal(len(lines), 1, "warnings")
    assert "moved away" in lines[0]["detail"] and "Permission" in lines[0]["detail"], lines
    equal(os.path.exists(bed.path("server.jsonl")), False, "a new file")


# ---- too many, and too much ------------------------------------------------------------------

def test_rate(bed):
    """What a stranger causes is limited, and what is left out is counted to the last one."""
    bed.pair(log_rate="1/s")
    bed.serve(bed.python("echo_server.py", "threading", bed.port))
    sent = [40]
    babble(bed, 40)

    def is_told():
        babble(bed)
        sent[0] += 1
        return any("suppressed" in line for line in bed.audit("server"))

    wait_until(is_told, "how many were suppressed")
    failed = bed.audit("server", event="handshake_failed")
    assert len(failed) < 20, f"{len(failed)} lines of {sent[0]}"

    def is_all():
        babble(bed)
        sent[0] += 1
        lines = bed.audit("server", event="handshake_failed")
        return len(lines) + sum(line.get("suppressed", 0)
                                for line in bed.audit("server")) == sent[0]

    wait_until(is_all, "every one written or counted")
    for _ in range(15):
        talk(bed)  # whoever is let in is logged
    wait_until(lambda: len(bed.audit("server", event="closed")) == 15, "all the good ones")


def secrets(bed, passphrase):
    """What may be in no log: pieces of the keys in all their forms, and what was said."""
    forms = [MARKER, passphrase.encode()]
    for certificate in (bed.server_cert, bed.client_cert):
        with open(certificate.key, encoding="ascii") as file:
            body = "".join(line.strip() for line in file if "-" not in line)
        done = subprocess.run(["openssl", "pkey", "-in", certificate.key, "-text", "-noout"],
                              capture_output=True, text=True, check=True, timeout=20)
        number = bytes.fromhex("".join(
            done.stdout.partition("priv:")[2].partition("pub:")[0].split()).replace(":", ""))
        number = number[-32:]
        assert len(number) == 32, done.stdout
        for text in (number.hex(), number.hex().upper(), base64.b64encode(number).decode()):
            forms += [text[at:at + 16].encode() for at in range(0, 32, 8)]
        forms += [number[at:at + 8] for at in range(0, 32, 8)]
        forms += [body[at:at + 24].encode() for at in range(36, 60, 8)]
    return forms


def everything(bed, policies):
    """Handshakes that succeed and fail, on both ends, with what the programs say."""
    talk(bed, MARKER * 100 + b"\nQUIT\n")
    babble(bed, 3)
    with socket.create_connection(("127.0.0.1", bed.port)) as connection:
        connection.sendall(MARKER * 50)
    for policy in policies:
        bed.start("refused", ["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], policy,
                  stdin=open(bed.path("data"), "rb")).wait(30)


def serve_secretly(bed, sink, key, phrase):
    """A server whose key is encrypted, and whose log goes to the sink."""
    bed.pair(log_level="debug")
    set_server(bed, ("private_key", f"{key}\npassphrase_file = {phrase}"), ("log", sink))
    return start_server(bed)


def receive(path, texts):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        while True:
            texts.append(receiver.recv(1 << 16))


def test_no_secret(bed):
    passphrase = "do-not-tell-anybody-7d1f"
    key = bed.path("encrypted.key")
    subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:" + passphrase, "-in",
                    bed.server_cert.key, "-out", key], check=True, timeout=20)
    os.chmod(key, 0o600)
    phrase = bed.write("phrase", passphrase + "\n")
    os.chmod(phrase, 0o600)
    journal = Journal(bed)
    texts = []
    threading.Thread(target=receive, args=(bed.path("log"), texts), daemon=True).start()
    wait_until(lambda: os.path.exists(bed.path("log")), "the socket")
    for sink in ("syslog", "journald", "stderr", bed.path("server.jsonl")):
        server = serve_secretly(bed, sink, key, phrase)
        wrong = bed.policy("wrong", f"[outbound test]\nremote = *:{bed.relay.port}\n"
                           "mode = mtls\nidentity = own\npeer_name = other.test\n",
                           {"own": bed.client_cert}, log_level="debug")
        everything(bed, [wrong])
        server.stop()
        texts.append(server.err.encode())
    texts += journal.raw
    for path in glob.glob(bed.path("*.jsonl")):
        with open(path, "rb") as file:
            texts.append(file.read())
    for event in (b"handshake_ok", b"handshake_failed", b"closed"):
        at_least = sum(event in text for text in texts)
        assert at_least >= 4, f"{event} is in {at_least} texts only"
    for secret in secrets(bed, passphrase):
        for text in texts:
            assert secret not in text, (secret, text[:2000])


if __name__ == "__main__":
    main(globals(), needs_shim=True)
