#!/usr/bin/env python3
"""Servers that get their connection from another program, on fds 0 and 1 or any other."""

import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
import users  # noqa: E402
from harness import Bed, digest, equal, main, payload  # noqa: E402
from procs import wait_until  # noqa: E402

XINETD = os.path.join(harness.BUILD, "compat", "xinetd", "usr", "sbin", "xinetd")
SIZE = 1_000_000


def echo(bed: Bed, count=3):
    """Sends 1 MB to a server that sends it back, several times at once."""
    clients = []
    for number in range(count):
        with open(bed.write(f"in{number}", payload(SIZE, number)), "rb") as file:
            clients.append(bed.start(f"client{number}", ["nc.openbsd", "-N", "127.0.0.1",
                                                         bed.relay.port],
                                     bed.client_policy, stdin=file))
    for number, client in enumerate(clients):
        got = client.ok().out
        equal(digest(got), digest(payload(SIZE, number)), f"echo {number}, {len(got)} bytes")
    wait_until(lambda: all(r.done for r in bed.relay.recordings), "the connections' end")
    bed.check_all(at_least=count)


def inetutils(bed, program, *words, user="root"):
    if not bed.port:
        bed.pair()
    line = " ".join([f"127.0.0.1:{bed.port}", "stream", "tcp", "nowait", user, program, *words])
    bed.serve(["inetutils-inetd", "-d", "--pidfile=" + bed.path("pid"),
               bed.write("inetd.conf", line + "\n")])


def test_inetutils_inetd_cat(bed):
    inetutils(bed, "/bin/cat", "cat")
    echo(bed)


def test_inetutils_inetd_other_user(bed):
    """The server's user may read neither key nor log: the connection goes on all the same,
    and one of its own is refused."""
    bed.pair()
    users.open_folders(bed)
    script = bed.write("serve.py", f"""
import os, socket, sys
line = sys.stdin.buffer.readline()
assert os.getuid() != 0
try:
    socket.create_connection(("127.0.0.1", {bed.port}), 5).close()
    code = 0
except OSError as error:
    code = error.errno
sys.stdout.buffer.write(b"%d " % code + line + {b"MTLS-TEST-MARKER"!r} * 10000)
""")
    inetutils(bed, "/usr/bin/python3", "python3", script, user="nobody")
    with open(bed.write("in", b"mtls-test-marker hello\n"), "rb") as file:
        got = bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], stdin=file).out
    code = 0 if harness.PLAIN else errno.EACCES
    equal(digest(got), digest(b"%d mtls-test-marker hello\n" % code
                              + b"MTLS-TEST-MARKER" * 10000), got[:100])
    bed.check_all(markers=(harness.MARKER, b"mtls-test-marker"))


def test_inetutils_inetd_shell(bed):
    """The server is a script; it reads line by line, so byte by byte, and pipes."""
    script = bed.write("upper", "#!/bin/sh\nread first\necho \"first: $first\"\n"
                       "tr a-z A-Z\n")
    os.chmod(script, 0o755)
    inetutils(bed, script, "upper")
    data = b"MTLS-TEST-MARKER one\n" + b"mtls-test-marker two\n" * 20_000
    with open(bed.write("in", data), "rb") as file:
        got = bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], stdin=file).out
    want = b"first: MTLS-TEST-MARKER one\n" + b"MTLS-TEST-MARKER TWO\n" * 20_000
    equal(digest(got), digest(want), f"{len(got)} bytes")
    bed.check_all()


def xinetd(bed, program, *words, wait="no"):
    bed.pair()
    config = bed.write("xinetd.conf", f"""
service test
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    port = {bed.port}
    bind = 127.0.0.1
    wait = {wait}
    user = root
    server = {program}
    {'server_args = ' + ' '.join(words) if words else ''}
}}
""")
    bed.serve([XINETD, "-dontfork", "-stayalive", "-f", config, "-pidfile", bed.path("pid"),
               "-filelog", bed.path("xinetd.log")])


def test_xinetd_cat(bed):
    xinetd(bed, "/bin/cat")
    echo(bed)


def test_xinetd_wait(bed):
    """wait = yes: the server gets the listener itself, and accepts."""
    script = bed.write("waits.py", "import socket, sys\n"
                       "listener = socket.socket(fileno=0)\n"
                       "for _ in range(3):\n"
                       "    conn = listener.accept()[0]\n"
                       "    data = bytearray()\n"
                       "    while chunk := conn.recv(65536):\n"
                       "        data += chunk\n"
                       "    conn.sendall(data)\n"
                       "    conn.close()\n")
    xinetd(bed, sys.executable, script, wait="yes")
    echo(bed)


def test_tcpserver_cat(bed):
    bed.pair()
    bed.serve(["tcpserver", "-v", "-H", "-R", "-l", "test", "127.0.0.1", bed.port, "cat"])
    echo(bed)


def test_tcpserver_tcpclient(bed):
    """tcpclient gives its program the connection on 6 and 7."""
    bed.pair()
    bed.serve(["tcpserver", "-v", "-H", "-R", "-l", "test", "127.0.0.1", bed.port,
               "sh", "-c", "tr a-z A-Z; echo end of $PROTO"])
    data = b"mtls-test-marker line\n" * 50_000
    path = bed.write("in", data)
    # tcpclient has no half-close, so that a count is what ends the server's input.
    out = bed.client(["tcpclient", "-v", "-H", "-R", "-l", "test", "127.0.0.1", bed.relay.port,
                      sys.executable, "-c",
                      "import socket, sys\n"
                      "conn = socket.socket(fileno=7)\n"
                      "conn.sendall(open(sys.argv[1], 'rb').read())\n"
                      "conn.shutdown(socket.SHUT_WR)\n"
                      "with open(6, 'rb') as stream:\n"
                      "    sys.stdout.buffer.write(stream.read())\n", path]).out
    equal(digest(out), digest(data.upper() + b"end of TCP\n"), f"{len(out)} bytes")
    bed.check_all()


def test_socat_nofork(bed):
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork",
               "EXEC:cat,nofork"])
    echo(bed)


def test_socat_nofork_shell(bed):
    """A shell and its children, one after the other, on the one connection."""
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork",
               "SYSTEM:'read first; echo got $first; cat; echo MTLS-TEST-MARKER over',nofork"])
    with open(bed.write("in", b"one\n" + payload(SIZE)), "rb") as file:
        got = bed.client(["nc.openbsd", "-N", "127.0.0.1", bed.relay.port], stdin=file).out
    equal(digest(got), digest(b"got one\n" + payload(SIZE) + b"MTLS-TEST-MARKER over\n"),
          f"{len(got)} bytes")
    bed.check_all()


def test_bash_dev_tcp_cat(bed):
    """bash dials; cat, a program of its own, reads the answer from the fd."""
    bed.pair()
    bed.serve(["socat", f"TCP-LISTEN:{bed.port},bind=127.0.0.1,reuseaddr,fork",
               "SYSTEM:'read first; echo got $first; cat big',nofork"], cwd=bed.dir)
    bed.write("big", payload(SIZE))
    out = bed.client(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{bed.relay.port} && "
                      "echo MTLS-TEST-MARKER >&3 && cat <&3"]).out
    equal(digest(out), digest(b"got MTLS-TEST-MARKER\n" + payload(SIZE)), f"{len(out)} bytes")
    bed.check_all()


def test_netcat_traditional_exec(bed):
    """nc -e at both ends: each program is the other's terminal."""
    bed.pair()
    server = bed.serve(["nc.traditional", "-l", "-s", "127.0.0.1", "-p", bed.port, "-e",
                        "/bin/cat"])
    script = bed.write("ask", "#!/bin/sh\ni=0\nwhile [ $i -lt 200 ]; do\n"
                       "    echo MTLS-TEST-MARKER $i\n    read answer || exit 1\n"
                       "    [ \"$answer\" = \"MTLS-TEST-MARKER $i\" ] || exit 2\n"
                       "    i=$((i + 1))\ndone\necho fine >&2\n")
    os.chmod(script, 0o755)
    client = bed.client(["nc.traditional", "127.0.0.1", bed.relay.port, "-e", script])
    equal(client.err, "fine\n", "the client's script")
    server.ok()
    bed.check_all()


if __name__ == "__main__":
    main(globals())
