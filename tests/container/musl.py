#!/usr/bin/env python3
"""Programs that are linked with musl, started by the folder of `make container`: with each
other, with programs of glibc under the shim, and with OpenSSL's."""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import container  # noqa: E402
from harness import equal, main  # noqa: E402

ENTRYPOINT = os.path.join(container.FOLDER, "entrypoint")
LINES = 20
built = tempfile.TemporaryDirectory(prefix="mtls-test-musl-")


def build(libc, source=os.path.join(HERE, "line.c")):
    """The program for that C library."""
    name = os.path.join(built.name, f"{os.path.basename(source)[:-2]}-{libc}")
    if not os.path.exists(name):
        compiler = {"musl": "musl-gcc", "glibc": os.environ.get("CC", "cc")}[libc]
        subprocess.run([compiler, "-D_GNU_SOURCE", "-O1", "-o", name, source, "-lpthread"], check=True)
    return name


def start(bed, name, argv, policy, **how):
    """As container.start(), in the host's own root."""
    env = {**(how.pop("env", None) or {}), "MTLS_SHIM_POLICY": policy}
    return bed.start(name, [ENTRYPOINT, *argv], env=env, **how)


def exchange(bed, server, client="musl", mode="block", count=1, program=None, env=None):
    """count clients, each with its lines, then the server's end."""
    bed.pair()
    line = [build(server), "serve", mode, str(bed.port), str(count)]
    serving = start(bed, "server", line + ([program] if program else []), bed.server_policy,
                    env=env)
    serving.listens(bed.port)
    talking = [start(bed, f"client{i}", [build(client), "talk", "localhost",
                                         str(bed.relay.port), str(LINES)], bed.client_policy)
               for i in range(count)]
    for one in talking:
        equal(one.ok().out, b"%d lines\n" % LINES)
    serving.ok()
    bed.check_all(at_least=count)
    return serving


def test_block(bed):
    exchange(bed, "musl")


def test_threads(bed):
    exchange(bed, "musl", mode="thread", count=5)


def test_poll(bed):
    exchange(bed, "musl", mode="poll", count=5)


def test_epoll(bed):
    exchange(bed, "musl", mode="epoll", count=5)


def test_fork(bed):
    exchange(bed, "musl", mode="fork", count=5)


def test_stdio(bed):
    exchange(bed, "musl", mode="stdio", count=2)


def test_glibc_server(bed):
    exchange(bed, "glibc", "musl")


def test_glibc_client(bed):
    exchange(bed, "musl", "glibc")


def test_openssl_client(bed):
    bed.pair()
    serving = start(bed, "server", [build("musl"), "serve", "block", str(bed.port), "1"],
                    bed.server_policy).listens(bed.port)
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{bed.relay.port}",
                           "-quiet", "-no_ign_eof", "-verify_return_error",
                           *papers(bed, bed.client_cert)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"MTLS-TEST-MARKER\n")
        client.stdin.flush()
        equal(client.stdout.readline(), b"MTLS-TEST-MARKER\n", "what came back")
        client.stdin.close()
    serving.ok()
    bed.check_wire()


def test_openssl_server(bed):
    bed.pair()
    bed.start("server", [
        "openssl", "s_server", "-accept", str(bed.port), "-quiet", "-rev", "-naccept", "1",
        "-Verify", "1", "-verify_return_error", *papers(bed, bed.server_cert)]
              ).listens(bed.port)
    # It turns each line round, so that the client is not content.
    client = start(bed, "client", [build("musl"), "talk", "localhost", str(bed.relay.port),
                                   "1"], bed.client_policy)
    equal(client.wait(), 1, "the client's status")
    equal("REKRAM-TSET-SLTM 0 REKRAM-TSET-SLTM" in client.err, True, client.err)
    bed.check_wire()


def papers(bed, certificate):
    return ["-cert", certificate.pem, "-key", certificate.key, "-CAfile", bed.authority.pem]


# ---- from one program to another


def test_inherited_connection(bed):
    """As inetd starts programs: stdin and stdout are the connection."""
    exchange(bed, "musl", mode="exec", program=build("musl"))


def refused_connection(bed, server, program):
    """A connection's locks are its C library's: it does not go to a program of another."""
    bed.pair()
    start(bed, "server", [build(server), "serve", "exec", str(bed.port), "1", build(program)],
          bed.server_policy).listens(bed.port)
    client = start(bed, "client", [build("glibc"), "talk", "localhost", str(bed.relay.port),
                                   "1"], bed.client_policy)
    equal(client.wait(), 1, "the client's status")
    equal(bed.programs[0].wait(), 1, "the server's status")
    equal("Permission denied" in bed.programs[0].err, True, bed.programs[0].err)
    bed.audited("server", event="warning",
                detail="a governed connection cannot go to a program of another C library")
    for recording in bed.relay.recordings:
        equal(b"MTLS-TEST-MARKER" in recording.client + recording.server, False, "plaintext")


def test_connection_to_glibc(bed):
    refused_connection(bed, "musl", "glibc")


def test_connection_to_musl(bed):
    refused_connection(bed, "glibc", "musl")


def starts(bed, first, second, how):
    """A program starts one of another C library by a shell, which has the host's: each gets
    the library for its own."""
    bed.pair()
    start(bed, "server", [build("musl"), "serve", "block", str(bed.port), "1"],
          bed.server_policy).listens(bed.port)
    command = f"{build(second)} talk localhost {bed.relay.port} {LINES}; exit $?"
    client = start(bed, "client", [build(first), "run", how, command], bed.client_policy)
    equal(client.ok().out, b"%d lines\n" % LINES)
    bed.programs[0].ok()
    bed.check_all()


def test_exec(bed):
    starts(bed, "musl", "musl", "exec")


def test_system(bed):
    starts(bed, "musl", "glibc", "system")


def test_popen(bed):
    starts(bed, "musl", "glibc", "popen")


def test_spawn(bed):
    starts(bed, "glibc", "musl", "spawn")


# ---- where it does not start


def refused(bed, argv, status, words, env=None):
    """It ends so, says so, and the program has not been started."""
    bed.policy("none", "")
    program = bed.start(f"program{len(bed.programs)}", argv,
                        env={"MTLS_SHIM_POLICY": bed.path("none.ini"), **(env or {})})
    equal(program.wait(), status, f"status; it says {program.err}")
    equal(words in program.err, True, f"{words!r} in {program.err!r}")
    equal(program.out, b"", "what it has written")


def lonely(bed, libc):
    """The folder with the library for that C library only."""
    folder = os.path.join(bed.dir, libc + "-only")
    os.makedirs(os.path.join(folder, libc))
    for name in ("mtls-run", "entrypoint", f"{libc}/libmtls_shim.so"):
        shutil.copy(os.path.join(container.FOLDER, name), os.path.join(folder, name))
    return folder


def test_without_its_library(bed):
    refused(bed, [lonely(bed, "glibc") + "/entrypoint", build("musl"), "run", "system",
                  "echo x"], 126, "another C library (musl)")


def test_wrong_library(bed):
    """musl's loader stops a program whose preloaded library it cannot bind."""
    refused(bed, [build("musl"), "run", "system", "echo x"], 127, "Error relocating",
            {"LD_PRELOAD": container.FOLDER + "/glibc/libmtls_shim.so"})


def test_only_for_musl(bed):
    """glibc's loader would go on without a library that it cannot load: no exec."""
    library = lonely(bed, "musl") + "/musl/libmtls_shim.so"
    for how in ("exec", "system", "popen", "spawn"):
        refused(bed, [build("musl"), "run", how, "echo x"], 1, "Permission denied",
                {"LD_PRELOAD": library})


if __name__ == "__main__":
    main(globals())
