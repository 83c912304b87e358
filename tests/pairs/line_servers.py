#!/usr/bin/env python3
"""Servers and clients in PHP, Ruby, Tcl, Lua, C++, Rust, Java, Node and Python.

Both ends are tests/pairs/programs/; the line servers all speak the same.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Bed, equal, main  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def talk(bed: Bed, *program, clients=3):
    """PROGRAM server PORT and several PROGRAM client PORT, each of which must be fine."""
    bed.pair()
    bed.serve([*program, "server", bed.port])
    started = [bed.start(f"client{number}", [*program, "client", bed.relay.port],
                         bed.client_policy) for number in range(clients)]
    for client in started:
        equal(client.ok(60).out, b"fine\n", client.name)
    bed.check_all(at_least=clients)


def script(name):
    return os.path.join(HERE, name)


def build(bed, *compiler):
    subprocess.run([*compiler, "-o", bed.path("lines")], check=True, timeout=80)
    return bed.path("lines")


def test_php(bed):
    talk(bed, "php", script("lines.php"))


def test_ruby(bed):
    talk(bed, "ruby", script("lines.rb"))


def test_tcl(bed):
    talk(bed, "tclsh", script("lines.tcl"))


def test_lua(bed):
    talk(bed, "lua5.4", script("lines.lua"))


def test_cpp(bed):
    talk(bed, build(bed, "g++", "-O1", "-pthread", script("lines.cc")))


def test_rust(bed):
    talk(bed, build(bed, "rustc", "-O", script("lines.rs")))


def test_java_nio(bed):
    subprocess.run(["javac", "-d", bed.dir, script("NioEcho.java")], check=True, timeout=60)
    bed.pair()
    java = ["java", "-XX:TieredStopAtLevel=1", "-cp", bed.dir, "NioEcho"]
    bed.serve([*java, "server", bed.port])
    equal(bed.client([*java, "client", bed.relay.port]).out, b"fine\n", "the client")
    bed.check_all(at_least=8)


def test_node_streams(bed):
    talk(bed, "node", script("streams.js"))


def test_python_managers(bed):
    talk(bed, sys.executable, script("managers.py"), clients=1)


def test_perl_client_of_ruby(bed):
    bed.pair()
    bed.serve(["ruby", script("lines.rb"), "server", bed.port])
    perl = os.path.join(harness.PROGRAMS, "line_client.pl")
    equal(bed.client(["perl", perl, bed.relay.port]).out, b"fine\n", "the client")
    bed.check_all()


if __name__ == "__main__":
    main(globals())
