#!/usr/bin/env python3
"""haproxy and squid: programs that are server and client at once, and copy in between."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import procs  # noqa: E402
import users  # noqa: E402
from harness import PLAIN, Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402

SIZE = 5_000_000


def middle(bed: Bed):
    """The policy of a program between the client and the server: (port, relay, policy)."""
    port = procs.free_port()
    relay = bed.open_relay(port)
    policy = bed.policy(
        "middle", f"[inbound front]\nlocal = *:{port}\nmode = mtls\nidentity = front\n"
        f"[outbound back]\nremote = *:{bed.relay.port}\nmode = mtls\nidentity = back\n",
        {"front": bed.server_cert, "back": bed.client_cert})
    bed.client_policy = bed.policy(
        "client", f"[outbound front]\nremote = *:{relay.port}\nmode = mtls\nidentity = own\n",
        {"own": bed.client_cert})
    return port, relay, policy


def check_middle(bed, front, **how):
    if not PLAIN:
        for direction in ("inbound", "outbound"):
            bed.audited("middle", event="handshake_ok", direction=direction)
    bed.check_wire(front, **how)
    bed.check_all(**how)


def haproxy(bed, options=""):
    port, front, policy = middle(bed)
    config = bed.write("haproxy.cfg", f"""
global
    nbthread 2
    {options}
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen test
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{bed.relay.port}
""")
    bed.start("haproxy", ["haproxy", "-db", "-f", config], policy).listens(port)
    return front


def copy_through(bed, front):
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"])
    clients = []
    for number in range(4):
        with open(bed.write(f"in{number}", payload(SIZE, number)), "rb") as file:
            clients.append(bed.start(f"client{number}", ["nc.openbsd", "-N", "127.0.0.1",
                                                         front.port],
                                     bed.client_policy, stdin=file))
    for number, client in enumerate(clients):
        got = client.ok(60).out
        equal(digest(got), digest(payload(SIZE, number)), f"echo {number}, {len(got)} bytes")
    wait_until(lambda: all(r.done for r in front.recordings), "the connections' end")
    check_middle(bed, front, at_least=4)


def test_haproxy_splice(bed):
    """haproxy wants to move the bytes with splice(2), past its own memory."""
    bed.pair()
    front = haproxy(bed)
    with open(bed.path("haproxy.cfg"), encoding="ascii") as file:
        equal("nosplice" in file.read(), False, "nosplice")
    copy_through(bed, front)


def test_haproxy_nosplice_one_thread(bed):
    bed.pair()
    copy_through(bed, haproxy(bed, "nosplice"))


def test_haproxy_redis(bed):
    """Many small questions, none of which may wait in the middle."""
    bed.pair()
    bed.serve(["redis-server", "--port", bed.port, "--bind", "127.0.0.1", "--save", "",
               "--dir", bed.dir])
    front = haproxy(bed)
    out = bed.client(["redis-benchmark", "-h", "127.0.0.1", "-p", front.port, "-c", "10",
                      "-n", "5000", "-q", "-t", "set,get", "-r", "100"]).out.decode()
    equal("SET: " in out and "GET: " in out, True, f"results in {out}")
    equal("rror" in out, False, f"an error in {out}")
    check_middle(bed, front, at_least=10, markers=(b"key:0000",), allow_cut=True)


def test_squid(bed):
    """curl asks squid, squid asks http.server; the second time squid has it."""
    bed.pair()
    users.open_folders(bed)
    os.mkdir(bed.path("www"))
    os.mkdir(bed.path("run"))
    os.chmod(bed.path("run"), 0o777)
    bed.write("www/file", payload(SIZE))
    bed.serve([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d",
               bed.path("www"), bed.port])
    port, front, policy = middle(bed)
    config = bed.write("squid.conf", f"""
http_port 127.0.0.1:{port}
http_access allow all
cache_mem 64 MB
maximum_object_size_in_memory 32 MB
maximum_object_size 32 MB
pid_filename {bed.dir}/run/squid.pid
access_log stdio:{bed.dir}/run/access.log
cache_log {bed.dir}/run/cache.log
coredump_dir {bed.dir}/run
netdb_filename none
pinger_enable off
icp_port 0
shutdown_lifetime 0 seconds
refresh_pattern . 60 100% 60 override-expire
""")
    bed.start("squid", ["squid", "-N", "-f", config, "-n", f"test{port}"], policy).listens(port)
    for name in ("first", "second"):
        got = bed.client(["curl", "-sS", "-f", "--proxy", f"http://127.0.0.1:{front.port}",
                          "--noproxy", "", f"http://127.0.0.1:{bed.relay.port}/file"],
                         name=name).out
        equal(digest(got), digest(payload(SIZE)), f"the file, {len(got)} bytes")
    equal(len(bed.relay.recordings), 1, "connections from squid to the server")
    bed.check_wire(front, at_least=2)
    check_middle(bed, front)


def test_squid_connect(bed):
    """CONNECT: squid only copies, both ways."""
    bed.pair()
    users.open_folders(bed)
    os.mkdir(bed.path("run"))
    os.chmod(bed.path("run"), 0o777)
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"])
    port, front, policy = middle(bed)
    config = bed.write("squid.conf", f"""
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
pid_filename {bed.dir}/run/squid.pid
access_log none
cache_log {bed.dir}/run/cache.log
coredump_dir {bed.dir}/run
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
""")
    bed.start("squid", ["squid", "-N", "-f", config, "-n", f"test{port}"], policy).listens(port)
    # Its stdin stays open: squid takes a half-closed connection for a closed one.
    client = bed.start("client", ["socat", "-", f"PROXY:127.0.0.1:127.0.0.1:{bed.relay.port},"
                                  f"proxyport={front.port}"],
                       bed.client_policy, stdin=subprocess.PIPE)
    client.feed(payload(SIZE))
    wait_until(lambda: len(client.out) >= SIZE or client.process.poll() is not None, "the echo",
               40)
    equal(digest(client.out), digest(payload(SIZE)), f"the echo, {len(client.out)} bytes")
    client.stop()
    check_middle(bed, front, allow_cut=True)


if __name__ == "__main__":
    main(globals())
