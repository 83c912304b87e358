#!/usr/bin/env python3
"""exim and swaks, dovecot and curl."""

import os
import pwd
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import users  # noqa: E402
from harness import MARKER, Bed, digest, equal, main  # noqa: E402
from procs import wait_until  # noqa: E402

TEXT = MARKER.decode()
BODY = "".join(f"{TEXT} line {number}\n" for number in range(5000))


# ---- exim --------------------------------------------------------------------------------


def serve_exim(bed: Bed, delivery):
    """Each connection is served by a child that gives up root's rights and, to deliver, is
    exec'ed anew."""
    bed.pair()
    users.open_folders(bed)
    users.give(bed, "Debian-exim", "spool", "log", "mail")
    config = bed.write("exim.conf", f"""
primary_hostname = server.test
spool_directory = {bed.dir}/spool
log_file_path = {bed.dir}/log/%slog
pid_file_path = {bed.dir}/exim.pid
domainlist local_domains = server.test
acl_smtp_rcpt = accept
acl_smtp_data = accept
keep_environment = LD_PRELOAD : ^MTLS_
tls_advertise_hosts =
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
daemon_smtp_ports = {bed.port}
local_interfaces = 127.0.0.1
queue_run_in_order = true
begin routers
local:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {bed.dir}/mail/box
  user = Debian-exim
  delivery_date_add
""")
    os.chmod(config, 0o644)
    bed.serve(["/usr/sbin/exim4", "-C", config, "-bdf", delivery])


def swaks(bed, *words, name="swaks"):
    return bed.client(["swaks", "--server", "127.0.0.1", "--port", str(bed.relay.port),
                       "--from", "from@client.test", "--to", "to@server.test", "--ehlo",
                       "client.test", *words], name=name).out.decode()


def test_exim_swaks(bed):
    """The server speaks first; three messages, then a fourth on which it must say no."""
    serve_exim(bed, "-odq")
    body = bed.write("body", BODY)
    for number in range(3):
        out = swaks(bed, "--header", f"Subject: {TEXT} {number}", "--body", "@" + body,
                    name=f"swaks{number}")
        equal("250 OK id=" in out, True, f"exim's answer in {out[-300:]}")
    spooled = []
    for folder, _, files in os.walk(bed.path("spool/input")):
        spooled += [os.path.join(folder, name) for name in files if name.endswith("-D")]
    equal(len(spooled), 3, "messages in the queue")
    with open(spooled[0], encoding="ascii") as file:
        equal(BODY in file.read(), True, "the body in the queue")
    bed.check_all(at_least=3)


def test_exim_swaks_pipelined(bed):
    serve_exim(bed, "-odq")
    out = swaks(bed, "--pipeline", "--header", f"Subject: {TEXT}", "--body", TEXT)
    equal("250 OK id=" in out, True, f"exim's answer in {out[-300:]}")
    bed.check_all()


# ---- dovecot -----------------------------------------------------------------------------


def serve_dovecot(bed, one_user=None):
    """A master, an acceptor that is exec'ed with the listener, and a process that the
    connection is passed to once the user is known. As Debian has it these are root, dovenull
    in a chroot, and the owner of the mailbox."""
    mailbox_user = one_user or "nobody"
    if one_user:
        users.own(bed, one_user)
    else:
        users.open_folders(bed)
    bed.pair()
    users.give(bed, mailbox_user, "mail")
    users.give(bed, one_user or "root", "run", "state")
    entry = pwd.getpwnam(mailbox_user)
    passwd = bed.write("passwd", f"test:{{PLAIN}}word:{entry.pw_uid}:{entry.pw_gid}::"
                       + bed.path("mail") + "::\n")
    no_chroot = "chroot =" if one_user else ""
    config = bed.write("dovecot.conf", f"""
protocols = imap
base_dir = {bed.dir}/run
state_dir = {bed.dir}/state
log_path = {bed.dir}/dovecot.log
ssl = no
disable_plaintext_auth = no
default_internal_user = dovecot
default_login_user = {one_user or "dovenull"}
default_internal_group = dovecot
first_valid_uid = 1
first_valid_gid = 1
import_environment = TZ LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_LOADED
mail_location = maildir:{bed.dir}/mail
passdb {{
  driver = passwd-file
  args = {passwd}
}}
userdb {{
  driver = passwd-file
  args = {passwd}
}}
service anvil {{
  {no_chroot}
}}
service imap-login {{
  {no_chroot}
  inet_listener imap {{
    address = 127.0.0.1
    port = {bed.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
    bed.serve(["/usr/sbin/dovecot", "-F", "-c", config],
              **(users.as_user(one_user) if one_user else {}))


def curl(bed, *words, name):
    return bed.client(["curl", "-sS", "-u", "test:word", "--login-options", "AUTH=PLAIN",
                       "--noproxy", "*", *words], name=name).out


def dovecot_curl(bed, one_user=None):
    serve_dovecot(bed, one_user)
    url = f"imap://127.0.0.1:{bed.relay.port}/"
    message = (f"From: a@client.test\r\nTo: b@server.test\r\nSubject: {TEXT}\r\n\r\n"
               + BODY.replace("\n", "\r\n"))
    path = bed.write("message", message)
    for number in range(2):
        curl(bed, "-T", path, url + "INBOX", name=f"append{number}")
    for number in (1, 2):
        got = curl(bed, url + f"INBOX;MAILINDEX={number}", name=f"fetch{number}")
        equal(digest(got), digest(message.encode()), f"message {number}, {len(got)} bytes")
    got = curl(bed, url + "INBOX", "-X", f"SEARCH SUBJECT {TEXT}", name="search")
    equal(got.strip(), b"* SEARCH 1 2", "what was found")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    bed.check_all(at_least=5)


def test_dovecot_curl(bed):
    dovecot_curl(bed)


def test_dovecot_curl_one_user(bed):
    dovecot_curl(bed, "dovecot")


if __name__ == "__main__":
    main(globals())
