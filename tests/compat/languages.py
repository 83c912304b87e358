#!/usr/bin/env python3
"""Servers and clients in Python, Perl, JavaScript and Java, as people write them."""

import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import PROGRAMS, Bed, equal, main, payload  # noqa: E402


def script(name):
    return os.path.join(PROGRAMS, name)


def python_server(bed: Bed, kind):
    bed.pair()
    bed.serve(bed.python("echo_server.py", kind, bed.port))
    # At the same time: the server is to serve each while the others go on.
    clients = [bed.start(f"client{number}", bed.python("echo_client.py", bed.relay.port),
                         bed.client_policy) for number in range(5)]
    for client in clients:
        equal(client.ok().out, b"fine\n", client.name)
    bed.check_all(at_least=5)


def test_python_forking_server(bed):
    python_server(bed, "forking")


def test_python_threading_server(bed):
    python_server(bed, "threading")


def test_perl_line_server(bed):
    bed.pair()
    bed.serve(["perl", script("line_server.pl"), bed.port])
    for number in range(3):
        out = bed.client(["perl", script("line_client.pl"), bed.relay.port],
                         name=f"client{number}").out
        equal(out, b"fine\n", "the client")
    bed.check_all(at_least=3)


def test_node_server_node_client(bed):
    bed.pair()
    bed.serve(["node", script("http_server.js"), bed.port])
    equal(bed.client(["node", script("http_client.js"), bed.relay.port]).out, b"fine\n",
          "the client")
    bed.check_all(at_least=4)


def check_curl(bed, size):
    url = f"http://127.0.0.1:{bed.relay.port}/"
    data = payload(size)
    path = bed.write("body", data)
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", "--data-binary", "@" + path, url],
                     name="post").out
    equal(got.decode(), hashlib.sha256(data).hexdigest(), "the body's digest")
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", url + str(size)], name="get").out
    equal(len(got), size, "the answer's length")
    equal(got.count(b"MTLS-TEST-MARKER"), (size - 16) // 4096 + 1, "markers in the answer")


def test_node_server_curl(bed):
    bed.pair()
    bed.serve(["node", script("http_server.js"), bed.port])
    check_curl(bed, 2_000_000)
    bed.check_all(at_least=2)


def java_server(bed):
    bed.pair()
    subprocess.run(["javac", "-d", bed.dir, script("HttpFiles.java"), script("HttpAsk.java")],
                   check=True, timeout=60)
    bed.serve(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", bed.dir, "HttpFiles",
               bed.port])


def test_java_server_curl(bed):
    java_server(bed)
    check_curl(bed, 2_000_000)
    bed.check_all(at_least=2)


def test_java_server_java_client(bed):
    java_server(bed)
    out = bed.client(["java", "-XX:TieredStopAtLevel=1", "-cp", bed.dir, "HttpAsk",
                      bed.relay.port]).out
    equal(out, b"fine\n", "the client")
    bed.check_all(at_least=3)


if __name__ == "__main__":
    main(globals())
