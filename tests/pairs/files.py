#!/usr/bin/env python3
"""Programs that move files: FTP in both modes, rsync, network block devices, distcc."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certs  # noqa: E402
import procs  # noqa: E402
import users  # noqa: E402
from harness import PLAIN, Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402
from relay import Relay  # noqa: E402

SIZE = 4_000_000


def check_file(path, want):
    with open(path, "rb") as file:
        got = file.read()
    equal(digest(got), digest(want), f"{path}, {len(got)} bytes")


# ---- FTP ---------------------------------------------------------------------------------
#
# A data connection is dialled at a port that the control connection tells. To record it,
# its relay listens at the same port of 127.0.0.2, which is the address that is told.

FAR = "127.0.0.2"


def ftp_policies(bed: Bed):
    """Control and data connections in both directions; returns the data port."""
    bed.pair()
    data = procs.free_port()
    names = certs.SERVER_NAMES + f",IP:{FAR}"
    bed.server_cert = bed.authority.issue("server-ftp", names, "serverAuth,clientAuth")
    bed.client_cert = bed.authority.issue("client-ftp", names, "serverAuth,clientAuth")
    # Active mode dials from the server's end to a port of the client's.
    rules = "[inbound all]\nlocal = *:*\nmode = mtls\nidentity = own\n" \
            "[outbound all]\nremote = *:*\nmode = mtls\nidentity = own\n"
    bed.server_policy = bed.policy("server", rules, {"own": bed.server_cert})
    bed.client_policy = bed.policy("client", rules, {"own": bed.client_cert})
    return data


ONE_PROCESS = "one_process_model=YES\nisolate=NO\nisolate_network=NO"
# The one that listens is another user's than the one that transfers; they are apart from
# the one that accepts in their namespaces.
TWO_PROCESSES = "one_process_model=NO\nisolate=YES\nisolate_network=YES"


def data_relay(bed, data):
    relay = Relay(("127.0.0.1", data), (FAR, data))
    bed.relays.append(relay)
    return relay


def serve_vsftpd(bed, more=""):
    users.open_folders(bed)
    os.makedirs(bed.path("root/files"))
    os.makedirs(bed.path("empty"))
    users.give(bed, "ftp", "root/files")
    bed.write("root/files/down", payload(SIZE))
    config = bed.write("vsftpd.conf", f"""
listen=YES
background=NO
listen_address=127.0.0.1
listen_port={bed.port}
secure_chroot_dir={bed.dir}/empty
anonymous_enable=YES
anon_root={bed.dir}/root
no_anon_password=YES
write_enable=YES
anon_upload_enable=YES
anon_umask=022
anon_world_readable_only=NO
xferlog_enable=NO
connect_from_port_20=NO
port_promiscuous=YES
pasv_promiscuous=YES
seccomp_sandbox=NO
{more}
""")
    bed.serve(["/usr/sbin/vsftpd", config])


def check_data(bed, direction):
    """Which end accepted data connections is in the audit logs of both."""
    if not PLAIN:
        other = {"inbound": "outbound", "outbound": "inbound"}[direction]
        wait_until(lambda: len(bed.audit("server", event="handshake_ok",
                                         direction=direction)) >= 2, "the server's log")
        wait_until(lambda: bed.audit("client", event="handshake_ok", direction=other),
                   "the client's log")


def passive(bed, model):
    data = ftp_policies(bed)
    serve_vsftpd(bed, f"{model}\npasv_enable=YES\npasv_address={FAR}\n"
                 f"pasv_min_port={data}\npasv_max_port={data}")
    return data_relay(bed, data)


def curl(bed, *words, name):
    return bed.client(["curl", "-sS", "-f", "--noproxy", "*", *words], name=name).out


def ftp_url(bed, name):
    return f"ftp://127.0.0.1:{bed.relay.port}/files/{name}"


def curl_passive(bed, model):
    data = passive(bed, model)
    options = ["--no-ftp-skip-pasv-ip", "--disable-epsv"]
    got = curl(bed, *options, ftp_url(bed, "down"), name="down")
    equal(digest(got), digest(payload(SIZE)), f"the file, {len(got)} bytes")
    curl(bed, *options, "-T", bed.write("up", payload(SIZE, 1)), ftp_url(bed, "up"), name="up")
    check_file(bed.path("root/files/up"), payload(SIZE, 1))
    equal(b"down" in curl(bed, *options, ftp_url(bed, ""), name="list"), True, "the list")
    bed.check_wire(data, at_least=3)
    bed.check_all(at_least=3, markers=(b"PASV", b"227 "))


def test_vsftpd_curl_passive(bed):
    curl_passive(bed, TWO_PROCESSES)


def test_vsftpd_curl_passive_one_process(bed):
    curl_passive(bed, ONE_PROCESS)


def test_vsftpd_curl_active(bed):
    ftp_policies(bed)
    serve_vsftpd(bed)
    got = curl(bed, "--ftp-port", "127.0.0.1", ftp_url(bed, "down"), name="down")
    equal(digest(got), digest(payload(SIZE)), f"the file, {len(got)} bytes")
    curl(bed, "--ftp-port", "127.0.0.1", "-T", bed.write("up", payload(SIZE, 1)),
         ftp_url(bed, "up"), name="up")
    check_file(bed.path("root/files/up"), payload(SIZE, 1))
    check_data(bed, "outbound")
    bed.check_wire(at_least=2, markers=(b"EPRT", b"PORT"))


def ftp(bed, *words, commands):
    """inetutils' ftp, as it is used in scripts."""
    text = f"open 127.0.0.1 {bed.relay.port}\nuser anonymous guest\nbinary\n" + commands
    with open(bed.write("commands", text + "quit\n"), "rb") as file:
        bed.client(["inetutils-ftp", "-n", "-v", *words], stdin=file, cwd=bed.dir)


def ftp_both_ways(bed, *words):
    bed.write("up", payload(SIZE, 1))
    ftp(bed, *words, commands="get files/down got\nput up files/up\nls files listing\n")
    check_file(bed.path("got"), payload(SIZE))
    check_file(bed.path("root/files/up"), payload(SIZE, 1))


def test_vsftpd_ftp_passive(bed):
    # It refuses data connections to any other address than the control connection's.
    ftp_policies(bed)
    serve_vsftpd(bed, TWO_PROCESSES)
    ftp_both_ways(bed, "--passive")
    check_data(bed, "inbound")
    bed.check_wire(markers=(b"PASV", b"EPSV"))


def test_vsftpd_ftp_active(bed):
    ftp_policies(bed)
    serve_vsftpd(bed)
    ftp_both_ways(bed)
    check_data(bed, "outbound")
    bed.check_wire(markers=(b"EPRT", b"PORT"))


# ---- others --------------------------------------------------------------------------------


def test_rsync_daemon(bed):
    bed.pair()
    os.makedirs(bed.path("module/deep/er"))
    for number in range(30):
        bed.write(f"module/deep/er/{number}", payload(20_000 * number, number))
    config = bed.write("rsyncd.conf", f"use chroot = no\naddress = 127.0.0.1\n"
                       f"port = {bed.port}\n[module]\npath = {bed.path('module')}\n"
                       "read only = no\nuid = root\ngid = root\n")
    bed.serve(["rsync", "--daemon", "--no-detach", "--config", config])
    where = f"rsync://127.0.0.1:{bed.relay.port}/module/"
    bed.client(["rsync", "-a", where, bed.path("copy/")], name="down")
    for number in range(30):
        check_file(bed.path(f"copy/deep/er/{number}"), payload(20_000 * number, number))
    # Up again with a change in the middle: the delta algorithm talks both ways at once.
    changed = payload(580_000, 29)[:300_000] + b"changed" + payload(580_000, 29)[300_000:]
    bed.write("copy/deep/er/29", changed)
    out = bed.client(["rsync", "-a", "--stats", "--no-whole-file", "--checksum",
                      bed.path("copy/"), where], name="up").out
    check_file(bed.path("module/deep/er/29"), changed)
    equal(b"Number of regular files transferred: 1\n" in out, True, f"one file in {out}")
    bed.check_all(at_least=2)


def nbd_command(bed, size):
    bed.pair()
    users.open_folders(bed)
    with open(bed.path("disk"), "wb") as file:
        file.truncate(size)
    config = bed.write("nbd.conf", f"[generic]\nlistenaddr = 127.0.0.1\nport = {bed.port}\n"
                       f"[disk]\nexportname = {bed.path('disk')}\n")
    return ["nbd-server", "-C", config, "-p", bed.path("pid")]


def nbd_url(bed):
    return f"nbd://127.0.0.1:{bed.relay.port}/disk"


def test_nbd_copy_daemon(bed):
    """A daemon, with a child for each of the four connections that libnbd makes."""
    size = 16 << 20
    bed.start("server", nbd_command(bed, size), bed.server_policy).ok()
    wait_until(lambda: procs.is_listening(bed.port), "the daemon to listen")
    try:
        path = bed.write("image", payload(size))
        bed.client(["nbdcopy", path, nbd_url(bed)], name="up")
        bed.client(["nbdcopy", nbd_url(bed), bed.path("got")], name="down")
    finally:
        with open(bed.path("pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGTERM)
    check_file(bed.path("got"), payload(size))
    bed.check_all(at_least=2, allow_cut=True)


def test_nbd_qemu_io(bed):
    bed.serve([*nbd_command(bed, 16 << 20), "-d"])
    out = bed.client(["qemu-io", "-f", "raw", "-c", "write -P 0xa5 1M 4M", "-c", "flush",
                      "-c", "read -P 0xa5 1M 4M", "-c", "read -P 0 6M 1M", nbd_url(bed)]).out
    equal(out.count(b"4 MiB, 1 ops"), 2, f"writes and reads in {out}")
    equal(b"verification failed" in out, False, f"failure in {out}")
    with open(bed.path("disk"), "rb") as file:
        file.seek(1 << 20)
        equal(file.read(4 << 20).count(0xa5), 4 << 20, "bytes on the disk")
    bed.check_all(allow_cut=True, markers=(b"\xa5" * 64,))


def test_distcc(bed):
    bed.pair()
    users.open_folders(bed)
    source = bed.write("main.c", "#include <stdio.h>\nint main(void) "
                       "{ puts(\"MTLS-TEST-MARKER\"); return 0; }\n")
    os.mkdir(bed.path("distcc"))
    bed.serve(["distccd", "--no-detach", "--daemon", "--user", "nobody", "--listen",
               "127.0.0.1", "--port", bed.port, "--allow", "127.0.0.1", "--log-stderr",
               "--enable-tcp-insecure"], env={"DISTCC_TCP_CORK": "1"})
    for number in range(3):
        bed.client(["distcc", "gcc", "-O1", "-c", source, "-o", bed.path(f"{number}.o")],
                   name=f"distcc{number}", env={
                       "DISTCC_HOSTS": f"127.0.0.1:{bed.relay.port}", "DISTCC_FALLBACK": "0",
                       "DISTCC_DIR": bed.path("distcc"), "DISTCC_VERBOSE": "1"})
        subprocess.run(["gcc", "-o", bed.path("program"), bed.path(f"{number}.o")], check=True,
                       timeout=30)
        got = subprocess.run([bed.path("program")], capture_output=True, timeout=10, check=True)
        equal(got.stdout, b"MTLS-TEST-MARKER\n", "what the program says")
    bed.check_all(at_least=3)


if __name__ == "__main__":
    main(globals())
